"""A feed shuffled and repeated ends in one and the same set of statuses and positions."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from disputes import rulebook
from disputes.case import Case
from disputes.errors import InvalidMessage
from disputes.events import Body, CaseEvent, Opened, Reported, Ruled
from disputes.lifecycle import advance
from disputes.policy import Policy
from starter.feed import NetworkEventLine, OpenedLine, RulingLine, read_line
from starter.feed_file import take_file
from tests.proof.lives import end_of
from tests.support.desk import intake_of, line, opened
from tests.support.engine import Engine, Json

FEED = Path(__file__).parents[2] / "examples" / "feed.jsonl"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
#: An event's id in the register, the moment when it happened, and what it says.
Fact = tuple[str, datetime, Body]


def _facts() -> dict[str, list[Fact]]:
    """What the example feed tells of each case by facts alone."""
    rules, policy = rulebook.load(), Policy(version="built-in")
    cases: dict[str, list[Fact]] = defaultdict(list)
    for text in FEED.read_text().splitlines():
        try:
            told = read_line(text, NOW).line
        except InvalidMessage:
            continue
        if isinstance(told, OpenedLine):
            notice = told.data
            terms = rulebook.terms_for(
                network=notice.network,
                reason_code=notice.reason_code,
                region=notice.region,
                currency=notice.amount.currency,
                rulebook=rules,
                policy=policy,
            )
            body = Opened(notice=notice, terms=terms)
            cases[notice.dispute_id].append(("opened", notice.received_at, body))
        elif isinstance(told, RulingLine):
            ruling = told.data
            said = Ruled(ruling=ruling)
            cases[told.dispute_id].append((f"ruling:{ruling.ruling_id}", ruling.decided_at, said))
        elif isinstance(told, NetworkEventLine):
            event = told.data
            fact = (f"event:{event.event_id}", event.occurred_at, Reported(event=event))
            cases[told.dispute_id].append(fact)
    return cases


def _end(case_id: str, facts: Sequence[Fact]) -> tuple[object, ...]:
    case = Case(case_id=case_id)
    for sequence, (event_id, at, body) in enumerate(facts, 1):
        event = CaseEvent(
            sequence=sequence, event_id=event_id, at=at, recorded_at=NOW, actor="t", body=body
        )
        case = advance(case, event)
    return end_of(case)


def test_the_example_feed_ends_the_same_in_any_order() -> None:
    cases = _facts()
    assert sum(len(facts) for facts in cases.values()) > 2 * len(cases) > 20
    first = {case_id: _end(case_id, facts) for case_id, facts in cases.items()}
    for seed in range(50):
        chance = random.Random(seed)  # noqa: S311 - a test's order
        for case_id, facts in cases.items():
            told = [*facts, *chance.choices(facts, k=2)]
            chance.shuffle(told)
            assert _end(case_id, told) == first[case_id], (seed, case_id)


def _story(notice: Json, kind: str, now: datetime) -> list[str]:
    """The lines of one case, as ``kind`` says."""
    case_id = notice["dispute_id"]

    def ruling(outcome: str, hours: int, **more: object) -> str:
        name = f"{case_id}.r{hours}"
        moment = (now + timedelta(hours=hours)).isoformat()
        data = {"ruling_id": name, "outcome": outcome, "decided_at": moment, **more}
        return line("dispute.ruling", name, data, case_id)

    def event(what: str, hours: int) -> str:
        name = f"{case_id}.e{hours}"
        moment = (now + timedelta(hours=hours)).isoformat()
        data = {"event_id": name, "kind": what, "occurred_at": moment}
        return line("dispute.network_event", name, data, case_id)

    stories = {
        "won": [ruling("merchant_won", 1)],
        "lost": [ruling("cardholder_won", 1)],
        "turned": [ruling("merchant_won", 1), event("second_chargeback", 2)],
        "part": [
            ruling("partial", 1, merchant_amount={"amount": "40.00", "currency": "EUR"}),
            event("issuer_comment", 2),
        ],
    }
    return [opened(notice), *stories[kind]]


ENDS = {
    "won": ("won", "92.00", "0.00"),
    "lost": ("lost", "0.00", "92.00"),
    "turned": ("lost", "0.00", "92.00"),
    "part": ("partially_won", "40.00", "52.00"),
}


@pytest.mark.parametrize("seed", range(3))
async def test_a_shuffled_feed_ends_the_same_on_the_engine(
    engine: Engine, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's order
    now = datetime.now(UTC) - timedelta(hours=6)
    received = {"received_at": now.isoformat(), "processed_at": now.date().isoformat()}
    notices = {kind: await engine.notice(**received) for kind in ENDS}
    lines = [text for kind, notice in notices.items() for text in _story(notice, kind, now)]
    lines += chance.choices(lines, k=6)
    chance.shuffle(lines)
    feed = tmp_path / "feed.jsonl"
    feed.write_text("\n".join(lines))
    report = await take_file(intake_of(engine), feed, datetime.now(UTC))
    assert (report.accepted, report.duplicates, report.rejected) == (len(lines) - 6, 6, 0)
    for kind, (status, reinstated, written_off) in ENDS.items():
        case = engine.handle(notices[kind]["dispute_id"])
        end = await engine.until(
            case,
            lambda it: it.status == status and it.written_off == written_off,  # noqa: B023 - waited for here
        )
        assert (end.reinstated, end.written_off) == (reinstated, written_off), kind
