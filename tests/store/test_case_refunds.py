"""The refund that settles an inquiry, on the books: once, and never beside a chargeback."""

import pytest

from disputes.chain import next_plan
from disputes.events import PaymentKnown
from disputes.terms import Capabilities
from disputes.vocabulary import (
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Purpose,
    Stage,
    Status,
)
from tests.store.payments import Payments
from tests.store.scene import Dispute, Scene, entry

ESCALATED = NetworkEventKind.ESCALATED


def _inquiry(scene: Scene, *, minor: int = 9200, dispute_id: str = "D-1") -> Dispute:
    dispute = Dispute(scene, dispute_id, [entry(PaymentType.DB, 9200)])
    dispute.open(minor, stage=Stage.INQUIRY)
    return dispute


def _asked(scene: Scene, minor: int = 9200) -> Dispute:
    dispute = _inquiry(scene)
    dispute.refund(minor)
    return dispute


def test_a_booked_refund_posts_once_and_settles_the_case(scene: Scene) -> None:
    dispute = _asked(scene)
    sent = dispute.send()
    assert (sent.key, sent.state) == ("dispute:D-1:refund:1", OperationState.SETTLED)
    shown = scene.reads.status("D-1")
    assert shown is not None
    assert shown.status == Status.DEFLECTED
    dispute.record(PaymentKnown(payment=dispute.ask()))
    assert scene.readings() == {"refunds": 92}
    assert (dispute.case.payment and dispute.case.payment.refunded_minor) == 9200
    assert scene.ledger.verify() == []


def test_a_chargeback_after_the_refund_is_not_booked_too(scene: Scene) -> None:
    """The bank took it all the same: the fact posts, and nothing is sent."""
    dispute = _asked(scene)
    dispute.send()
    dispute.reported(ESCALATED)
    dispute.record(PaymentKnown(payment=dispute.ask()))
    assert next_plan(dispute.case) is None
    assert scene.readings() == {
        "unmirrored": -92,
        "disputed": 92,
        "refunds": 92,
        "in_hand": -107,
    }
    assert scene.ledger.verify() == []


def test_a_refund_is_not_intended_once_the_chargeback_is_known(scene: Scene) -> None:
    """Neither anew nor where it was intended before; then the chargeback is booked alone."""
    dispute = _asked(scene)
    plan = dispute.plan
    assert scene.book.intend(plan, ()).operation.state is OperationState.INTENDED
    dispute.reported(ESCALATED)
    for _ in range(2):
        assert scene.book.intend(plan, ()).superseded
    assert scene.reads.operations(dispute_id="D-1") == ()
    assert dispute.send().purpose is Purpose.BOOK
    assert scene.readings() == {"disputed": 92, "in_hand": -15}
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("sent", [False, True])
def test_a_chargeback_that_the_gateway_shows_keeps_the_refund_back(
    scene: Scene, *, sent: bool
) -> None:
    """Whosever it is. Of 92.00 a part is disputed, so that money would be left for a refund."""
    dispute = _inquiry(scene, minor=3000)
    dispute.refund(3000)
    able = {"capabilities": Capabilities(refund_after_chargeback=True)}
    plan = dispute.plan.model_copy(update=able)
    attempts = scene.book.intend(plan, ()).attempts if sent else 0
    if sent:
        scene.book.mark_sent(plan.key, attempts=attempts)
    dispute.entries = [*dispute.entries, entry(PaymentType.CB, 3000, dispute.payment_id)]
    assert dispute.ask().booked == ()
    if sent:
        assert scene.book.note_absent(plan.key).superseded
    else:
        refused = scene.book.intend(plan, ()).operation
        assert refused.state is OperationState.REFUSED
        assert "the gateway has booked a chargeback" in (refused.reason or "")


def test_a_refund_that_was_sent_is_owed_no_more_when_the_chargeback_came(scene: Scene) -> None:
    dispute = _asked(scene)
    plan = dispute.plan
    sent = scene.book.mark_sent(plan.key, attempts=scene.book.intend(plan, ()).attempts)
    assert not scene.book.note_absent(plan.key).superseded
    dispute.reported(ESCALATED)
    denied = scene.book.note_absent(plan.key)
    assert (denied.superseded, denied.absent_count) == (True, 2)
    assert sent.plan.whole


def test_what_the_acquirer_lacks_ends_a_cases_refund_with_the_reason(scene: Scene) -> None:
    """A chargeback of another time is over; the case has no caller to refuse."""
    before = scene.dispute("D-0", [entry(PaymentType.DB, 9200)], 9200)
    before.send()
    before.ruled(Outcome.MERCHANT_WON)
    before.send()
    dispute = Dispute(scene, "D-1", before.entries)
    dispute.open(9200, stage=Stage.INQUIRY)
    dispute.refund(9200)
    refused = dispute.send()
    assert refused.state is OperationState.REFUSED
    assert "a refund after a chargeback is not supported" in (refused.reason or "")
    assert scene.ledger.verify() == []


@pytest.mark.parametrize("other", [Stage.INQUIRY, Stage.CHARGEBACK])
def test_a_refund_against_another_open_dispute_is_refused(scene: Scene, other: Stage) -> None:
    dispute = _asked(scene)
    second = Dispute(scene, "D-2", dispute.entries)
    second.open(3000, stage=other)
    refused = dispute.send()
    assert refused.state is OperationState.REFUSED
    assert "a dispute on this payment is open" in (refused.reason or "")


def test_no_more_is_refunded_than_the_payment_still_holds(scene: Scene) -> None:
    """Somebody refunded a part behind the case's back."""
    dispute = _asked(scene)
    by_hand = entry(PaymentType.RF, 2000, dispute.payment_id)
    dispute.entries = [*dispute.entries, by_hand]
    dispute.ask()
    refused = dispute.send()
    assert refused.state is OperationState.REFUSED
    assert "only 72.00 EUR is left" in (refused.reason or "")


def test_a_case_goes_on_with_its_own_refund_only(scene: Scene) -> None:
    """One that was asked for outside names the dispute, and is its own workflow's to end."""
    payments, dispute = Payments(scene), _inquiry(scene)
    other = payments.plan(Purpose.REFUND, 2000, dispute.payment_id, dispute_id="D-1")
    payments.sent(other)
    assert scene.register.load("D-1").unfinished == ()
    payments.scene.book.settle(other.key, OperationState.REFUSED, at=dispute.now)
    dispute.refund(9200)
    scene.book.intend(dispute.plan, ())
    assert [plan.key for plan in scene.register.load("D-1").unfinished] == ["dispute:D-1:refund:1"]
