"""The readings of the ledger's table, end to end through the store, on a payment of 92.00."""

from disputes.decode import canonical_of
from disputes.ledger import Account
from disputes.vocabulary import OperationState, Outcome, PaymentType
from tests.store.scene import START, Dispute, Scene, entry, new_id, notice


def _stands(scene: Scene, **columns: int) -> None:
    """The columns of the table in EUR; those not named are zero; and the books add up."""
    assert scene.readings() == columns
    assert scene.ledger.verify() == []


def _opened(scene: Scene) -> Dispute:
    """A chargeback of all of a DB, booked by us."""
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    dispute.send()
    return dispute


def _lost(scene: Scene) -> Dispute:
    dispute = _opened(scene)
    dispute.ruled(Outcome.CARDHOLDER_WON)
    return dispute


def _rebilled(scene: Scene) -> Dispute:
    dispute = _lost(scene)
    dispute.rebill(9200)
    dispute.send()
    return dispute


def test_an_authorization_is_no_money_until_it_is_captured(scene: Scene) -> None:
    authorized = entry(PaymentType.PA, 10000)
    captured = entry(PaymentType.CP, 9200, authorized.gateway_id)
    dispute = Dispute(scene, "D-1", [authorized, captured])
    claimed = notice("D-1", captured.gateway_id, 9200)
    scene.register.claim("dispute/D-1", canonical_of(claimed))
    dispute.ask()
    _stands(scene, acquirer=92, in_hand=92)
    assert scene.position(Account.MEMO_AUTH) == 800
    assert scene.ledger.positions(Account.ACQUIRER) == {(authorized.gateway_id, "EUR"): 9200}


def test_chargeback_open(scene: Scene) -> None:
    _opened(scene)
    _stands(scene, disputed=92, in_hand=-15)


def test_won(scene: Scene) -> None:
    dispute = _opened(scene)
    dispute.ruled(Outcome.MERCHANT_WON)
    _stands(scene, unmirrored=92, in_hand=77)
    dispute.send()
    _stands(scene, acquirer=92, in_hand=77)


def test_lost(scene: Scene) -> None:
    _lost(scene)
    _stands(scene, loss=92, in_hand=-15)


def test_partial_with_40_for_the_merchant(scene: Scene) -> None:
    dispute = _opened(scene)
    dispute.ruled(Outcome.PARTIAL, 4000)
    dispute.send()
    _stands(scene, acquirer=40, loss=52, in_hand=25)


def test_won_then_lost_then_won_in_arbitration(scene: Scene) -> None:
    dispute = _opened(scene)
    dispute.ruled(Outcome.MERCHANT_WON)
    dispute.send()
    dispute.charged_again()
    dispute.send()
    _stands(scene, loss=92, in_hand=-15)
    dispute.ruled(Outcome.MERCHANT_WON)
    dispute.send()
    _stands(scene, acquirer=92, in_hand=77)


def test_lost_rebilled_then_won_late_and_given_back(scene: Scene) -> None:
    dispute = _rebilled(scene)
    _stands(scene, acquirer=92, loss=92, recovered=92, in_hand=77)
    dispute.ruled(Outcome.MERCHANT_WON)
    _stands(scene, acquirer=92, unmirrored=92, due=92, in_hand=77)
    dispute.send()
    _stands(scene, acquirer=184, due=92, in_hand=77)
    dispute.send()
    _stands(scene, acquirer=92, in_hand=77)


def test_a_rebill_that_settles_after_the_win_is_due_back_in_the_same_transaction(
    scene: Scene,
) -> None:
    dispute = _lost(scene)
    dispute.rebill(9200)
    plan = dispute.plan
    record = scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=record.attempts)
    dispute.ruled(Outcome.MERCHANT_WON)
    _stands(scene, unmirrored=92, in_hand=77)
    scene.book.settle(plan.key, OperationState.SETTLED, gateway_id=new_id(), at=dispute.now)
    _stands(scene, acquirer=92, unmirrored=92, due=92, in_hand=77)


def _partly_refunded(scene: Scene) -> Dispute:
    """20.00 refunded before the gateway itself booked a chargeback of all 92.00."""
    debit = entry(PaymentType.DB, 9200)
    chargeback = entry(PaymentType.CB, 9200, debit.gateway_id)
    refund = entry(PaymentType.RF, 2000, debit.gateway_id)
    return scene.dispute("D-1", [debit, refund, chargeback], 9200)


def test_refund_then_chargeback_of_all(scene: Scene) -> None:
    _partly_refunded(scene)
    _stands(scene, acquirer=-20, disputed=92, refunds=20, in_hand=-35)


def test_refund_then_chargeback_where_the_gateway_books_only_the_rest(scene: Scene) -> None:
    debit = entry(PaymentType.DB, 9200)
    refund = entry(PaymentType.RF, 2000, debit.gateway_id)
    dispute = scene.dispute("D-1", [debit, refund], 9200)
    assert dispute.plan.amount_minor == 7200
    dispute.send()
    _stands(scene, unmirrored=-20, disputed=92, refunds=20, in_hand=-35)


def test_refund_then_chargeback_with_the_refund_won_back_by_its_proof(scene: Scene) -> None:
    dispute = _partly_refunded(scene)
    dispute.ruled(Outcome.PARTIAL, 2000)
    dispute.send()
    _stands(scene, loss=72, refunds=20, in_hand=-15)


def test_refund_then_chargeback_lost(scene: Scene) -> None:
    dispute = _partly_refunded(scene)
    dispute.ruled(Outcome.CARDHOLDER_WON)
    _stands(scene, acquirer=-20, loss=92, refunds=20, in_hand=-35)


def test_refund_then_chargeback_won(scene: Scene) -> None:
    dispute = _partly_refunded(scene)
    dispute.ruled(Outcome.MERCHANT_WON)
    dispute.send()
    _stands(scene, acquirer=72, refunds=20, in_hand=57)


def test_chargeback_that_the_gateway_refuses_to_book(scene: Scene) -> None:
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    plan = dispute.plan
    record = scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=record.attempts)
    dispute.settle(plan, OperationState.REFUSED)
    _stands(scene, acquirer=92, unmirrored=-92, disputed=92, in_hand=-15)
    (line,) = scene.ledger.unmirrored()
    assert (line.dispute_id, line.payment_id, line.amount_minor) == (
        "D-1",
        dispute.payment_id,
        -9200,
    )
    status = scene.reads.status("D-1")
    assert status is not None
    assert "not_mirrored" in status.attention


def test_two_disputes_on_one_payment_of_which_the_gateway_books_one(scene: Scene) -> None:
    entries = [entry(PaymentType.DB, 9200)]
    first = scene.dispute("D-1", entries, 3000)
    first.send()
    second = scene.dispute("D-2", [*entries, *first.entries[1:]], 4000)
    refused = second.send()
    assert refused.state is OperationState.REFUSED
    assert refused.reason is not None
    assert refused.reason.startswith("one chargeback per entry")
    assert "second_dispute" in second.case.flags
    _stands(scene, acquirer=62, unmirrored=-40, disputed=70, in_hand=-8)
    assert [line.dispute_id for line in scene.ledger.unmirrored()] == ["D-2"]


def test_nothing_is_begun_on_a_payment_of_another_merchant(scene: Scene) -> None:
    """The bank's fact stands on the books; a person finds the reason with the operation."""
    debit = entry(PaymentType.DB, 9200)
    assert scene.book.adopt_own("M-1", debit.gateway_id, [debit], START).known
    dispute = Dispute(scene, "D-1", [debit])
    dispute.open(9200, merchant_id="M-2")
    booking = dispute.send()
    dispute.ruled(Outcome.CARDHOLDER_WON)
    dispute.rebill(9200)
    for refused, code in ((booking, "not_mirrored"), (dispute.send(), "rebill_refused")):
        assert refused.state is OperationState.REFUSED
        assert (refused.reason or "").startswith("the payment is another merchant's")
        status = scene.reads.status("D-1")
        assert status is not None
        assert code in status.attention
        assert refused.reason in [operation.reason for operation in status.operations]
    _stands(scene, acquirer=92, unmirrored=-92, loss=92, in_hand=-15)


def test_rebill_charged_back_too(scene: Scene) -> None:
    first = _rebilled(scene)
    second = scene.dispute("D-2", first.entries, 9200)
    assert second.payment_id != first.payment_id
    second.send()
    _stands(scene, disputed=92, loss=92, recovered=92, in_hand=-30)
    # All of it is one payment: its root is the first debit.
    assert {root for root, _ in scene.ledger.positions(Account.DISPUTED)} == {first.payment_id}
