"""The demo: a feed played through the whole engine, and its verdict on the money."""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from disputes.errors import Unreachable
from disputes.ledger import Account
from disputes.notice import DisputeNotice
from disputes.store import Store, open_store
from disputes.store.ledger import LedgerBook
from starter.demo import play
from starter.demo_player import Played
from starter.demo_report import DemoReport, report_of
from starter.demo_script import EXAMPLES, DeskLine, FeedLine, Script, read_script
from starter.embedded import embedded_stack
from starter.feed import OpenedLine, read_line
from starter.intake import Outcome
from tests.support.command import Done, disputes

#: One case each: won, rebilled and then won after all, approved by a second person, too large.
CASES = ("D-1001", "D-1038", "D-1062", "D-1036")
LATER = datetime(2030, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 3, 4, 23, 30, tzinfo=UTC)
#: Nothing listens there: a demo that followed the environment would fail.
ELSEWHERE = {
    "TEMPORAL_ADDRESS": "127.0.0.1:9",
    "DISPUTES_GATEWAY_URL": "http://127.0.0.1:9",
    "DISPUTES_GATEWAY_ENTITY_ID": "real",
    "DISPUTES_GATEWAY_TOKEN": "real",
    "DISPUTES_DATABASE_URL": "sqlite:////nowhere/else.sqlite3",
}


def example_lines() -> list[str]:
    return (EXAMPLES / "feed.jsonl").read_text("utf-8").splitlines()


def lines_of(*cases: str) -> list[str]:
    """The examples' lines of some cases."""
    return [line for line in example_lines() if any(f'"{case}"' in line for case in cases)]


def write(feed: Path, lines: list[str]) -> Path:
    feed.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return feed


async def demo(folder: Path, feed: Path, *arguments: str) -> Done:
    """Run it as a person does, with every temporary file below ``folder``."""
    env = {**os.environ, **ELSEWHERE, "TMPDIR": str(folder)}
    return await disputes("demo", "--feed", str(feed), *arguments, env=env)


def kept_in(folder: Path) -> list[Path]:
    """Folders that demos left below ``folder``."""
    return list(folder.glob("disputes-demo-*"))


def logs_of(folder: Path) -> list[str]:
    return sorted(log.name for log in (folder / "logs").iterdir())


@dataclass
class Run:
    """A demo that was run, with the folder that it kept."""

    feed: Path
    report: DemoReport
    folder: Path


@pytest_asyncio.fixture(scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Run]:
    folder = tmp_path_factory.mktemp("demo")
    bad = [line for line in example_lines() if '"D-900' in line]
    good = lines_of(*CASES)
    feed = write(folder / "feed.jsonl", [*good[:2], *bad, *good[2:], good[0]])
    done = await demo(folder, feed, "--json", "--keep")
    assert done.code == 0, done.err
    (kept,) = kept_in(folder)
    yield Run(feed, DemoReport.model_validate_json(done.out), kept)


async def test_every_case_ends_as_its_story_tells_and_the_books_add_up(played: Run) -> None:
    report = played.report
    assert report.problems == []
    ends = {line.outcome: (line.cases, line.amounts) for line in report.outcomes}
    assert ends == {
        "won": (2, {"EUR": "202.00"}),
        "lost": (1, {"EUR": "60.00"}),
        "accepted": (1, {"EUR": "12500.00"}),
        "of them rebilled": (1, {"EUR": "110.00"}),
    }
    ledger = report.ledger
    assert ledger.balanced
    assert ledger.acquirer == ledger.gateway == {"EUR": "202.00"}
    assert [(note.dispute_id, note.amount) for note in ledger.unmirrored] == [("D-1036", "-10.00")]
    assert ledger.not_settled == []


async def test_lines_that_nobody_can_take_are_told_with_number_and_reason(played: Run) -> None:
    rejected = {line.line_number: line.reasons for line in played.report.rejected_lines}
    assert rejected.keys() == {3, 4, 5}
    assert rejected[3] == {"data.facts.description": "must not hold a card number"}
    assert rejected[5] == {"line": "is not valid JSON"}
    assert "4200000000000000" not in json.dumps(played.report.model_dump(mode="json"))


async def test_a_line_told_twice_is_taken_once(played: Run) -> None:
    lines = played.feed.read_text("utf-8").splitlines()
    report = played.report
    repeats = len(lines) - len(set(lines))
    assert (report.accepted, report.duplicates) == (len(set(lines)) - 3, repeats)


async def test_timers_fire_at_their_own_moments_though_weeks_pass_in_seconds(played: Run) -> None:
    ended = played.report.timeline[-1]
    assert (ended.what, ended.actor) == ("tail_end", "clock")
    assert timedelta() <= ended.recorded_at - ended.at < timedelta(minutes=1)


@pytest.fixture
def store(played: Run) -> Iterator[Store]:
    """The database that the demo left."""
    opened = open_store(f"sqlite:///{played.folder / 'disputes.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def script(played: Run) -> Script:
    return read_script(played.feed, datetime.now(UTC))


def as_played(run: Run) -> Played:
    outcomes = {
        Outcome.ACCEPTED: run.report.accepted,
        Outcome.DUPLICATE: run.report.duplicates,
        Outcome.REJECTED: len(run.report.rejected_lines),
    }
    return Played(outcomes=Counter(outcomes), rejected=list(run.report.rejected_lines))


async def test_one_cent_in_the_gateways_book_is_noticed(
    played: Run, store: Store, script: Script
) -> None:
    gateway = LedgerBook(store).positions(Account.ACQUIRER)
    assert report_of(script, as_played(played), store, gateway, 1.0).problems == []
    root, currency = next(iter(gateway))
    gateway[root, currency] += 1
    (problem,) = report_of(script, as_played(played), store, gateway, 1.0).problems
    assert root in problem


async def test_money_that_only_the_gateway_knows_is_noticed(
    played: Run, store: Store, script: Script
) -> None:
    gateway = LedgerBook(store).positions(Account.ACQUIRER) | {("f" * 32, "JPY"): 500}
    (problem,) = report_of(script, as_played(played), store, gateway, 1.0).problems
    assert "0, not 500 JPY" in problem


async def test_a_good_line_that_intake_lost_is_noticed(
    played: Run, store: Store, script: Script
) -> None:
    lost = as_played(played)
    lost.outcomes[Outcome.ACCEPTED] -= 1
    gateway = LedgerBook(store).positions(Account.ACQUIRER)
    assert len(report_of(script, lost, store, gateway, 1.0).problems) == 2


async def test_what_does_not_add_up_ends_with_an_error_and_keeps_the_logs(tmp_path: Path) -> None:
    """Two rulings under one event id: the second cannot be taken, and the story is not as told."""
    lines = lines_of("D-1001")
    ruling = next(json.loads(line) for line in lines if '"dispute.ruling"' in line)
    ruling["data"]["outcome"] = "cardholder_won"
    done = await demo(tmp_path, write(tmp_path / "feed.jsonl", [*lines, json.dumps(ruling)]))
    assert done.code == 1
    assert f"line {len(lines) + 1} of the feed was rejected" in done.out
    (kept,) = kept_in(tmp_path)
    assert str(kept / "logs") in done.err
    assert logs_of(kept) == ["sandbox.log", "temporal.log", "worker-1.log"]


async def test_a_worker_that_dies_ends_the_play_at_once(tmp_path: Path) -> None:
    script = read_script(write(tmp_path / "feed.jsonl", lines_of(*CASES)), datetime.now(UTC))
    async with embedded_stack(tmp_path / "stack", env=os.environ, time_skipping=True) as stack:
        playing = asyncio.create_task(play(stack, script))
        await stack.workers[0].stop(grace_s=0)
        with pytest.raises(Unreachable, match="worker-1 ended by itself"):
            await playing


async def test_a_feed_that_opens_nothing_is_wrong_usage(tmp_path: Path) -> None:
    done = await demo(tmp_path, write(tmp_path / "feed.jsonl", ['{"event_id": "E-1"}']))
    assert (done.code, kept_in(tmp_path)) == (2, [])
    assert "opens no dispute" in done.err


def notices(script: Script) -> list[DisputeNotice]:
    lines = (act for acts in script.acts.values() for act in acts if isinstance(act, FeedLine))
    read = (read_line(line.text, LATER).line for line in lines)
    return [line.data for line in read if isinstance(line, OpenedLine)]


def test_the_earliest_notice_came_an_hour_ago() -> None:
    script = read_script(EXAMPLES / "feed.jsonl", NOW)
    assert min(notice.received_at for notice in notices(script)) == NOW - timedelta(hours=1)


def test_no_notice_was_processed_after_it_came_though_midnight_is_near() -> None:
    told = notices(read_script(EXAMPLES / "feed.jsonl", NOW))
    ages = [(it.received_at.date() - it.processed_at).days for it in told if it.processed_at]
    assert ages
    assert set(ages) <= {0, 1}


def test_each_case_hears_of_everything_in_the_order_in_which_it_happened() -> None:
    script = read_script(EXAMPLES / "feed.jsonl", NOW)
    assert all(list(acts) == sorted(acts, key=lambda act: act.at) for acts in script.acts.values())
    assert any(isinstance(act, DeskLine) for act in script.acts["D-1001"])


def test_the_example_feed_has_three_lines_that_nobody_can_take() -> None:
    script = read_script(EXAMPLES / "feed.jsonl", NOW)
    assert [line.number for line in script.unreadable] == [41, 121, 201]
    assert script.lines == len(example_lines())


def test_a_payment_that_no_list_has_is_booked_as_disputed(tmp_path: Path) -> None:
    line: dict[str, Any] = json.loads(lines_of("D-1001")[0])
    line["data"]["payment_id"] = "e" * 32
    (tmp_path / "desk.jsonl").touch()
    script = read_script(write(tmp_path / "feed.jsonl", [json.dumps(line)]), NOW)
    (payment,) = script.payments
    assert (payment.payment_id, payment.amount, payment.currency) == ("e" * 32, "92.00", "EUR")
    assert len(script.acts["D-1001"]) == 1


@pytest.mark.parametrize(
    ("scenario", "days", "told"),
    [
        (
            "preauth",
            9,
            ["capture of 92.00 EUR settled", "35.00 EUR has lapsed", "authorized anew as"],
        ),
        (
            "refund",
            0,
            ["RF settled", "no_route", "CD settled", "holds the money", "should arrive by"],
        ),
        ("rebill", 2, ["RB settled", "only 2.00 EUR may be charged", "D-2 is won"]),
    ],
)
async def test_a_story_is_told_with_virtual_dates_and_ends_balanced(
    tmp_path: Path, scenario: str, days: int, told: list[str]
) -> None:
    began = datetime.now(UTC).replace(second=0, microsecond=0)
    env = {**os.environ, **ELSEWHERE, "TMPDIR": str(tmp_path)}
    done = await disputes("demo", "--scenario", scenario, env=env)
    assert done.code == 0, done.err
    for words in [*told, "balanced, and the acquirer's account is the gateway's own"]:
        assert words in done.out
    dated = re.findall(r"^ +(\d{4}-\d\d-\d\d \d\d:\d\dZ)  ", done.out, re.MULTILINE)
    assert max(map(datetime.fromisoformat, dated)) >= began + timedelta(days=days)
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
