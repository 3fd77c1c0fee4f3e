"""Four eyes: what a request holds, until when, and that nothing goes round it."""

import pytest

from disputes.errors import IllegalTransition, NotFound
from disputes.events import TimerKind
from disputes.messages import AcceptLiability, Decide
from disputes.vocabulary import Status
from tests.support.story import Story, euros, terms

APPROVE = Decide(request_id="D-1-A1", decided_by="bob")


def accept(amount: str) -> AcceptLiability:
    return AcceptLiability(accepted_by="ann", amount=euros(amount))


def charged_back() -> Story:
    return Story(terms(four_eyes_above_minor=5000)).sale().opened().payment().gateway()


def test_an_acceptance_in_parts_needs_the_second_person_that_all_of_it_needs() -> None:
    story = charged_back().command("accept_liability", accept("46.00"))
    assert (story.case.accepted_minor, story.case.open_approvals) == (4600, ())

    story.command("accept_liability", accept("46.00"))
    assert story.case.accepted_minor == 4600
    [request] = story.case.open_approvals
    assert request.amount_minor == 4600

    story.command("approve", APPROVE)
    assert story.standing() is Status.ACCEPTED


def test_while_a_request_waits_no_smaller_one_changes_what_it_means() -> None:
    """60 approved after 40 of their own would have given up all 92."""
    story = charged_back().command("accept_liability", accept("60.00"))

    with pytest.raises(IllegalTransition):
        story.command("accept_liability", accept("40.00"))

    story.command("approve", APPROVE)
    assert (story.standing(), story.case.accepted_minor) == (Status.COLLECTING, 6000)


def test_a_request_that_has_expired_is_not_approved_before_its_timer_either() -> None:
    story = charged_back().command("accept_liability", accept("60.00"))
    [request] = story.case.open_approvals
    story.now = request.expires_at

    with pytest.raises(NotFound):
        story.command("approve", APPROVE)

    story.until(TimerKind.APPROVAL_EXPIRY)
    assert story.case.open_approvals == ()
    assert story.case.accepted_minor == 0


def test_a_request_of_a_case_with_the_longest_id_can_be_decided() -> None:
    decision = Decide(request_id=f"{'D' * 64}-A12", decided_by="ben")
    assert decision.request_id.endswith("-A12")
