import pytest

from disputes.consequences import Consequences, consequences
from disputes.events import TimerKind
from disputes.messages import BankRuling, Consent, NetworkEvent, RequestRebill, SubmitRepresentment
from disputes.vocabulary import Flow, NetworkEventKind, Outcome
from tests.support.story import PAYMENT_ID, Story, day, euros, terms

WON, LOST = Outcome.MERCHANT_WON, Outcome.CARDHOLDER_WON


def charged_back(**changes: object) -> Story:
    return Story(terms(**changes)).sale().opened().payment().gateway()


def rebilled() -> Story:
    consent = Consent(given_at=day(10), evidence_id="EV-consent")
    request = RequestRebill(requested_by="ann", reason="agreed", consent=consent)
    return charged_back().ruled(LOST, 10).on(11).command("request_rebill", request).gateway()


def ruling(outcome: Outcome, at: float = 20, **changes: object) -> BankRuling:
    base: dict[str, object] = {"ruling_id": "R-if", "outcome": outcome, "decided_at": day(at)}
    return BankRuling.model_validate(base | changes)


def entries(found: Consequences) -> list[tuple[str, str, str]]:
    return [(entry.debit, entry.credit, entry.amount) for entry in found.entries]


def test_a_win_would_reverse_the_chargeback() -> None:
    story = charged_back()

    found = consequences(story.case, ruling(WON), story.now)

    assert (found.status, found.stage, found.finality) == ("won", "chargeback", "provisional")
    (call,) = found.calls
    assert (call.payment_type, call.purpose, call.amount) == ("CR", "reinstate", euros("92.00"))
    assert call.referenced_id == story.case.operations[0].gateway_id
    assert entries(found) == [
        ("unmirrored", "disputed", "92.00"),
        ("acquirer", "unmirrored", "92.00"),
    ]


def test_a_loss_would_call_nobody_and_write_the_money_off() -> None:
    story = charged_back()

    found = consequences(story.case, ruling(LOST), story.now)

    assert found.calls == ()
    assert entries(found) == [("dispute_loss", "disputed", "92.00")]


def test_a_late_win_would_give_the_rebill_back() -> None:
    story = rebilled()

    found = consequences(story.case, ruling(WON), story.now)

    assert [(call.payment_type, call.purpose) for call in found.calls] == [
        ("CR", "reinstate"),
        ("RF", "give_back"),
    ]
    assert entries(found) == [
        ("disputed", "dispute_loss", "92.00"),
        ("unmirrored", "disputed", "92.00"),
        ("recovered", "giveback_due", "92.00"),
        ("acquirer", "unmirrored", "92.00"),
        ("giveback_due", "acquirer", "92.00"),
    ]


def test_a_second_chargeback_would_undo_the_reversal() -> None:
    story = charged_back().ruled(WON, 10).gateway()
    news = NetworkEvent(
        event_id="E-if", kind=NetworkEventKind.SECOND_CHARGEBACK, occurred_at=day(20)
    )

    found = consequences(story.case, news, story.now)

    assert (found.status, [call.purpose for call in found.calls]) == ("lost", ["undo"])


def test_nothing_by_the_deadline_would_expire_the_case() -> None:
    story = charged_back().on(1).evidence()

    found = consequences(story.case, None, story.now)

    assert (found.status, found.finality) == ("expired", "provisional")
    assert entries(found) == [("dispute_loss", "disputed", "92.00")]


def test_where_the_policy_submits_a_complete_answer_silence_expires_nothing() -> None:
    story = charged_back(auto_submit=True).on(1).evidence()

    assert consequences(story.case, None, story.now).status == "under_review"


def test_nothing_from_a_silent_issuer_would_win_in_allocation() -> None:
    story = charged_back(flow=Flow.ALLOCATION).on(1).evidence()
    story.command("submit_representment", SubmitRepresentment(submitted_by="ann"))

    assert consequences(story.case, None, story.now).status == "won"


def test_nothing_to_the_end_of_the_tail_would_make_it_final() -> None:
    story = charged_back().ruled(LOST, 10)

    found = consequences(story.case, None, story.now)

    assert (found.status, found.finality, found.entries) == ("lost", "final", ())


def test_what_is_owed_already_is_among_the_calls() -> None:
    story = Story().sale().opened().payment()

    found = consequences(story.case, ruling(LOST), story.now)

    assert [(call.payment_type, call.referenced_id) for call in found.calls] == [("CB", PAYMENT_ID)]


def test_a_ruling_that_fits_its_moment_but_not_the_last_word_changes_nothing() -> None:
    story = charged_back().ruled(WON, 10).gateway()

    found = consequences(story.case, ruling(LOST, at=5), story.now)

    assert (found.status, found.calls, found.entries) == ("won", (), ())


@pytest.mark.parametrize("what", [ruling(WON), ruling(LOST), None])
def test_asking_changes_nothing_and_the_answer_comes_true(what: BankRuling | None) -> None:
    story = rebilled()
    before = story.case

    found = consequences(story.case, what, story.now)

    assert story.case is before
    assert consequences(story.case, what, story.now) == found
    sent = len(story.calls)
    if what is None:
        story.until(TimerKind.TAIL_END)
    else:
        story.ruled(what.outcome, 20)
    story.gateway()
    assert story.case.status.value == found.status
    assert [
        (plan.payment_type.value, plan.purpose.value, plan.amount_minor)
        for plan in story.calls[sent:]
    ] == [(call.payment_type, call.purpose, call.amount.minor) for call in found.calls]
