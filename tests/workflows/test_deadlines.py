"""The case's own moments: the ladder, the last call, the deadline, and second persons."""

from datetime import UTC, datetime, timedelta

from tests.support.engine import Engine, Json
from tests.workflows.hands import Dispute, refused

LARGE: Json = {"amount": {"amount": "6000.00", "currency": "EUR"}}
ACCEPT: Json = {"accepted_by": "ana"}


async def test_deadline_met_by_last_call(engine: Engine) -> None:
    """A complete answer goes out half a day before the deadline, whoever forgot it."""
    dispute = await Dispute.booked(engine)
    await dispute.add_evidence()
    assert await dispute.days_pass(25)
    status = await dispute.until(status="under_review")
    assert status.submitted_at is not None
    assert status.respond_by is not None
    assert status.respond_by - status.submitted_at < timedelta(hours=12)
    sent = [entry for entry in await dispute.timeline() if entry["what"] == "submitted"]
    assert [entry["actor"] for entry in sent] == ["policy"]


async def test_deadline_missed(engine: Engine) -> None:
    """Three reminders, no answer: expired, a loss, and final after the tail."""
    dispute = await Dispute.booked(engine)
    assert await dispute.days_pass(25)
    status = await dispute.until(status="expired")
    assert (status.finality, status.written_off) == ("provisional", "92.00")
    rungs = [it["data"]["detail"] for it in await dispute.timeline() if it["what"] == "ladder"]
    assert rungs == ["168", "72", "24"]
    await dispute.money_is(dispute_loss=92_00)
    assert (await dispute.ends())["finality"] == "final"


async def test_an_incomplete_answer_is_not_sent_by_itself(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    await dispute.add_evidence("invoice")
    kind, details = await refused(dispute.update("submit_representment", {"submitted_by": "ana"}))
    assert kind == "IncompleteEvidence"
    assert details["missing"]
    assert await dispute.days_pass(25)
    await dispute.until(status="expired")


async def test_what_is_not_worth_a_fight_is_accepted_at_once(engine: Engine) -> None:
    dispute = await Dispute.booked(engine, amount={"amount": "4.99", "currency": "EUR"})
    await dispute.until(status="accepted")
    await dispute.money_is(dispute_loss=4_99)


async def test_a_deadline_that_had_passed_when_the_notice_came(engine: Engine) -> None:
    """The case opens all the same, for the bank's money is gone, and says so."""
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    dispute = await Dispute.booked(engine, respond_by=past)
    status = await dispute.until(status="expired")
    assert "deadline_past" in status.attention
    await dispute.money_is(dispute_loss=92_00)


async def test_a_return_of_a_direct_debit_is_lost_and_final_at_once(engine: Engine) -> None:
    dispute = await Dispute.opened(engine, network="sepa_dd", reason_code="MD01", respond_by=None)
    summary = await dispute.result()
    assert (summary["status"], summary["finality"]) == ("lost", "final")
    await dispute.money_is(dispute_loss=92_00)


async def test_above_the_limit_a_second_person_decides(engine: Engine) -> None:
    dispute = await Dispute.booked(engine, **LARGE)
    answer = await dispute.update("accept_liability", ACCEPT)
    assert answer["status"] == "collecting"
    approve: Json = {"request_id": answer["request_id"], "decided_by": "ana"}
    assert (await refused(dispute.update("approve", approve)))[0] == "SecondPersonNeeded"
    assert (await refused(dispute.update("decline", approve)))[0] == "SecondPersonNeeded"
    other = {"request_id": "nobody-asked", "decided_by": "ben"}
    assert (await refused(dispute.update("approve", other)))[0] == "NotFound"
    assert (await refused(dispute.update("accept_liability", ACCEPT)))[0] == "IllegalTransition"
    approve["decided_by"] = "ben"
    assert await dispute.update("approve", approve) == {"status": "accepted"}
    assert (await refused(dispute.update("approve", approve)))[0] == "IllegalTransition"
    await dispute.money_is(dispute_loss=6000_00)


async def test_what_the_second_person_declines_changes_nothing(engine: Engine) -> None:
    dispute = await Dispute.booked(engine, **LARGE)
    asked = await dispute.update("accept_liability", ACCEPT)
    decision = {"request_id": asked["request_id"], "decided_by": "ben", "reason": "we can win"}
    assert await dispute.update("decline", decision) == {"status": "collecting"}
    assert (await dispute.status()).approvals == ()
    await dispute.represent()


async def test_a_request_that_nobody_decides_expires(engine: Engine) -> None:
    dispute = await Dispute.booked(engine, **LARGE)
    asked = await dispute.update("accept_liability", ACCEPT)
    assert "approval_waiting" in (await dispute.status()).attention
    assert await dispute.days_pass(4)
    await dispute.until(approvals=(), status="collecting")
    decision = {"request_id": asked["request_id"], "decided_by": "ben"}
    assert (await refused(dispute.update("approve", decision)))[0] == "IllegalTransition"


async def test_an_open_request_does_not_stop_the_last_call(engine: Engine) -> None:
    dispute = await Dispute.booked(engine, **LARGE)
    await dispute.add_evidence()
    assert await dispute.days_pass(24)
    await dispute.update("accept_liability", ACCEPT)
    assert await dispute.days_pass(0.9)
    await dispute.until(status="under_review")
