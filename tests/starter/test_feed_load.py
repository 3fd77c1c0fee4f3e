"""A feed of very many short lines, or of very long ones, leaves memory and turns to others."""

import asyncio
import gzip
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
import zstandard

from disputes.errors import InvalidMessage
from disputes.store.intake import IntakeBook
from disputes.store.rejected import RejectedBook
from starter.decompress import Encoding
from starter.feed import Entry, rejection
from starter.feed_stream import FeedForm, FeedKind, Position, Taken, take_feed
from starter.intake import Clock, Intake, LineReader, LineResult, Outcome
from starter.lines import RawLine
from starter.rejected import RejectedLines
from tests.support.desk import desk_of, intake_of, payment_desk_of
from tests.support.engine import Engine

LINES = 2000
START = Position()
NOTICE = "dispute_id,merchant_id,payment_id,stage,network,reason_code,amount,currency,received_at"
FORMS = [FeedForm(kind, encoding) for kind in FeedKind for encoding in Encoding]


class _Batches(Intake):
    """An intake that notes how many lines it is handed at once."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(desk_of(engine), IntakeBook(engine.store), payment_desk_of(engine))
        self.sizes: list[int] = []

    def take_lines(
        self, batches: AsyncIterable[Sequence[RawLine]], read: LineReader, now: Clock
    ) -> AsyncGenerator[tuple[RawLine, LineResult]]:
        """Take them all the same."""

        async def noted() -> AsyncGenerator[Sequence[RawLine]]:
            async for batch in batches:
                self.sizes.append(len(batch))
                yield batch

        return super().take_lines(noted(), read, now)


def _now() -> datetime:
    return datetime.now(UTC)


def _feed(form: FeedForm) -> bytes:
    header = f"{NOTICE}\n" if form.kind is FeedKind.CSV else ""
    return (header + "1\n" * LINES).encode()


def _packed(encoding: Encoding, data: bytes) -> bytes:
    match encoding:
        case Encoding.PLAIN:
            return data
        case Encoding.GZIP:
            return gzip.compress(data)
        case Encoding.ZSTD:
            return zstandard.compress(data)


async def _taken(
    intake: Intake, body: bytes, form: FeedForm, start: Position = START
) -> AsyncGenerator[Taken]:
    async def chunks() -> AsyncGenerator[bytes]:
        yield body

    async with aclosing(take_feed(intake, chunks(), form, _now, start)) as lines:
        async for taken in lines:
            yield taken


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_no_more_lines_are_read_at_once_than_may_be_under_way(
    engine: Engine, form: FeedForm
) -> None:
    intake = _Batches(engine)
    body = _packed(form.encoding, _feed(form))
    numbers = [taken.raw.number async for taken in _taken(intake, body, form)]
    first = 2 if form.kind is FeedKind.CSV else 1
    assert numbers == list(range(first, first + LINES))
    assert max(intake.sizes) == 256


@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_a_feed_of_many_lines_goes_on_behind_any_of_them(
    engine: Engine, form: FeedForm
) -> None:
    intake = intake_of(engine)
    body = _packed(form.encoding, _feed(form))
    whole = [taken.raw async for taken in _taken(intake, body, form)]
    for place in (0, 255, 256, 1000, LINES - 1):
        last = whole[place]
        start = Position(last.end, last.last, last.sha256.hex())
        rest = [taken.raw async for taken in _taken(intake, body, form, start)]
        assert rest == whole[place + 1 :]


@pytest.mark.parametrize("form", [it for it in FORMS if it.encoding is not Encoding.PLAIN], ids=str)
async def test_all_lines_before_the_damage_are_taken_before_it_is_told(
    engine: Engine, form: FeedForm
) -> None:
    good = _packed(form.encoding, _feed(form))
    body = good + _packed(form.encoding, b"2\n")[:-4]
    taken: list[bytes] = []

    async def take() -> None:
        async for line in _taken(intake_of(engine), body, form):
            taken.append(line.raw.content)  # noqa: PERF401 - those before the error count

    with pytest.raises(InvalidMessage, match="ends early"):
        await take()
    assert taken[:LINES] == [b"1"] * LINES


async def test_a_header_without_an_end_is_no_record_too(engine: Engine) -> None:
    form = FeedForm(FeedKind.CSV)
    assert [it async for it in _taken(intake_of(engine), NOTICE.encode(), form)] == []


async def test_others_go_on_while_lines_are_read(engine: Engine) -> None:
    """The line cannot be read before somebody else has had a turn."""
    turn, came = threading.Event(), []
    asyncio.get_running_loop().call_soon(turn.set)

    def read(raw: bytes, now: datetime) -> Entry:  # noqa: ARG001 - the names that readers have
        came.append(turn.wait(5))
        raise InvalidMessage({"line": "is bad"}, what="the line")

    async def batches() -> AsyncGenerator[list[RawLine]]:
        yield [RawLine(1, b"x")]

    async with aclosing(intake_of(engine).take_lines(batches(), read, _now)) as lines:
        assert [result.outcome async for _, result in lines] == [Outcome.REJECTED]
    assert came == [True]


@pytest.mark.parametrize("kind", FeedKind)
async def test_others_go_on_while_nothing_but_ends_of_lines_comes(
    engine: Engine, kind: FeedKind
) -> None:
    turns: list[str] = []
    asyncio.get_running_loop().call_soon(turns.append, "other")

    async def chunks() -> AsyncGenerator[bytes]:
        yield b"\n" * 1000
        turns.append("next piece")
        yield f"{NOTICE}\n".encode()
        turns.append("end")

    form = FeedForm(kind)
    async with aclosing(take_feed(intake_of(engine), chunks(), form, _now)) as lines:
        assert [it async for it in lines if it.result.outcome is not Outcome.REJECTED] == []
    assert turns == ["other", "next piece", "end"]


async def test_others_go_on_while_a_long_rejected_line_is_cleaned(engine: Engine) -> None:
    raw = RawLine(1, b'"' + b"1 " * 40_000 + b'4111111111111111"')
    reasons = {"line": "must be one JSON object"}
    kept = RejectedLines(RejectedBook(engine.store))
    turns: list[int] = []
    asyncio.get_running_loop().call_soon(turns.append, 1)
    entry = await kept.add(Taken(raw, LineResult(Outcome.REJECTED, reasons=reasons), None))
    assert turns == [1]
    assert entry == rejection(1, raw.content, reasons)
    assert "4111" not in str(entry["line"])
