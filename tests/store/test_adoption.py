"""What the gateway shows is taken over, every entry once."""

import pytest

from disputes.chain import next_plan
from disputes.events import PaymentKnown
from disputes.ledger import Account
from disputes.operations import GatewayEntry
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.records import by_gateway_id
from disputes.vocabulary import (
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Purpose,
    Stage,
)
from tests.store.payments import Payments
from tests.store.scene import START, Dispute, Scene, entry, new_id
from tests.support.plans import own_plan


def _with(dispute: Dispute, *more: GatewayEntry) -> Dispute:
    dispute.entries = [*dispute.entries, *more]
    return dispute


def _disputed(scene: Scene, *under: GatewayEntry) -> Dispute:
    debit = entry(PaymentType.DB, 9200)
    placed = [item.model_copy(update={"referenced_id": debit.gateway_id}) for item in under]
    return scene.dispute("D-1", [debit, *placed], 9200)


def test_a_payment_is_adopted_once_however_often_it_is_asked_for(scene: Scene) -> None:
    dispute = _disputed(scene, entry(PaymentType.RF, 2000))
    before = scene.readings()
    payment = dispute.ask()
    assert (payment.known, payment.entry_type) == (True, PaymentType.DB)
    assert (payment.amount_minor, payment.refunded_minor, payment.currency) == (9200, 2000, "EUR")
    assert scene.readings() == before
    assert scene.ledger.verify() == []


def test_refunds_made_since_are_seen_when_it_is_asked_for_again(scene: Scene) -> None:
    dispute = _disputed(scene)
    refund = entry(PaymentType.RF, 2000, dispute.payment_id)
    assert _with(dispute, refund).ask().refunded_minor == 2000
    assert scene.position(Account.ACQUIRER) == 7200


def test_an_unknown_payment_is_unknown_and_leaves_nothing(scene: Scene) -> None:
    dispute = _disputed(scene)
    for entries in ((), [entry(PaymentType.DB, 9200, gateway_id=new_id())]):
        payment = scene.book.adopt_payment("D-1", new_id(), entries, START)
        assert not payment.known
    assert scene.position(Account.ACQUIRER) == 9200
    assert dispute.ask().known


def test_what_failed_at_the_gateway_moves_nothing(scene: Scene) -> None:
    _disputed(scene, entry(PaymentType.RF, 2000, succeeded=False))
    assert scene.position(Account.ACQUIRER) == 9200


def test_the_gateways_own_chain_is_the_disputes(scene: Scene) -> None:
    """CB, its reversal, and the reversal's representment, told apart by their depth."""
    dispute = _disputed(scene, entry(PaymentType.CB, 9200))
    chargeback = dispute.entries[-1]
    reversal = entry(PaymentType.CR, 9200, chargeback.gateway_id)
    undone = entry(PaymentType.CR, 9200, reversal.gateway_id)
    payment = _with(dispute, undone, reversal).ask()
    assert [(op.purpose, op.gateway_id) for op in payment.booked] == [
        (Purpose.BOOK, chargeback.gateway_id),
        (Purpose.REINSTATE, reversal.gateway_id),
        (Purpose.UNDO, undone.gateway_id),
    ]
    assert scene.position(Account.ACQUIRER) == 0
    assert scene.ledger.verify() == []


def test_a_chargeback_of_another_amount_is_the_disputes_only_when_its_notice_names_it(
    scene: Scene,
) -> None:
    debit = entry(PaymentType.DB, 9200)
    chargeback = entry(PaymentType.CB, 9000, debit.gateway_id)
    nameless = scene.dispute("D-1", [debit, chargeback], 9200)
    assert nameless.ask().booked == ()
    assert scene.position(Account.ACQUIRER) == 200
    named = Dispute(scene, "D-2", [debit, chargeback])
    named.open(9200, gateway_reference=chargeback.gateway_id)
    (booked,) = named.ask().booked
    assert (booked.gateway_id, booked.amount_minor) == (chargeback.gateway_id, 9000)
    assert scene.position(Account.ACQUIRER) == 200
    assert {line.dispute_id: line.amount_minor for line in scene.ledger.unmirrored()} == {
        "D-1": -9200,
        "D-2": -200,
    }
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("past_first", [True, False])
def test_a_chargeback_that_was_undone_is_not_taken_for_the_one_that_stands(
    scene: Scene, *, past_first: bool
) -> None:
    """Whichever of them the gateway's ids put first."""
    debit, ids = entry(PaymentType.DB, 9200), sorted([new_id(), new_id()])
    past_id, live_id = ids if past_first else reversed(ids)
    past = entry(PaymentType.CB, 9200, debit.gateway_id, gateway_id=past_id)
    back = entry(PaymentType.CR, 9200, past.gateway_id)
    live = entry(PaymentType.CB, 9200, debit.gateway_id, gateway_id=live_id)
    dispute = scene.dispute("D-1", [debit, past, back, live], 9200)
    assert [op.gateway_id for op in dispute.case.operations] == [live.gateway_id]
    dispute.ruled(Outcome.MERCHANT_WON)
    assert dispute.plan.referenced_id == live.gateway_id
    alone = scene.dispute("D-2", [debit, past, back], 9200)
    assert [op.gateway_id for op in alone.case.operations] == [past.gateway_id, back.gateway_id]
    assert scene.ledger.verify() == []


def test_a_notice_that_names_a_chargeback_takes_no_other_of_its_amount(scene: Scene) -> None:
    """Also while the gateway does not show yet what it names."""
    debit = entry(PaymentType.DB, 9200)
    other, named = (entry(PaymentType.CB, 9200, debit.gateway_id) for _ in range(2))
    dispute = Dispute(scene, "D-1", [debit, other])
    dispute.open(9200, gateway_reference=named.gateway_id)
    assert dispute.case.operations == ()
    _with(dispute, named)
    (booked,) = dispute.ask().booked
    assert booked.gateway_id == named.gateway_id


@pytest.mark.parametrize("length", [1, 2])
def test_reversals_in_a_circle_do_not_hold_up_their_payment(scene: Scene, length: int) -> None:
    """No gateway should answer so; a transaction that never ends would hold up every other."""
    debit, ids = entry(PaymentType.DB, 9200), [new_id() for _ in range(length)]
    circle = [
        entry(PaymentType.CR, 9200, ids[place - 1], gateway_id=gateway_id)
        for place, gateway_id in enumerate(ids)
    ]
    dispute = scene.dispute("D-1", [debit, *circle], 9200)
    assert dispute.case.operations == ()
    assert dispute.plan.purpose is Purpose.BOOK


def test_another_open_dispute_on_the_payment_is_told(scene: Scene) -> None:
    first = _disputed(scene)
    second = scene.dispute("D-2", first.entries, 4000)
    assert first.ask().other_disputes == ("D-2",)
    assert second.ask().other_disputes == ("D-1",)


def _sent(dispute: Dispute) -> str:
    record = dispute.scene.book.intend(dispute.plan, ())
    dispute.scene.book.mark_sent(record.plan.key, attempts=0)
    return record.plan.key


def test_our_own_operation_in_flight_is_left_to_its_owner(scene: Scene) -> None:
    dispute = _disputed(scene)
    plan, key = dispute.plan, _sent(dispute)
    shown = entry(PaymentType.CB, 9200, dispute.payment_id, mtid=plan.merchant_transaction_id)
    assert _with(dispute, shown).ask().booked == ()
    assert scene.book.adopt_entry("D-1", shown, START) is None
    assert scene.position(Account.ACQUIRER) == 9200
    scene.book.settle(key, OperationState.SETTLED, gateway_id=shown.gateway_id, at=START)
    assert scene.position(Account.ACQUIRER) == 0
    assert scene.ledger.verify() == []


def test_an_entry_that_the_gateway_shows_settles_what_was_in_doubt(scene: Scene) -> None:
    """And what hangs under it is the dispute's at once."""
    dispute = _disputed(scene)
    plan = dispute.plan
    record = scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=record.attempts)
    dispute.settle(plan, OperationState.IN_DOUBT)
    chargeback = entry(PaymentType.CB, 9200, dispute.payment_id, mtid=plan.merchant_transaction_id)
    reversal = entry(PaymentType.CR, 9200, chargeback.gateway_id)
    told = scene.book.adopt_entry("D-1", chargeback, START)
    assert told is not None
    assert (told.key, told.state) == (plan.key, OperationState.SETTLED)
    assert scene.position(Account.ACQUIRER) == 0
    reversed_ = scene.book.adopt_entry("D-1", reversal, START)
    assert reversed_ is not None
    assert reversed_.purpose is Purpose.REINSTATE
    assert scene.position(Account.ACQUIRER) == 9200
    assert scene.ledger.verify() == []


def test_a_case_is_told_of_a_doubt_that_ended_while_its_payment_was_read(scene: Scene) -> None:
    """Else it would hold every later call for an operation that the books have settled."""
    dispute = _disputed(scene)
    plan = dispute.plan
    scene.book.mark_sent(plan.key, attempts=scene.book.intend(plan, ()).attempts)
    dispute.settle(plan, OperationState.IN_DOUBT)
    mtid = plan.merchant_transaction_id
    _with(dispute, entry(PaymentType.CB, 9200, dispute.payment_id, mtid=mtid))
    dispute.record(PaymentKnown(payment=dispute.ask()))
    assert dispute.case.doubtful == ()
    dispute.ruled(Outcome.MERCHANT_WON)
    assert dispute.plan.purpose is Purpose.REINSTATE


def test_an_entry_told_of_without_our_reference_settles_what_was_in_doubt(scene: Scene) -> None:
    """Taken for the gateway's own, the operation would be sent again or told to have happened."""
    dispute = _disputed(scene)
    plan, key = dispute.plan, _sent(dispute)
    dispute.settle(plan, OperationState.IN_DOUBT)
    shown = entry(PaymentType.CB, 9200, dispute.payment_id)
    told = scene.book.adopt_entry("D-1", shown, START)
    assert told is not None
    assert (told.key, told.state, told.gateway_id) == (
        key,
        OperationState.SETTLED,
        shown.gateway_id,
    )
    assert scene.book.adopt_entry("D-1", shown, START) == told
    assert scene.readings() == {"disputed": 92, "in_hand": -15}
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("named", [False, True])
def test_what_a_person_settled_gets_its_entry_once(scene: Scene, *, named: bool) -> None:
    """Whether the entry shows our reference or not; a second entry is one of its own."""
    dispute = _disputed(scene)
    plan, key = dispute.plan, _sent(dispute)
    dispute.settle(plan, OperationState.IN_DOUBT)
    scene.book.resolve(key, happened=True, reason="seen in the portal", at=START)
    before = scene.readings()
    mtid = plan.merchant_transaction_id if named else None
    first, second = (entry(PaymentType.CB, 9200, dispute.payment_id, mtid=mtid) for _ in range(2))
    for _ in range(2):
        _with(dispute, first).ask()
    (operation,) = scene.reads.operations(dispute_id="D-1")
    assert (operation.key, operation.gateway_id) == (key, first.gateway_id)
    assert scene.readings() == before
    _with(dispute, second).ask()
    assert scene.position(Account.ACQUIRER) == -9200
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("doubted", [False, True])
def test_an_entry_that_was_adopted_before_it_was_known_as_ours_posts_once(
    scene: Scene, *, doubted: bool
) -> None:
    """The webhook comes without our merchantTransactionId, the answer to our query after it."""
    dispute = _disputed(scene)
    key = _sent(dispute)
    if doubted:
        dispute.settle(dispute.plan, OperationState.IN_DOUBT)
    shown = entry(PaymentType.CB, 9200, dispute.payment_id)
    adopted = scene.book.adopt_entry("D-1", shown, START)
    assert adopted is not None
    assert scene.position(Account.ACQUIRER) == 0
    settled = scene.book.settle(key, OperationState.SETTLED, gateway_id=shown.gateway_id, at=START)
    assert (settled.key, settled.gateway_id) == (key, shown.gateway_id)
    assert [row.key for row in scene.reads.operations(dispute_id="D-1")] == [key]
    assert scene.readings() == {"disputed": 92, "in_hand": -15}
    assert scene.ledger.verify() == []
    status = scene.reads.status("D-1")
    assert status is not None
    assert (status.booked_out, status.attention) == ("92.00", ())


def test_an_entry_that_another_dispute_took_over_is_not_ours_too(scene: Scene) -> None:
    """Two disputes of one amount, and a booking that names neither our id nor the dispute's."""
    first = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 3000)
    key = _sent(first)
    shown = entry(PaymentType.CB, 3000, first.payment_id)
    second = scene.dispute("D-2", [*first.entries, shown], 3000)
    assert len(second.ask().booked) == 1
    settled = OperationState.SETTLED
    refused = scene.book.settle(key, settled, gateway_id=shown.gateway_id, at=START)
    assert (refused.state, refused.gateway_id) == (OperationState.REFUSED, None)
    assert scene.position(Account.ACQUIRER) == 6200
    assert [line.dispute_id for line in scene.ledger.unmirrored()] == ["D-1"]
    assert scene.ledger.verify() == []


def test_a_give_back_that_was_adopted_as_a_plain_refund_is_corrected(scene: Scene) -> None:
    """The refund of a rebill lowers what was recovered, a give-back what is owed for it."""
    dispute = _disputed(scene)
    dispute.send()
    dispute.ruled(Outcome.CARDHOLDER_WON)
    dispute.rebill(9200)
    rebill = dispute.send()
    dispute.ruled(Outcome.MERCHANT_WON)
    dispute.send()
    key = _sent(dispute)
    shown = entry(PaymentType.RF, 9200, rebill.gateway_id)
    _with(dispute, shown).ask()
    scene.book.settle(key, OperationState.SETTLED, gateway_id=shown.gateway_id, at=START)
    assert scene.readings() == {"acquirer": 92, "in_hand": 77}
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("named", [True, False])
def test_what_was_taken_for_refused_claims_only_what_names_it(scene: Scene, *, named: bool) -> None:
    """An entry without our reference may be anybody's."""
    debit = entry(PaymentType.DB, 9200)
    payments = Payments(scene)
    payments.shown(debit)
    plan = payments.plan(Purpose.REFUND, 2000, debit.gateway_id)
    payments.sent(plan)
    scene.book.settle(plan.key, OperationState.IN_DOUBT, at=START)
    scene.book.resolve(plan.key, happened=False, reason="not on the list", at=START)
    mtid = plan.merchant_transaction_id if named else None
    payments.shown(debit, entry(PaymentType.RF, 2000, debit.gateway_id, mtid=mtid))
    known = scene.book.intend(plan, ()).operation
    state = OperationState.SETTLED if named else OperationState.REFUSED
    assert (known.state, known.reason is None) == (state, named)
    assert scene.position(Account.ACQUIRER) == 7200
    assert scene.ledger.verify() == []


def test_a_second_entry_under_one_key_shows_on_the_books(scene: Scene) -> None:
    dispute = _disputed(scene)
    mtid = dispute.plan.merchant_transaction_id
    settled = dispute.send()
    twin = entry(PaymentType.CB, 9200, dispute.payment_id, mtid=mtid)
    _with(dispute, twin).ask()
    assert scene.position(Account.ACQUIRER) == -9200
    assert settled.gateway_id != twin.gateway_id
    assert scene.ledger.verify() == []


def test_a_reported_entry_of_another_payment_is_not_the_cases(scene: Scene) -> None:
    _disputed(scene)
    assert scene.book.adopt_entry("D-1", entry(PaymentType.CB, 9200, new_id()), START) is None
    assert scene.position(Account.ACQUIRER) == 9200


def test_a_reversal_that_the_gateway_books_by_itself_is_adopted_once(scene: Scene) -> None:
    dispute = _disputed(scene)
    chargeback = dispute.send()
    reversal = entry(PaymentType.CR, 9200, chargeback.gateway_id)
    first = scene.book.adopt_entry("D-1", reversal, START)
    assert first is not None
    assert first.purpose is Purpose.REINSTATE
    assert scene.book.adopt_entry("D-1", reversal, START) == first
    assert scene.position(Account.ACQUIRER) == 9200


def test_a_reversed_authorization_is_open_no_more(scene: Scene) -> None:
    authorized = entry(PaymentType.PA, 10000)
    captured = entry(PaymentType.CP, 9200, authorized.gateway_id)
    reversed_ = entry(PaymentType.RV, None, authorized.gateway_id)
    scene.dispute("D-1", [authorized, reversed_, captured], 9200)
    assert scene.position(Account.MEMO_AUTH) == 0
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.parametrize(
    ("purpose", "payment_type"),
    [(Purpose.AUTHORIZE, PaymentType.PA), (Purpose.GOODWILL, PaymentType.CD)],
)
def test_a_strangers_entry_of_the_same_amount_is_never_ours(
    scene: Scene, purpose: Purpose, payment_type: PaymentType, *, happened: bool
) -> None:
    """What hangs under nothing and names no key may be anybody's: another merchant's, too."""
    payments = Payments(scene)
    plan = own_plan("payout", "P-1", purpose, 9200)
    payments.sent(plan)
    scene.book.settle(plan.key, OperationState.IN_DOUBT, at=START)
    stranger = entry(payment_type, 9200)
    scene.book.adopt_own("M-2", stranger.gateway_id, [stranger], START)
    doubted = SqlPaymentRegister(scene.store).operation(plan.key)
    assert doubted is not None
    assert (doubted.state, doubted.gateway_id) == (OperationState.IN_DOUBT, None)
    told = scene.book.resolve(plan.key, happened=happened, reason="seen in the portal", at=START)
    state = OperationState.SETTLED if happened else OperationState.REFUSED
    assert (told.state, told.gateway_id) == (state, None)
    with scene.store.read() as session:
        row = by_gateway_id(session, stranger.gateway_id)
    assert row is not None
    assert (row.merchant_id, row.owner) == ("M-2", None)
    assert scene.ledger.verify() == []


def test_a_chargeback_of_an_inquiry_is_its_own_only_once_it_escalates(scene: Scene) -> None:
    """And then in the amount that the bank took, which need not be the inquiry's."""
    inquiry = Dispute(scene, "D-1", [entry(PaymentType.DB, 9200)])
    inquiry.open(9200, stage=Stage.INQUIRY)
    chargeback = entry(PaymentType.CB, 9000, inquiry.payment_id)
    assert scene.book.adopt_entry("D-1", chargeback, START) is None
    assert _with(inquiry, chargeback).ask().booked == ()
    inquiry.reported(NetworkEventKind.ESCALATED, 9000)
    (booked,) = inquiry.ask().booked
    assert (booked.purpose, booked.gateway_id) == (Purpose.BOOK, chargeback.gateway_id)
    inquiry.record(PaymentKnown(payment=inquiry.ask()))
    assert next_plan(inquiry.case) is None
    assert scene.readings() == {"acquirer": 2, "disputed": 90, "in_hand": -13}
    assert scene.ledger.verify() == []
