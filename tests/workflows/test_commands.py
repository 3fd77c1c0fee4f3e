"""Commands and questions: what they answer, what they refuse, and what programs can search by."""

from tests.support.engine import Engine, Json
from tests.workflows.hands import Dispute, refused
from workflows import search_attributes

EVIDENCE: Json = {
    "evidence_id": "E-same",
    "evidence_type": "invoice",
    "submitted_by": "ana",
    "text": "as agreed",
}


async def test_evidence_completes_the_answer_and_may_be_taken_back(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    checklist = await dispute.update("add_evidence", EVIDENCE)
    assert (checklist["satisfied"], checklist["present"]) == (False, ["invoice"])
    proof = EVIDENCE | {"evidence_id": "E-proof", "evidence_type": "refund_proof"}
    assert (await dispute.update("add_evidence", proof))["satisfied"]
    assert (await dispute.status()).status == "ready"
    withdrawal = {"evidence_id": "E-proof", "withdrawn_by": "ana", "reason": "another order's"}
    await dispute.update("withdraw_evidence", withdrawal)
    assert (await dispute.status()).status == "collecting"
    nothing = withdrawal | {"evidence_id": "E-none"}
    assert (await refused(dispute.update("withdraw_evidence", nothing)))[0] == "NotFound"


async def test_an_evidence_id_is_used_once(engine: Engine) -> None:
    """The same again changes nothing; other content under it is a conflict."""
    dispute = await Dispute.booked(engine)
    first = await dispute.update("add_evidence", EVIDENCE)
    known = (await dispute.status()).sequence
    assert await dispute.update("add_evidence", EVIDENCE) == first
    assert (await dispute.status()).sequence == known
    kind, details = await refused(dispute.update("add_evidence", EVIDENCE | {"text": "other"}))
    assert (kind, details["fields"]) == ("Conflict", ["text"])


async def test_a_note_id_is_used_once(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    note = {"author": "ana", "text": "called the shopper", "note_id": "N-same"}
    for _ in range(2):
        await dispute.update("add_note", note)
    whats = [entry["what"] for entry in await dispute.timeline()]
    assert whats.count("note_added") == 1
    kind, _ = await refused(dispute.update("add_note", note | {"text": "called again"}))
    assert kind == "Conflict"


async def test_what_the_status_does_not_allow_is_refused_with_what_it_does(engine: Engine) -> None:
    waiting = Dispute(engine, await engine.notice())
    await waiting.rule("merchant_won")
    for name, message in (
        ("submit_representment", {"submitted_by": "ana"}),
        ("accept_liability", {"accepted_by": "ana"}),
        ("file_arbitration", {"filed_by": "ana"}),
        ("answer_pre_arbitration", {"decision": "decline", "answered_by": "ana"}),
        ("approve", {"request_id": "A-1", "decided_by": "ana"}),
    ):
        kind, details = await refused(waiting.update(name, message))
        assert (kind, details["status"]) == ("IllegalTransition", "awaiting_notice")
        assert name not in details["allowed"]
        assert "add_evidence" in details["allowed"]


async def test_a_part_may_be_accepted_and_the_rest_fought_for(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    part = {"amount": "40.00", "currency": "EUR"}
    answer = await dispute.update("accept_liability", {"accepted_by": "ana", "amount": part})
    assert answer == {"status": "collecting"}
    await dispute.money_is(disputed=52_00, dispute_loss=40_00)
    await dispute.represent()
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="40.00")
    await dispute.money_is(acquirer=52_00, dispute_loss=40_00)


async def test_a_question_about_a_ruling_foretells_it_and_changes_nothing(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    moment = (await dispute.now()).isoformat()
    ruling = {"ruling_id": "R-what-if", "outcome": "merchant_won", "decided_at": moment}
    before = await dispute.status()
    told = await dispute.case.query("consequences", ruling)
    assert await dispute.status() == before
    await dispute.tell("bank_ruling", ruling)
    status = await dispute.until(status=told["status"], booked_out="0.00")
    foretold = [(call["payment_type"], call["amount"]["amount"]) for call in told["calls"]]
    assert foretold == [(op.type, op.amount) for op in status.operations[1:]]
    silence = await dispute.case.query("consequences")
    assert (silence["status"], silence["finality"]) == ("won", "final")


async def test_cases_can_be_searched_by_where_they_stand(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    await dispute.rule("cardholder_won")
    await dispute.until(status="lost")
    assert not await dispute.days_pass(200)
    found = (await dispute.case.describe()).typed_search_attributes
    assert found[search_attributes.CASE_STATUS] == "lost"
    assert found[search_attributes.CASE_STAGE] == "chargeback"
    assert found[search_attributes.MERCHANT_ID] == dispute.notice["merchant_id"]
    assert found[search_attributes.AMOUNT_MINOR] == 92_00
    assert found[search_attributes.NEEDS_ATTENTION] is False
