"""A whole feed from a file: order, damage and repetition."""

import asyncio
import errno
import gzip
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowHandle,
)
from temporalio.service import RPCError, RPCStatusCode

from disputes.errors import ConfigurationError, Unreachable
from disputes.store.engine import Store
from disputes.store.intake import IntakeBook
from disputes.store.register import SqlRegister
from disputes.store.rejected import RejectedBook
from starter.client import DisputeDesk
from starter.feed_file import How, take_file
from starter.feed_stream import FeedForm, take_feed
from starter.intake import Intake, Outcome
from starter.lines import MAX_LINE_BYTES
from starter.temporal_server import start_temporal
from starter.watch import watch
from tests.support.desk import desk_of, evidence, intake_of, line, opened, payment_desk_of, ruling
from tests.support.engine import Engine
from workflows.connection import connect

CARD = "4111111111111111"
_COLUMNS = (
    "dispute_id",
    "merchant_id",
    "payment_id",
    "stage",
    "network",
    "reason_code",
    "amount",
    "currency",
    "received_at",
)


def _now() -> datetime:
    return datetime.now(UTC)


async def _outcomes(engine: Engine, texts: list[str]) -> list[tuple[int, Outcome]]:
    """Take lines as they come in small pieces; of each its number and what became of it."""

    async def pieces() -> AsyncGenerator[bytes]:
        feed = "\n".join(texts).encode()
        for start in range(0, len(feed), 1000):
            yield feed[start : start + 1000]

    async with aclosing(take_feed(intake_of(engine), pieces(), FeedForm(), _now)) as lines:
        return [(taken.raw.number, taken.result.outcome) async for taken in lines]


def _rejected(feed: Path) -> list[dict[str, Any]]:
    file = feed.with_name(f"{feed.name}.rejected.jsonl")
    return [json.loads(row) for row in file.read_text(encoding="utf-8").splitlines()]


async def test_what_cannot_be_taken_never_stops_the_rest(engine: Engine, tmp_path: Path) -> None:
    """Damage of every kind between good lines; line numbers, reasons and the lines are kept."""
    first, second = await engine.notice(), await engine.notice()
    feed = tmp_path / "feed.jsonl"
    rows = [
        b"\xef\xbb\xbf" + opened(first).encode() + b"\r\n",
        b"\n",
        b'{"event_id": "cut off\n',
        b'{"event_id": "\xff\xfe"}\n',
        b'{"pad": "' + b"x" * MAX_LINE_BYTES + b'"}\n',
        f"paid with {CARD}\n".encode(),
        (opened(first) + "\n").encode(),
        opened(second).encode(),  # the last line has no end
    ]
    feed.write_bytes(b"".join(rows))
    report = await take_file(intake_of(engine), feed, _now())
    assert (report.accepted, report.duplicates, report.rejected) == (2, 1, 4)
    rejected = _rejected(feed)
    assert [entry["line_number"] for entry in rejected] == [3, 4, 5, 6]
    assert [entry["reasons"]["line"] for entry in rejected] == [
        "is not valid JSON",
        "is not UTF-8",
        f"is longer than {MAX_LINE_BYTES} bytes",
        "is not valid JSON",
    ]
    assert rejected[0]["line"] == '{"event_id": "cut off'
    assert "redacted" not in rejected[0]
    for notice in (first, second):
        await desk_of(engine).status(notice["dispute_id"])


async def test_card_numbers_never_reach_the_file_of_rejected_lines(
    engine: Engine, tmp_path: Path
) -> None:
    notice = await engine.notice(arn=CARD, cvv="737")
    feed = tmp_path / "feed.jsonl"
    text = opened(notice)
    feed.write_text(text + "\n")
    report = await take_file(intake_of(engine), feed, _now())
    assert set(report.rejected_lines[0].reasons) == {"data.arn", "data.cvv"}
    (entry,) = _rejected(feed)
    assert entry["redacted"] is True
    assert entry["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert CARD not in entry["line"]
    assert "737" not in entry["line"]
    assert json.loads(entry["line"])["data"]["merchant_id"] == "M-1"


async def test_no_name_of_a_field_or_a_file_stops_a_feed(engine: Engine, tmp_path: Path) -> None:
    """Half a surrogate pair is a name in JSON, and any bytes are one of a file."""
    feed = tmp_path / os.fsdecode(b"f\xfc.jsonl")
    named = f'{{"event_id": "E", "type": "dispute.evidence", "data": {{"\\ud800": "{CARD}"}}}}'
    good = opened(await engine.notice())
    feed.write_text(f"{named}\n{good}\n")
    report = await take_file(intake_of(engine), feed, _now())
    assert (report.accepted, report.rejected) == (1, 1)
    (entry,) = _rejected(feed)
    assert entry["reasons"]["data.\\ud800"] == "must not hold a card number"
    assert CARD not in f"{entry} {report}"
    assert "f\\xfc." in json.loads(report.model_dump_json())["rejected_file"]


async def test_what_was_rejected_is_listed_once_however_often_the_feed_comes(
    alone: Engine, tmp_path: Path
) -> None:
    """In more lines than are kept together, and one that is nothing but reasons."""
    feed = tmp_path / f"of {CARD}.jsonl"
    many = line("dispute.opened", "E", {f"field_{number}": number for number in range(20_000)})
    lines = [*(f"wrong {number}" for number in range(1100)), many, f"paid with {CARD}"]
    feed.write_text("\n".join([*lines, lines[0]]))
    for _ in range(2):
        report = await take_file(intake_of(alone), feed, _now())
        assert (report.rejected, len(_rejected(feed))) == (len(lines) + 1, len(lines) + 1)
    found = {it.line_number: it for it in RejectedBook(alone.store).page(None, 5000)}
    assert sorted(found) == list(range(1, len(lines) + 1))
    assert found[1].sha256 == hashlib.sha256(b"wrong 0").hexdigest()
    assert (len(found[1101].reasons), found[1101].cut) == (51, True)
    assert found[1102].redacted
    assert CARD not in f"{found[1102]}"
    assert {it.feed for it in found.values()} == {"of [removed].jsonl"}


class _BreaksOff(RejectedBook):
    """A book whose first transactions are lost, as by a database that changes its server."""

    def __init__(self, store: Store, times: int = 1) -> None:
        super().__init__(store)
        self._times = times

    def keep(self, entries: Sequence[dict[str, object]]) -> None:
        self._times -= 1
        if self._times >= 0:
            raise Unreachable("the database has gone")
        super().keep(entries)


async def test_no_rejected_line_is_lost_with_a_transaction_that_was_to_keep_it(
    alone: Engine, tmp_path: Path
) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text("\n".join(f"wrong {number}" for number in range(600)))
    taker = intake_of(alone)
    taker.rejected = _BreaksOff(alone.store)
    with pytest.raises(Unreachable):
        await take_file(taker, feed, _now())
    report = await take_file(taker, feed, _now(), How(resume=True))
    kept = {it.line_number for it in RejectedBook(alone.store).page(None, 5000)}
    assert kept == set(range(1, 601))
    assert (report.rejected, len(_rejected(feed))) == (600, 600)


async def test_a_way_through_a_feed_that_ends_early_leaves_no_place_of_the_one_before(
    alone: Engine, tmp_path: Path
) -> None:
    """The place names bytes of a file of rejected lines that has begun anew."""
    rows = gzip.compress("\n".join(f"wrong {number}" for number in range(600)).encode())
    feed = tmp_path / "feed.jsonl.gz"
    feed.write_bytes(rows[:-20])
    assert (await take_file(intake_of(alone), feed, _now())).damage is not None
    assert (tmp_path / "feed.jsonl.gz.progress").exists()
    feed.write_bytes(rows)
    broken = intake_of(alone)
    broken.rejected = _BreaksOff(alone.store, times=100)
    with pytest.raises(Unreachable):
        await take_file(broken, feed, _now())
    report = await take_file(intake_of(alone), feed, _now(), How(resume=True))
    assert (report.rejected, len(_rejected(feed))) == (600, 600)


async def test_a_feed_without_faults_leaves_no_file_of_rejected_lines(
    engine: Engine, tmp_path: Path
) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_text("{}\n")
    assert (await take_file(intake_of(engine), feed, _now())).rejected == 1
    feed.write_text(opened(await engine.notice()))
    report = await take_file(intake_of(engine), feed, _now())
    assert (report.rejected, report.rejected_file) == (0, None)
    assert not (tmp_path / "feed.jsonl.rejected.jsonl").exists()


async def test_rejected_lines_may_go_to_a_named_pipe_which_stays(
    engine: Engine, tmp_path: Path
) -> None:
    feed, pipe = tmp_path / "feed.jsonl", tmp_path / "pipe"
    feed.write_text("{}\n")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        await take_file(intake_of(engine), feed, _now(), How(rejected=pipe))
        assert json.loads(os.read(reader, 10_000))["line_number"] == 1
    finally:
        os.close(reader)
    assert pipe.is_fifo()


async def test_lines_of_one_dispute_keep_their_order_among_others(engine: Engine) -> None:
    notices = [await engine.notice() for _ in range(4)]
    ids = [notice["dispute_id"] for notice in notices]
    texts = [opened(notice) for notice in notices]
    # Sent at the last moment at which evidence is taken; the ruling ends that.
    texts += [evidence(case_id, f"{case_id}.{n}") for n in range(12) for case_id in ids]
    texts += [ruling(case_id, "merchant_won") for case_id in ids]
    told = await _outcomes(engine, texts)
    assert told == [(number, Outcome.ACCEPTED) for number in range(1, len(texts) + 1)]
    for case_id in ids:
        await engine.until(engine.handle(case_id), lambda it: it.status == "won")
        entries = await desk_of(engine).timeline(case_id)
        added = [entry.data["evidence"] for entry in entries if entry.what == "evidence_added"]
        assert [item["evidence_id"] for item in added if isinstance(item, dict)] == [
            f"{case_id}.{n}" for n in range(12)
        ]


async def test_a_feed_sent_twice_at_once_opens_each_case_once(engine: Engine) -> None:
    notices = [await engine.notice() for _ in range(8)]
    texts = [opened(notice) for notice in notices]
    both = await asyncio.gather(_outcomes(engine, texts), _outcomes(engine, texts))
    assert Outcome.REJECTED not in [outcome for told in both for _, outcome in told]
    for notice in notices:
        case = engine.handle(notice["dispute_id"])
        await engine.settled(case, 1)
        told = [entry.what for entry in await desk_of(engine).timeline(notice["dispute_id"])]
        assert told.count("opened") == 1
        assert not [what for what in told if what == "not_taken"]


async def test_a_feed_that_stays_open_for_days_takes_the_notices_of_each_day(
    engine: Engine,
) -> None:
    today = _now()
    moment = today - timedelta(days=2)
    received = [moment, today]
    first, second = [await engine.notice(received_at=at.isoformat()) for at in received]

    async def pieces() -> AsyncGenerator[bytes]:
        nonlocal moment
        yield f"{opened(first)}\n{opened(second, 'E-early')}\n".encode()
        moment = today
        yield opened(second).encode()

    feed = take_feed(intake_of(engine), pieces(), FeedForm(), lambda: moment)
    async with aclosing(feed) as lines:
        results = [taken.result async for taken in lines]
    told = [result.outcome for result in results]
    assert told == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED]
    assert results[1].reasons == {"data.received_at": "is more than a day in the future"}


async def test_with_temporal_away_nothing_is_lost(engine: Engine, tmp_path: Path) -> None:
    """The intake says so, and takes the same line once a server is there."""
    notice = await engine.notice()
    server = await start_temporal(os.environ, log=tmp_path / "temporal.log")
    client = await connect(server.env)
    await server.child.stop()
    desk = DisputeDesk(client, SqlRegister(engine.store), engine.settings.task_queue)
    intake = Intake(desk, IntakeBook(engine.store), payment_desk_of(engine))
    with pytest.raises(Unreachable):
        await intake.take_line(opened(notice), _now())
    again = await intake_of(engine).take_line(opened(notice), _now())
    assert again.outcome is Outcome.ACCEPTED
    assert (await desk_of(engine).status(notice["dispute_id"])).dispute_id == notice["dispute_id"]


async def test_a_feed_that_comes_under_the_name_of_the_one_being_taken_is_taken_next(
    engine: Engine, tmp_path: Path
) -> None:
    texts = [opened(await engine.notice()) for _ in range(2)]
    coming = list(texts)

    def deliver(*_: object) -> None:
        if coming:
            (tmp_path / "x.jsonl.part").write_text(coming.pop(0))
            (tmp_path / "x.jsonl.part").rename(tmp_path / "x.jsonl")

    deliver()
    how = How(resume=True, tell=deliver)  # told while the first is under way still
    async with asyncio.timeout(60), aclosing(watch(intake_of(engine), tmp_path, how)) as feeds:
        first, second = await anext(feeds), await anext(feeds)
    assert (first.feed, second.feed) == (
        tmp_path / "done" / "x.jsonl",
        tmp_path / "done" / "2.x.jsonl",
    )
    assert [it.feed.read_text() for it in (first, second)] == texts
    assert (first.report.accepted, second.report.accepted) == (1, 1)


async def test_a_file_that_cannot_be_opened_holds_up_none_that_can(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was delivered for its sender's eyes only; whoever runs as root may open it."""
    (tmp_path / "a.jsonl").write_bytes(b"{}")
    (tmp_path / "b.jsonl").write_text(opened(await engine.notice()))
    whole = Path.open

    def denied(path: Path, mode: str = "r", *more: Any, **named: Any) -> IO[Any]:  # noqa: ANN401 - as Path.open
        if path.name == "a.jsonl":
            raise PermissionError(errno.EACCES, "Permission denied")
        return whole(path, mode, *more, **named)

    monkeypatch.setattr(Path, "open", denied)
    how = How(resume=True)
    async with asyncio.timeout(60), aclosing(watch(intake_of(engine), tmp_path, how)) as feeds:
        first, second = await anext(feeds), await anext(feeds)
    assert first.feed == tmp_path / "failed" / "a.jsonl"
    assert first.failed == "the file cannot be opened: Permission denied"
    assert (second.failed, second.report.accepted) == (None, 1)


class _Expired(Interceptor):
    """A server that no longer knows our key."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 - the SDK's name
        return _Refuses(next)


class _Refuses(OutboundInterceptor):
    async def start_workflow(self, _input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        raise RPCError("the key has expired", RPCStatusCode.PERMISSION_DENIED, b"")


async def test_a_temporal_server_that_refuses_us_ends_the_watcher_and_no_feed(
    engine: Engine, tmp_path: Path
) -> None:
    """A key that has expired is not the feed's fault: it is taken once that is mended."""
    client = Client(**(engine.client.config() | {"interceptors": [_Expired()]}))
    desk = DisputeDesk(client, SqlRegister(engine.store), engine.settings.task_queue)
    feed = opened(await engine.notice())
    (tmp_path / "a.jsonl").write_text(feed)
    how = How(resume=True)
    refused = Intake(desk, IntakeBook(engine.store), payment_desk_of(engine))
    with pytest.raises(ConfigurationError):
        async with asyncio.timeout(60), aclosing(watch(refused, tmp_path, how)) as feeds:
            await anext(feeds)
    assert (tmp_path / "taking" / "a.jsonl").read_text() == feed
    async with asyncio.timeout(60), aclosing(watch(intake_of(engine), tmp_path, how)) as feeds:
        assert (await anext(feeds)).report.accepted == 1


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
async def test_a_file_that_only_begins_like_the_one_that_was_under_way_is_refused(
    alone: Engine, tmp_path: Path, kind: str
) -> None:
    """Reports that repeat the old rows come under one name; the kept place is in none but one."""

    def part(name: str, count: int) -> bytes:
        rows = "".join(f"{name} {number:04d}.{'x' * 90}\n" for number in range(count))
        return gzip.compress(rows.encode(), compresslevel=0)  # the file is as long as its lines

    header = gzip.compress(f"{','.join(_COLUMNS)}\n".encode() if kind == "csv" else b"")
    head, end = header + part("old", 1000), part("end", 1000)
    feed = tmp_path / f"feed.{kind}.gz"
    feed.write_bytes(head + part("mine", 500) + end[: len(end) // 2])
    assert (await take_file(intake_of(alone), feed, _now())).damage is not None
    kept = (tmp_path / f"{feed.name}.progress").read_bytes()
    listed = RejectedBook(alone.store).page(None, 5000)
    assert len(listed) > 1700
    for other in (part("theirs", 500) + part("more", 3000), b"\0" * len(end) * 2):
        feed.write_bytes(head + other)
        with pytest.raises(ConfigurationError, match="another file; without --resume"):
            await take_file(intake_of(alone), feed, _now(), How(resume=True))
        assert RejectedBook(alone.store).page(None, 5000) == listed
        assert (tmp_path / f"{feed.name}.progress").read_bytes() == kept
    feed.write_bytes(head + part("mine", 500) + end)
    whole = await take_file(intake_of(alone), feed, _now(), How(resume=True))
    assert (whole.rejected, len(_rejected(feed))) == (2500, 2500)
