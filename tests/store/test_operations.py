"""The table of gateway operations: what is sent once, held, refused, superseded or in doubt."""

from datetime import timedelta

import pytest
from sqlmodel import select

from disputes.errors import Conflict, MoneyHeld, NotFound
from disputes.events import NoteAdded
from disputes.ledger import Account
from disputes.messages import AddNote
from disputes.operations import OperationRecord, Plan
from disputes.store.guards import LEASE
from disputes.store.tables import OperationRow
from disputes.vocabulary import OperationState, Outcome, PaymentType
from tests.store.scene import START, Dispute, Scene, entry, new_id


def _disputed(scene: Scene, dispute_id: str = "D-1", minor: int = 9200) -> Dispute:
    return scene.dispute(dispute_id, [entry(PaymentType.DB, 9200)], minor)


def _sent(scene: Scene, plan: Plan) -> OperationRecord:
    record = scene.book.intend(plan, ())
    return scene.book.mark_sent(plan.key, attempts=record.attempts)


def _grow_older(scene: Scene, key: str) -> None:
    """The lease of an intention runs out."""
    with scene.store.write() as session:
        row = session.get_one(OperationRow, key)
        row.intended_at -= LEASE + timedelta(seconds=1)
        session.add(row)


def test_an_operation_goes_through_its_states_and_ends_once(scene: Scene) -> None:
    dispute = _disputed(scene)
    plan, gateway_id = dispute.plan, new_id()
    intended = scene.book.intend(plan, ())
    assert (intended.operation.state, intended.sent_at) == (OperationState.INTENDED, None)
    sent = scene.book.mark_sent(plan.key, attempts=0)
    assert (sent.operation.state, sent.attempts, sent.plan) == (OperationState.SENT, 1, plan)
    assert sent.sent_at == sent.wire_now
    first = scene.book.settle(
        plan.key, OperationState.SETTLED, gateway_id=gateway_id, result_code="000.000.000", at=START
    )
    again = scene.book.settle(plan.key, OperationState.SETTLED, gateway_id=gateway_id, at=START)
    assert (first.state, first.gateway_id) == (OperationState.SETTLED, gateway_id)
    assert again == first
    assert scene.position(Account.ACQUIRER) == 0
    assert scene.book.intend(plan, ()).operation == first


def test_what_is_settled_is_never_refused_or_doubted_later(scene: Scene) -> None:
    dispute = _disputed(scene)
    settled = dispute.send()
    for state in (OperationState.REFUSED, OperationState.IN_DOUBT):
        assert scene.book.settle(settled.key, state, at=START) == settled
    assert scene.ledger.verify() == []


def test_what_was_refused_yields_to_the_gateways_entry(scene: Scene) -> None:
    """A person's "did not happen" may be wrong: the gateway's book decides."""
    dispute = _disputed(scene)
    plan = dispute.plan
    _sent(scene, plan)
    scene.book.settle(plan.key, OperationState.IN_DOUBT, at=START)
    refused = scene.book.resolve(plan.key, happened=False, reason="not in the portal", at=START)
    assert refused.state is OperationState.REFUSED
    assert scene.position(Account.ACQUIRER) == 9200
    scene.book.settle(plan.key, OperationState.SETTLED, gateway_id=new_id(), at=START)
    assert scene.position(Account.ACQUIRER) == 0
    assert scene.ledger.verify() == []


def test_a_proof_with_a_nul_in_it_settles_the_doubt(scene: Scene) -> None:
    """PostgreSQL keeps no NUL: the word would fail for ever, and hold up the case's money."""
    dispute = _disputed(scene)
    plan = dispute.plan
    _sent(scene, plan)
    dispute.settle(plan, OperationState.IN_DOUBT)
    told = scene.book.resolve(plan.key, happened=True, reason="seen\n\0in the portal", at=START)
    assert (told.state, told.reason) == (OperationState.SETTLED, "seen\nin the portal")
    assert scene.reads.operations(dispute_id="D-1")[0].reason == "seen\nin the portal"


def test_an_operation_that_a_person_says_has_happened_learns_its_entry_later(scene: Scene) -> None:
    dispute = _disputed(scene)
    plan = dispute.plan
    _sent(scene, plan)
    scene.book.settle(plan.key, OperationState.IN_DOUBT, at=START)
    scene.book.resolve(plan.key, happened=True, reason="seen in the portal", at=START)
    shown = entry(PaymentType.CB, 9200, plan.referenced_id, mtid=plan.merchant_transaction_id)
    dispute.entries = [*dispute.entries, shown]
    dispute.ask()
    (operation,) = scene.reads.operations(dispute_id="D-1")
    assert (operation.key, operation.gateway_id) == (plan.key, shown.gateway_id)
    assert scene.position(Account.ACQUIRER) == 0
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("first", ["the person", "the notification"])
def test_an_entry_told_of_without_its_key_is_the_one_that_a_person_means(
    scene: Scene, first: str
) -> None:
    """A notification names no operation of ours, and must not post what it did a second time."""
    dispute = _disputed(scene)
    plan = dispute.plan
    _sent(scene, plan)
    dispute.settle(plan, OperationState.IN_DOUBT)
    booked = entry(PaymentType.CB, 9200, dispute.payment_id)

    def resolve() -> None:
        scene.book.resolve(plan.key, happened=True, reason="seen in the portal", at=dispute.now)

    def notify() -> None:
        scene.book.adopt_entry(dispute.case_id, booked, dispute.now)

    for happens in (resolve, notify) if first == "the person" else (notify, resolve):
        happens()
    assert scene.position(Account.ACQUIRER) == 0
    (operation,) = scene.reads.operations(dispute_id=dispute.case_id)
    assert (operation.key, operation.gateway_id) == (plan.key, booked.gateway_id)
    assert scene.ledger.verify() == []


def test_what_a_person_means_is_not_posted_again_for_another_dispute(scene: Scene) -> None:
    """Two disputes of one amount: the notification went to the one that did not send."""
    debit = entry(PaymentType.DB, 9200)
    other = scene.dispute("D-1", [debit], 4000)
    dispute = scene.dispute("D-2", [debit], 4000)
    plan = dispute.plan
    _sent(scene, plan)
    dispute.settle(plan, OperationState.IN_DOUBT)
    scene.book.adopt_entry("D-1", entry(PaymentType.CB, 4000, other.payment_id), START)
    scene.book.resolve(plan.key, happened=True, reason="seen in the portal", at=START)
    assert scene.position(Account.ACQUIRER) == 5200
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("state", [OperationState.SENT, OperationState.IN_DOUBT])
def test_an_operation_without_an_answer_holds_the_payment_but_never_the_facts(
    scene: Scene, state: OperationState
) -> None:
    first = _disputed(scene, "D-1", 3000)
    second = scene.dispute("D-2", first.entries, 4000)
    _sent(scene, first.plan)
    if state is OperationState.IN_DOUBT:
        scene.book.settle(first.plan.key, state, at=START)
    plan = second.plan
    note = second.happen(NoteAdded(note=AddNote(author="ann", text="waits")))
    with pytest.raises(MoneyHeld) as held:
        scene.book.intend(plan, [note])
    assert held.value.details == {"operation_key": first.plan.key}
    assert scene.reads.events("D-2")[-1] == note


def test_an_intention_holds_the_payment_only_for_its_lease(scene: Scene) -> None:
    first = _disputed(scene, "D-1", 3000)
    second = scene.dispute("D-2", first.entries, 4000)
    scene.book.intend(first.plan, ())
    with pytest.raises(MoneyHeld):
        scene.book.intend(second.plan, ())
    _grow_older(scene, first.plan.key)
    assert scene.book.intend(second.plan, ()).operation.state is OperationState.INTENDED
    with pytest.raises(MoneyHeld):  # its owner comes back, too late
        scene.book.mark_sent(first.plan.key, attempts=0)


def test_of_two_processes_with_one_decision_only_one_sends(scene: Scene) -> None:
    plan = _disputed(scene).plan
    one = scene.book.intend(plan, ())
    other = scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=one.attempts)
    with pytest.raises(MoneyHeld):
        scene.book.mark_sent(plan.key, attempts=other.attempts)


def test_a_denied_operation_may_be_sent_again_and_is_counted_afresh(scene: Scene) -> None:
    plan = _disputed(scene).plan
    _sent(scene, plan)
    scene.book.note_absent(plan.key)
    denied = scene.book.note_absent(plan.key)
    assert (denied.absent_count, denied.absent_at) == (2, denied.wire_now)
    again = scene.book.mark_sent(plan.key, attempts=denied.attempts)
    assert (again.attempts, again.absent_count, again.absent_at) == (2, 0, None)


def test_an_attempt_that_left_no_trace_is_an_intention_again(scene: Scene) -> None:
    plan = _disputed(scene).plan
    sent = _sent(scene, plan)
    scene.book.mark_unsent(plan.key, attempts=0)  # another process's attempt
    assert scene.reads.operations()[-1].state is OperationState.SENT
    scene.book.mark_unsent(plan.key, attempts=sent.attempts)
    assert scene.book.intend(plan, ()).operation.state is OperationState.INTENDED


def test_a_plan_that_facts_overtook_is_not_inserted(scene: Scene) -> None:
    """The gateway booked the chargeback itself between the plan and the intention."""
    dispute = _disputed(scene)
    plan = dispute.plan
    booked = entry(PaymentType.CB, 9200, plan.referenced_id)
    dispute.entries = [*dispute.entries, booked]
    dispute.ask()
    record = scene.book.intend(plan, ())
    assert [operation.gateway_id for operation in record.superseded_by] == [booked.gateway_id]
    assert [row.key for row in scene.reads.operations(dispute_id="D-1")] == [
        f"gateway:{booked.gateway_id}"
    ]


def test_an_intention_whose_facts_changed_is_checked_again(scene: Scene) -> None:
    dispute = _disputed(scene)
    plan = dispute.plan
    scene.book.intend(plan, ())
    dispute.ruled(Outcome.MERCHANT_WON)
    record = scene.book.intend(plan, ())
    assert (record.superseded, record.superseded_by) == (True, ())
    assert scene.reads.operations(dispute_id="D-1") == ()


def _lost(scene: Scene, *entries: PaymentType) -> Dispute:
    dispute = scene.dispute("D-1", [entry(kind, 9200) for kind in entries], 9200)
    dispute.send()
    dispute.ruled(Outcome.CARDHOLDER_WON)
    dispute.rebill(9200)
    return dispute


def test_a_rebill_of_more_than_is_out_is_refused(scene: Scene) -> None:
    dispute = _lost(scene, PaymentType.DB)
    plan = dispute.plan
    dispute.ruled(Outcome.MERCHANT_WON)
    refused = scene.book.intend(plan, ()).operation
    assert refused.state is OperationState.REFUSED
    assert refused.reason is not None
    assert refused.reason.startswith("more than is out")


def test_a_rebill_on_a_capture_is_refused_with_what_to_do_instead(scene: Scene) -> None:
    refused = _lost(scene, PaymentType.CP).send()
    assert refused.state is OperationState.REFUSED
    assert refused.reason is not None
    assert "new DB by registration" in refused.reason


def test_a_rebill_is_refused_until_the_payments_history_is_known(scene: Scene) -> None:
    dispute = _lost(scene, PaymentType.DB)
    elsewhere = dispute.plan.model_copy(update={"payment_id": new_id()})
    refused = scene.book.intend(elsewhere, ()).operation
    assert refused.reason is not None
    assert refused.reason.startswith("payment_history_unknown")


def test_no_more_is_given_back_than_is_left_of_the_rebill(scene: Scene) -> None:
    dispute = _lost(scene, PaymentType.DB)
    rebill = dispute.send()
    dispute.ruled(Outcome.MERCHANT_WON)
    dispute.send()
    plan = dispute.plan
    by_hand = entry(PaymentType.RF, 5000, rebill.gateway_id)
    dispute.entries = [*dispute.entries, by_hand]
    dispute.ask()
    refused = scene.book.intend(plan, ()).operation
    assert (refused.state, refused.amount_minor) == (OperationState.REFUSED, 9200)
    assert scene.ledger.verify() == []


def test_an_unknown_key_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound):
        scene.book.settle("dispute:D-9:book:1", OperationState.SETTLED, at=START)


def test_one_entry_cannot_be_two_operations(scene: Scene) -> None:
    dispute = _disputed(scene)
    booked = dispute.send()
    dispute.ruled(Outcome.MERCHANT_WON)
    plan = dispute.plan
    _sent(scene, plan)
    with pytest.raises(Conflict) as conflict:
        scene.book.settle(plan.key, OperationState.SETTLED, gateway_id=booked.gateway_id, at=START)
    assert conflict.value.details == {"fields": ["gateway_id"]}
    with scene.store.read() as session:
        row = session.exec(select(OperationRow).where(OperationRow.key == plan.key)).one()
    assert row.state == OperationState.SENT


def test_a_crash_between_sending_and_settling_leaves_the_plan_to_find(scene: Scene) -> None:
    plan = _disputed(scene).plan
    _sent(scene, plan)
    assert scene.register.load("D-1").unfinished == (plan,)
    again = scene.book.intend(plan, ())
    assert (again.operation.state, again.attempts) == (OperationState.SENT, 1)
    assert scene.ledger.verify() == []


def test_the_amount_that_the_gateway_booked_is_what_posts(scene: Scene) -> None:
    plan = _disputed(scene).plan
    _sent(scene, plan)
    scene.book.settle(
        plan.key, OperationState.SETTLED, gateway_id=new_id(), amount_minor=9100, at=START
    )
    assert scene.position(Account.ACQUIRER) == 100
    assert scene.ledger.verify() == []
