import pytest

from disputes.decode import canonical
from disputes.lifecycle import fold
from disputes.store import folds
from disputes.store.folds import Folds
from disputes.vocabulary import NetworkEventKind, Outcome
from tests.support.story import Story


def _bodies(story: Story) -> list[str]:
    return [canonical(event.model_dump(mode="json")) for event in story.case.events]


@pytest.fixture
def bodies() -> list[str]:
    """A case's stored events; the last one happened before the one that was told before it."""
    story = Story().sale().opened().payment().gateway()
    story.ruled(Outcome.MERCHANT_WON, at=9).gateway()
    story.network(NetworkEventKind.SECOND_CHARGEBACK, at=5)
    return _bodies(story)


def test_a_case_is_carried_on_as_if_it_were_folded_anew(bodies: list[str]) -> None:
    kept = Folds()
    for count in range(len(bodies) + 1):
        assert kept.fold("D-1", bodies[:count]) == Folds().fold("D-1", bodies[:count])
    assert kept.fold("D-1", bodies) == fold("D-1", map(folds.read_event, bodies))


def test_a_history_that_was_replaced_is_not_carried_on(bodies: list[str]) -> None:
    """A write that was rolled back, or events that the workflow's word replaced."""
    other = Story().sale().opened().ruled(Outcome.CARDHOLDER_WON, at=3)
    kept = Folds()
    kept.fold("D-1", bodies)
    assert kept.fold("D-1", _bodies(other)).status == other.standing()
    assert kept.fold("D-1", bodies[:1]) == Folds().fold("D-1", bodies[:1])


def test_only_the_newest_cases_are_kept(bodies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "_CASES", 2)
    kept = Folds()
    for number in range(5):
        kept.fold(f"D-{number}", bodies)
    assert kept.known == ("D-3", "D-4")
