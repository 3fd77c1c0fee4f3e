"""What a person may do to a case, and how a refusal reads: its type, its details, no value."""

from collections.abc import Callable

import pytest

from disputes import commands
from disputes.chain import next_plan
from disputes.commands import decide
from disputes.decode import sha256
from disputes.errors import (
    Conflict,
    DeadlinePassed,
    IllegalTransition,
    IncompleteEvidence,
    InvalidMessage,
    MoneyHeld,
    NotFound,
    NotSupported,
    Refusal,
    SecondPersonNeeded,
)
from disputes.events import ApprovalRequested, TimerKind
from disputes.messages import (
    AcceptLiability,
    AddEvidence,
    AddNote,
    AnswerPreArbitration,
    Assign,
    Command,
    Consent,
    Decide,
    FileArbitration,
    RequestRebill,
    ResolveOperation,
    SubmitRepresentment,
    WithdrawEvidence,
)
from disputes.operations import Plan
from disputes.possible import POSSIBLE, allowed
from disputes.status import attention, result_of, status_of
from disputes.vocabulary import (
    Flow,
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Purpose,
    Stage,
    Status,
)
from tests.support.story import Story, day, euros, terms

UNTOLD = "8842-confidential"
LOST, WON = Outcome.CARDHOLDER_WON, Outcome.MERCHANT_WON


def charged_back(**changes: object) -> Story:
    return Story(terms(**changes)).sale().opened().payment().gateway()


def lost(**changes: object) -> Story:
    return charged_back(**changes).ruled(LOST, 10).gateway().on(11)


def rebill(**changes: object) -> RequestRebill:
    consent = Consent(given_at=day(10), evidence_id="EV-consent")
    base: dict[str, object] = {"requested_by": "ann", "reason": UNTOLD, "consent": consent}
    return RequestRebill.model_validate(base | changes)


def evidence(**changes: object) -> AddEvidence:
    base = {
        "evidence_id": "EV-1",
        "evidence_type": "invoice",
        "submitted_by": "ann",
        "text": UNTOLD,
    }
    return AddEvidence.model_validate(base | changes)


SUBMIT = SubmitRepresentment(submitted_by="ann", narrative=UNTOLD)
ACCEPT = AcceptLiability(accepted_by="ann")
APPROVE = Decide(request_id="D-1-A1", decided_by="bob")


def refusal(story: Story, name: str, command: Command) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decide(story.case, name, command, story.now)
    found = caught.value
    assert UNTOLD not in f"{found.message} {found.details}", "a refusal repeats no value"
    return found


def test_every_command_of_the_contract_is_decided() -> None:
    assert list(POSSIBLE) == [
        "add_evidence",
        "withdraw_evidence",
        "submit_representment",
        "answer_pre_arbitration",
        "file_arbitration",
        "accept_liability",
        "resolve_by_refund",
        "approve",
        "decline",
        "request_rebill",
        "assign",
        "add_note",
        "resolve_operation",
    ]


ALLOWED: dict[str, tuple[Callable[[], Story], list[str]]] = {
    "awaiting": (Story, ["add_evidence", "withdraw_evidence"]),
    "collecting": (
        charged_back,
        ["add_evidence", "withdraw_evidence", "submit_representment", "accept_liability"],
    ),
    "pre-arbitration": (
        lambda: charged_back().network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5),
        ["add_evidence", "withdraw_evidence", "answer_pre_arbitration", "accept_liability"],
    ),
    "allocation declined": (
        lambda: charged_back(flow=Flow.ALLOCATION).network(
            NetworkEventKind.PRE_ARBITRATION_DECLINED, 5
        ),
        ["add_evidence", "withdraw_evidence", "file_arbitration", "accept_liability"],
    ),
    "under review": (
        lambda: charged_back().on(1).evidence().command("submit_representment", SUBMIT),
        ["accept_liability"],
    ),
    "lost": (lost, ["add_evidence", "request_rebill"]),
    "won": (lambda: charged_back().ruled(WON, 10), []),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_the_status_says_which_commands_are_possible(name: str) -> None:
    told, expected = ALLOWED[name]

    assert [it for it in allowed(told().case) if it not in ("assign", "add_note")] == expected


def test_an_illegal_transition_names_status_event_and_what_is_allowed() -> None:
    found = refusal(charged_back().ruled(WON, 10), "submit_representment", SUBMIT)

    assert isinstance(found, IllegalTransition)
    assert found.details == {
        "status": "won",
        "event": "submit_representment",
        "allowed": ["assign", "add_note"],
    }


def test_a_passed_deadline_is_named() -> None:
    story = charged_back().on(1).evidence().on(40)

    found = refusal(story, "submit_representment", SUBMIT)

    assert isinstance(found, DeadlinePassed)
    assert found.details == {"respond_by": "2026-12-02T00:00:00Z"}


def test_a_late_file_or_answer_is_refused_too() -> None:
    filing = charged_back(flow=Flow.ALLOCATION)
    filing.network(NetworkEventKind.PRE_ARBITRATION_DECLINED, 5).on(40)
    answering = charged_back().network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5).on(60)
    answer = AnswerPreArbitration(decision="decline", answered_by="ann")

    assert refusal(filing, "file_arbitration", FileArbitration(filed_by="a")).type == (
        "DeadlinePassed"
    )
    assert refusal(answering, "answer_pre_arbitration", answer).type == "DeadlinePassed"


def test_incomplete_evidence_lists_what_the_nearest_path_lacks() -> None:
    story = charged_back().on(1).evidence("invoice")

    found = refusal(story, "submit_representment", SUBMIT)

    assert isinstance(found, IncompleteEvidence)
    assert found.details == {"missing": ["proof_of_delivery"]}


def test_incomplete_evidence_goes_out_when_a_person_says_so() -> None:
    story = charged_back().on(1)
    story.command(
        "submit_representment", SubmitRepresentment(submitted_by="ann", allow_incomplete=True)
    )

    assert story.standing() is Status.UNDER_REVIEW


def test_an_unruled_code_is_ready_only_when_a_person_says_so() -> None:
    story = charged_back(checklist={"ruled": False}).on(1).evidence()
    assert story.standing() is Status.COLLECTING

    assert isinstance(refusal(story, "submit_representment", SUBMIT), IncompleteEvidence)


def test_withdrawn_evidence_is_missing_again() -> None:
    story = charged_back().on(1).evidence()
    gone = story.case.evidence[0].evidence_id
    withdraw = WithdrawEvidence(evidence_id=gone, withdrawn_by="ann", reason="wrong order")

    story.command("withdraw_evidence", withdraw)

    assert story.standing() is Status.COLLECTING
    assert isinstance(refusal(story, "withdraw_evidence", withdraw), NotFound)


def test_the_same_evidence_again_changes_nothing_and_other_content_is_a_conflict() -> None:
    story = charged_back().command("add_evidence", evidence())

    assert decide(story.case, "add_evidence", evidence(), story.now) == ()
    found = refusal(story, "add_evidence", evidence(text=f"{UNTOLD} too", media_type="text/plain"))
    assert isinstance(found, Conflict)
    assert found.details == {"fields": ["media_type", "text"]}


def test_the_same_note_again_changes_nothing_and_other_content_is_a_conflict() -> None:
    note = AddNote(author="ann", text=UNTOLD, note_id="N-1")
    story = charged_back().command("add_note", note)

    assert decide(story.case, "add_note", note, story.now) == ()
    other = AddNote(author="ann", text=f"{UNTOLD} too", note_id="N-1")
    assert refusal(story, "add_note", other).details == {"fields": ["text"]}


def test_a_note_and_an_assignment_are_always_possible() -> None:
    story = charged_back().ruled(LOST, 10).until(TimerKind.TAIL_END)
    story.command("assign", Assign(assignee="ann")).command(
        "add_note", AddNote(author="ann", text="x")
    )

    assert story.case.assignee == "ann"
    assert result_of("add_note", story.case) == {"sequence": story.case.events[-1].sequence}


# Four eyes


def test_above_the_limit_a_second_person_must_approve() -> None:
    story = charged_back(four_eyes_above_minor=9199).command("accept_liability", ACCEPT)
    assert story.standing() is Status.COLLECTING
    assert attention(story.case) == ("approval_waiting",)
    assert result_of("accept_liability", story.case) == {
        "status": "collecting",
        "request_id": "D-1-A1",
    }

    own = Decide(request_id="D-1-A1", decided_by="ann")
    assert isinstance(refusal(story, "approve", own), SecondPersonNeeded)
    assert isinstance(refusal(story, "decline", own), SecondPersonNeeded)

    story.command("approve", APPROVE)
    assert story.standing() is Status.ACCEPTED
    assert attention(story.case) == ()


def test_up_to_the_limit_one_person_is_enough() -> None:
    story = charged_back(four_eyes_above_minor=9200).command("accept_liability", ACCEPT)

    assert story.standing() is Status.ACCEPTED


@pytest.mark.parametrize(
    ("prepare", "name", "command"),
    [
        (charged_back, "accept_liability", ACCEPT),
        (lost, "request_rebill", rebill()),
        (
            lambda **limit: charged_back(**limit).network(
                NetworkEventKind.PRE_ARBITRATION_OPENED, 5
            ),
            "answer_pre_arbitration",
            AnswerPreArbitration(decision="accept", answered_by="ann"),
        ),
        (
            lambda **limit: charged_back(flow=Flow.ALLOCATION, **limit).network(
                NetworkEventKind.PRE_ARBITRATION_DECLINED, 5
            ),
            "file_arbitration",
            FileArbitration(filed_by="ann"),
        ),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_what_needs_four_eyes_waits_for_them(
    prepare: Callable[..., Story], name: str, command: Command
) -> None:
    story = prepare(four_eyes_above_minor=1)

    (body,) = decide(story.case, name, command, story.now)

    assert isinstance(body, ApprovalRequested)
    assert (body.command, body.requested_by) == (name, "ann")


def test_declining_pre_arbitration_needs_one_person_only() -> None:
    story = charged_back(four_eyes_above_minor=1)
    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5)
    story.command(
        "answer_pre_arbitration", AnswerPreArbitration(decision="decline", answered_by="ann")
    )

    assert story.standing() is Status.UNDER_REVIEW


def test_a_submission_needs_approval_only_if_the_policy_asks() -> None:
    story = charged_back(submission_needs_approval=True).on(1).evidence()
    story.command("submit_representment", SUBMIT)
    assert story.standing() is Status.READY

    story.command("approve", APPROVE)
    assert story.standing() is Status.UNDER_REVIEW


def test_an_approved_submission_sends_and_hashes_what_is_there_then() -> None:
    story = charged_back(submission_needs_approval=True).on(1).evidence()
    story.command("submit_representment", SUBMIT).evidence("other")
    expected = sha256(commands.packet_content(story.case, SUBMIT.narrative))

    story.command("approve", APPROVE)

    assert story.case.packet_sha256 == expected


def test_a_submission_that_became_incomplete_is_not_approved() -> None:
    story = charged_back(submission_needs_approval=True).on(1).evidence()
    story.command("submit_representment", SUBMIT)
    gone = story.case.evidence[0].evidence_id
    story.command(
        "withdraw_evidence", WithdrawEvidence(evidence_id=gone, withdrawn_by="ann", reason="wrong")
    )

    assert isinstance(refusal(story, "approve", APPROVE), IncompleteEvidence)


def test_an_approval_after_the_deadline_is_too_late_for_a_submission() -> None:
    story = charged_back(submission_needs_approval=True, approval_hours=1000).on(1).evidence()
    story.command("submit_representment", SUBMIT).on(40)

    assert isinstance(refusal(story, "approve", APPROVE), DeadlinePassed)


def test_a_request_can_be_declined_and_asked_again() -> None:
    story = charged_back(four_eyes_above_minor=1).command("accept_liability", ACCEPT)
    assert isinstance(refusal(story, "accept_liability", ACCEPT), IllegalTransition)

    story.command("decline", APPROVE).command("accept_liability", ACCEPT)

    assert [it.request_id for it in story.case.open_approvals] == ["D-1-A2"]
    assert isinstance(refusal(story, "approve", APPROVE), NotFound)


def test_a_request_expires() -> None:
    story = charged_back(four_eyes_above_minor=1).command("accept_liability", ACCEPT)

    story.until(TimerKind.APPROVAL_EXPIRY)

    assert story.case.open_approvals == ()
    assert isinstance(refusal(story, "approve", APPROVE), IllegalTransition)


def test_a_decision_overtakes_the_requests_that_it_makes_pointless() -> None:
    """Row 20: a pending submission ends with the case."""
    story = charged_back(submission_needs_approval=True).on(1).evidence()
    story.command("submit_representment", SUBMIT).command("accept_liability", ACCEPT)

    assert story.standing() is Status.ACCEPTED
    assert story.case.open_approvals == ()


# Amounts


def test_a_part_above_what_is_left_is_refused_by_field() -> None:
    story = charged_back()
    story.command("accept_liability", AcceptLiability(accepted_by="ann", amount=euros("40.00")))

    found = refusal(
        story, "accept_liability", AcceptLiability(accepted_by="ann", amount=euros("52.01"))
    )

    assert isinstance(found, InvalidMessage)
    assert list(found.fields) == ["amount"]
    assert "52" not in found.message


def test_an_amount_in_another_currency_is_refused_by_field() -> None:
    amount = {"amount": "40.00", "currency": "USD"}
    command = AcceptLiability.model_validate({"accepted_by": "ann", "amount": amount})

    found = refusal(charged_back(), "accept_liability", command)

    assert found.details == {"fields": {"amount.currency": "must be the case's currency"}}


def test_accepting_the_rest_part_by_part_ends_the_case() -> None:
    story = charged_back()
    for amount in ("40.00", "52.00"):
        story.command("accept_liability", AcceptLiability(accepted_by="ann", amount=euros(amount)))

    assert story.standing() is Status.ACCEPTED


def test_a_part_accepted_in_pre_arbitration_is_lost_and_the_rest_waits() -> None:
    story = charged_back().ruled(WON, 3).gateway()
    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5)
    answer = AnswerPreArbitration(decision="accept", answered_by="ann", amount=euros("40.00"))

    story.command("answer_pre_arbitration", answer).gateway()

    assert story.standing() is Status.UNDER_REVIEW
    assert story.book.reading() == (52, 0, 0, 40, 0, 0, 0, 37, 0)
    story.ruled(WON, 20, stage=Stage.ARBITRATION).gateway()
    assert story.book.reading() == (52, 0, 0, 40, 0, 0, 0, 37, 0)


# Rebills


def test_a_fraud_code_is_never_rebilled() -> None:
    found = refusal(lost(fraud=True), "request_rebill", rebill())

    assert isinstance(found, NotSupported)
    assert found.details["operation"] == "rebill"


def test_an_acquirer_without_rebills_says_what_to_do_instead() -> None:
    capabilities = {"rebill_after_dispute": False}

    found = refusal(lost(capabilities=capabilities), "request_rebill", rebill())

    assert found.details == {
        "operation": "rebill_after_dispute",
        "acquirer": "default",
        "instead": "a new payment with the shopper's own authorization",
    }


def test_a_captured_authorization_cannot_be_rebilled() -> None:
    story = Story().sale().opened().payment(entry_type=PaymentType.CP).gateway()
    story.ruled(LOST, 10).on(11)

    found = refusal(story, "request_rebill", rebill())

    assert isinstance(found, NotSupported)
    assert "registration" in str(found.details["instead"])


def test_a_payment_whose_history_is_unknown_is_not_rebilled() -> None:
    story = Story().sale().opened().payment(known=False).ruled(LOST, 10).on(11)

    found = refusal(story, "request_rebill", rebill())

    assert isinstance(found, MoneyHeld)
    assert "payment_history_unknown" in found.message


def test_the_cool_off_runs_from_the_decision() -> None:
    story = lost(rebill_cool_off_hours=48)

    assert isinstance(refusal(story, "request_rebill", rebill()), MoneyHeld)
    story.on(12).command("request_rebill", rebill())


def test_one_rebill_at_a_time_and_never_more_than_is_lost() -> None:
    story = lost()
    found = refusal(story, "request_rebill", rebill(amount=euros("92.01")))
    assert isinstance(found, InvalidMessage)
    assert list(found.fields) == ["amount"]

    story.command("request_rebill", rebill(amount=euros("40.00"), rebill_id="RB-1"))
    under_way = refusal(story, "request_rebill", rebill())
    assert isinstance(under_way, MoneyHeld)
    assert under_way.details == {"operation_key": "dispute:D-1:rebill:RB-1"}

    story.gateway()
    assert isinstance(refusal(story, "request_rebill", rebill()), MoneyHeld)


def test_the_lost_part_of_a_partial_win_can_be_rebilled() -> None:
    story = charged_back().ruled(Outcome.PARTIAL, 10, "40.00").gateway().on(11)

    story.command("request_rebill", rebill()).gateway()

    assert story.sent[-1] == ("RB", 5200)


def test_the_same_acceptance_of_a_part_again_gives_up_no_more() -> None:
    part = AcceptLiability(accepted_by="ann", amount=euros("10.00"), acceptance_id="A-1")
    story = charged_back().on(1).command("accept_liability", part)

    assert decide(story.case, "accept_liability", part, story.now) == ()
    other = part.model_copy(update={"amount": euros("11.00")})
    assert refusal(story, "accept_liability", other).details == {"fields": ["amount"]}
    assert story.case.accepted_minor == 1000


def test_the_same_rebill_again_changes_nothing_and_another_is_a_conflict() -> None:
    story = lost().command("request_rebill", rebill(rebill_id="RB-1"))

    assert decide(story.case, "request_rebill", rebill(rebill_id="RB-1"), story.now) == ()
    other = rebill(rebill_id="RB-1", amount=euros("1.00"))
    assert refusal(story, "request_rebill", other).details == {"fields": ["amount"]}


def test_a_refused_rebill_can_be_followed_by_another() -> None:
    story = lost().command("request_rebill", rebill())
    plan = _plan_of(story)
    story.answer(plan, OperationState.REFUSED)
    assert "rebill_refused" in attention(story.case)

    story.command("request_rebill", rebill(amount=euros("91.00")))

    assert _plan_of(story).key == "dispute:D-1:rebill:R2"


def test_a_rebill_approved_after_a_win_is_refused() -> None:
    story = lost(four_eyes_above_minor=1).command("request_rebill", rebill())
    story.ruled(Outcome.PARTIAL, 12, "40.00")

    found = refusal(story, "approve", APPROVE)

    assert isinstance(found, InvalidMessage)
    assert story.case.rebills == ()


def _plan_of(story: Story) -> Plan:
    plan = next_plan(story.case)
    assert plan is not None
    return plan


# Operations in doubt


def test_an_operation_in_doubt_is_resolved_by_its_key_only() -> None:
    story = Story().sale().opened().payment()
    plan = _plan_of(story)
    resolve = ResolveOperation(
        operation_key=plan.key, resolution="happened", resolved_by="ann", proof=UNTOLD
    )
    assert isinstance(refusal(story, "resolve_operation", resolve), IllegalTransition)

    story.answer(plan, OperationState.IN_DOUBT)
    unknown = resolve.model_copy(update={"operation_key": "dispute:D-1:book:9"})
    assert isinstance(refusal(story, "resolve_operation", unknown), NotFound)
    (body,) = decide(story.case, "resolve_operation", resolve, story.now)
    assert body.kind == "operation_resolved"


# What the policy does by itself


def test_the_policy_gives_up_what_is_below_its_limit() -> None:
    story = charged_back(auto_accept_below_minor=9201)
    for body in commands.policy_at_opening(story.case):
        story.tell(body)

    assert story.standing() is Status.ACCEPTED


@pytest.mark.parametrize("limit", [None, 9200])
def test_the_policy_fights_what_is_not_below_its_limit(limit: int | None) -> None:
    story = charged_back(auto_accept_below_minor=limit)

    assert commands.policy_at_opening(story.case) == ()


def test_the_policy_gives_up_no_inquiry() -> None:
    story = Story(terms(auto_accept_below_minor=10000)).opened(stage=Stage.INQUIRY)

    assert commands.policy_at_opening(story.case) == ()


def test_at_last_call_a_complete_answer_goes_out_whoever_must_still_approve_it() -> None:
    story = charged_back(auto_submit=True, submission_needs_approval=True).on(1).evidence()
    story.command("submit_representment", SUBMIT).until(TimerKind.LAST_CALL)
    for body in commands.policy_at_last_call(story.case, story.now):
        story.tell(body)

    assert story.standing() is Status.UNDER_REVIEW


@pytest.mark.parametrize(
    ("changes", "types"),
    [
        ({"auto_submit": False}, ("proof_of_delivery", "invoice")),
        ({"auto_submit": True}, ("invoice",)),
        ({"auto_submit": True, "checklist": {"ruled": False}}, ("proof_of_delivery", "invoice")),
    ],
    ids=["policy says no", "incomplete", "unruled"],
)
def test_at_last_call_nothing_else_goes_out(
    changes: dict[str, object], types: tuple[str, ...]
) -> None:
    story = charged_back(**changes).on(1).evidence(*types).until(TimerKind.LAST_CALL)

    assert commands.policy_at_last_call(story.case, story.now) == ()


def test_after_the_deadline_the_policy_sends_nothing() -> None:
    story = charged_back(auto_submit=True).on(1).evidence().on(40)

    assert commands.policy_at_last_call(story.case, story.now) == ()


def test_the_status_tells_what_waits_and_what_is_owed() -> None:
    story = lost(four_eyes_above_minor=1).command("request_rebill", rebill())

    shown = status_of(story.case)

    assert [it.command for it in shown.approvals] == ["request_rebill"]
    assert (shown.written_off, shown.at_risk, shown.charged_back) == ("92.00", "0.00", "92.00")
    assert shown.operations[0].purpose == Purpose.BOOK.value
