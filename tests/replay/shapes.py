"""The shapes of closed cases that are recorded: each lives to its end without a moved clock."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from disputes.store.reads import Reads
from tests.support.engine import Engine
from tests.support.waiting import until
from tests.workflows.hands import Dispute

Shape = Callable[[Engine, str], Awaitable[Dispute]]

#: Days for which a Visa win may turn (the rulebook's tails): what is left of them is waited for.
_TAIL = timedelta(days=30)
_LAST_CALL = timedelta(hours=12)
_SOON = timedelta(seconds=4)


def _in(duration: timedelta) -> str:
    return (datetime.now(UTC) + duration).isoformat()


async def _won(dispute: Dispute) -> Dispute:
    """Won for good, its money back."""
    await dispute.rule("merchant_won", final=True)
    return dispute


async def won_and_final(engine: Engine, dispute_id: str) -> Dispute:
    """Evidence, representment, and a ruling that nothing can follow."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id)
    await dispute.represent()
    return await _won(dispute)


async def won_to_end_of_tail(engine: Engine, dispute_id: str) -> Dispute:
    """A win that was decided a tail ago, less a few seconds: its timer really fires."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id)
    await dispute.represent()
    await dispute.rule("merchant_won", decided_at=_in(_SOON - _TAIL))
    return dispute


async def won_lost_won(engine: Engine, dispute_id: str) -> Dispute:
    """Won, taken again, and returned by arbitration."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id)
    await dispute.represent()
    await dispute.rule("merchant_won")
    await engine.settled(dispute.case, 2)
    await dispute.rule("cardholder_won")
    await engine.settled(dispute.case, 3)
    await dispute.rule("merchant_won", stage="arbitration")
    return dispute


async def partially_won(engine: Engine, dispute_id: str) -> Dispute:
    """The bank shares the amount."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id)
    await dispute.represent()
    share = {"amount": "40.00", "currency": "EUR"}
    await dispute.rule("partial", merchant_amount=share, final=True)
    return dispute


async def deadline_missed(engine: Engine, dispute_id: str) -> Dispute:
    """Nobody answers; the bank confirms."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id, respond_by=_in(_SOON))
    await dispute.until(status="expired")
    await dispute.rule("cardholder_won", final=True)
    return dispute


async def met_by_last_call(engine: Engine, dispute_id: str) -> Dispute:
    """The policy submits what is complete when the last call comes."""
    dispute = await Dispute.booked(
        engine, dispute_id=dispute_id, respond_by=_in(_LAST_CALL + _SOON)
    )
    await dispute.add_evidence()
    await dispute.until(status="under_review")
    return await _won(dispute)


async def accepted_by_two(engine: Engine, dispute_id: str) -> Dispute:
    """Above the limit an acceptance waits for a second person."""
    amount = {"amount": "250.00", "currency": "EUR"}
    dispute = await Dispute.booked(engine, dispute_id=dispute_id, amount=amount)
    asked = await dispute.update("accept_liability", {"accepted_by": "ana"})
    approval = {"request_id": asked["request_id"], "decided_by": "ben"}
    await dispute.update("approve", approval)
    await dispute.until(status="accepted")
    await dispute.rule("cardholder_won", final=True)
    return dispute


async def rebilled_then_late_win(engine: Engine, dispute_id: str) -> Dispute:
    """Lost, charged again, won after all: what was charged again goes back."""
    dispute = await Dispute.lost(engine, dispute_id=dispute_id)
    await dispute.request_rebill()
    await dispute.until(recovered="92.00")
    return await _won(dispute)


async def arbitration_after_decline(engine: Engine, dispute_id: str) -> Dispute:
    """Allocation: the issuer declines our attempt, we file, arbitration rules."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id, reason_code="10.4")
    await dispute.add_evidence()
    submission = {"submitted_by": "ana", "allow_incomplete": True}
    await dispute.update("submit_representment", submission)
    await dispute.event("pre_arbitration_declined")
    await dispute.until(status="collecting")
    await dispute.update("file_arbitration", {"filed_by": "ana"})
    await dispute.rule("merchant_won", stage="arbitration")
    return dispute


async def inquiry_refunded(engine: Engine, dispute_id: str) -> Dispute:
    """Settled by a refund that two people wanted, and closed by the bank."""
    amount = {"amount": "250.00", "currency": "EUR"}
    dispute = await Dispute.opened(engine, dispute_id=dispute_id, amount=amount, stage="inquiry")
    register = Reads(engine.store)
    await until(lambda: any(it.body.kind == "payment_known" for it in register.events(dispute_id)))
    asked = await dispute.update("resolve_by_refund", {"requested_by": "ana"})
    approval = {"request_id": asked["request_id"], "decided_by": "ben"}
    await dispute.update("approve", approval)
    await dispute.until(status="deflected")
    return await _won(dispute)


async def malformed_signals(engine: Engine, dispute_id: str) -> Dispute:
    """Signals of every wrong form change nothing and stop nothing."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id)
    ruling = {"ruling_id": "R-malformed", "outcome": "merchant_won"}
    await dispute.tell("bank_ruling")
    await dispute.tell("bank_ruling", ruling, ruling)
    await dispute.tell("bank_ruling", ruling)
    await dispute.tell("bank_ruling", b"\x00\xff")
    await dispute.tell("network_event", ["not", "an", "object"])
    await dispute.tell("evidence_submitted", None)
    await dispute.tell("no_such_signal", {"outcome": "merchant_won"})
    await dispute.until(lambda status: "message_not_taken" in status.attention)
    return await _won(dispute)


async def fact_before_notice(engine: Engine, dispute_id: str) -> Dispute:
    """A ruling starts the case without input and waits in it for the notice."""
    dispute = Dispute(engine, await engine.notice(dispute_id=dispute_id))
    await dispute.rule("merchant_won", final=True)
    await dispute.until(status="awaiting_notice")
    await dispute.tell("dispute_opened", dispute.notice)
    return dispute


async def reopened_by_late_win(engine: Engine, dispute_id: str) -> Dispute:
    """A closed case goes on from its register; its newest run is the one recorded."""
    dispute = await Dispute.booked(engine, dispute_id=dispute_id)
    await dispute.rule("cardholder_won", final=True)
    await dispute.result()
    return await _won(dispute)


SHAPES: tuple[Shape, ...] = (
    won_and_final,
    won_to_end_of_tail,
    won_lost_won,
    partially_won,
    deadline_missed,
    met_by_last_call,
    accepted_by_two,
    rebilled_then_late_win,
    arbitration_after_decline,
    inquiry_refunded,
    malformed_signals,
    fact_before_notice,
    reopened_by_late_win,
)
