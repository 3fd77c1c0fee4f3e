"""The happy path of a case, on real parts."""

from datetime import UTC, datetime

from tests.support.engine import Engine


async def test_a_case_is_won_and_its_money_comes_back(engine: Engine) -> None:
    notice = await engine.notice()
    case = await engine.open(notice)
    booked = await engine.settled(case, 1)
    assert (booked.status, booked.at_risk, booked.booked_out) == ("collecting", "92.00", "92.00")

    evidence = {"evidence_id": "E-1", "evidence_type": "refund_proof", "submitted_by": "ana"}
    checklist = await case.execute_update("add_evidence", evidence | {"text": "refunded"})
    assert checklist["satisfied"]
    result = await case.execute_update("submit_representment", {"submitted_by": "ana"})
    assert result == {"status": "under_review"}

    now = datetime.now(UTC).isoformat()
    ruling = {"ruling_id": "R-1", "outcome": "merchant_won", "decided_at": now}
    await case.signal("bank_ruling", ruling)
    won = await engine.settled(case, 2)
    assert (won.status, won.finality, won.booked_out) == ("won", "provisional", "0.00")

    assert not await engine.fast_forward(case, days=40)
    summary = await case.result()
    assert (summary["status"], summary["finality"], summary["reinstated"]) == (
        "won",
        "final",
        "92.00",
    )
