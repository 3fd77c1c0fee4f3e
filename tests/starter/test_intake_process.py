"""The intake as a process: killed and resumed, fed by a pipe, watching a folder."""

import asyncio
import gzip
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlmodel import col, func, select

from disputes.store.rejected import RejectedBook
from disputes.store.tables import IntakeRow, MerchantMonthRow
from tests.support.command import disputes
from tests.support.desk import desk_of, evidence, line, opened
from tests.support.engine import Engine, Json

_RUN = "from starter.cli import main; main()"


@asynccontextmanager
async def _intake(engine: Engine, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``disputes intake`` as a process; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _RUN, "intake", *arguments),
        env=engine.env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def _month(merchant: str, count: int, event_id: str | None = None) -> str:
    data: Json = {
        "merchant_id": merchant,
        "network": "visa",
        "month": "2026-10",
        "settled_count": count,
        "settled_volume": "1000.00",
        "currency": "EUR",
        "fraud_reports": 3,
    }
    return line("merchant.month", event_id or f"{merchant}.{count}", data)


def _delivered(engine: Engine, prefix: str) -> int:
    asked = select(func.count()).where(
        col(IntakeRow.event_id).startswith(prefix), IntakeRow.state == "delivered"
    )
    with engine.store.read() as session:
        return session.exec(asked).one()


def _kept(engine: Engine, beginning: str) -> list[tuple[str | None, int]]:
    """File and number of every line that is listed as rejected and begins so."""
    found = RejectedBook(engine.store).page(None, 100_000)
    return sorted((it.feed, it.line_number) for it in found if it.line.startswith(beginning))


async def test_a_feed_that_was_killed_is_resumed_and_every_line_is_taken_once(
    engine: Engine, tmp_path: Path
) -> None:
    """SIGKILL at three places; cases, months and rejected lines come out as without it."""
    notices = [await engine.notice() for _ in range(3)]
    prefix = f"{notices[0]['dispute_id']}."
    told = [opened(notice, f"{prefix}o{n}") for n, notice in enumerate(notices)]
    rows = list(told)
    rows += [_month(f"{prefix}m{number}", number) for number in range(600)]
    rows += [evidence(notice["dispute_id"], f"{prefix}e{n}") for n, notice in enumerate(notices)]
    rows[10::50] = [f"not json {prefix}{number}" for number in range(len(rows[10::50]))]
    rows += told
    feed = tmp_path / "feed.jsonl"
    feed.write_text("\n".join(rows))
    for enough in (1, 150, 400):
        async with _intake(engine, str(feed), "--resume") as process:
            await _until(lambda: _delivered(engine, prefix) >= enough)  # noqa: B023 - waited for here
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL
    done = await disputes("intake", str(feed), "--resume", "--json", env=engine.env)
    assert done.code == 3, done.err
    rejected = (tmp_path / "feed.jsonl.rejected.jsonl").read_text().splitlines()
    wrong = [number for number, row in enumerate(rows, 1) if row.startswith("not json")]
    assert [json.loads(entry)["line_number"] for entry in rejected] == wrong
    assert json.loads(done.out)["rejected"] == len(wrong)
    assert _kept(engine, f"not json {prefix}") == [("feed.jsonl", number) for number in wrong]
    assert not (tmp_path / "feed.jsonl.progress").exists()
    assert _delivered(engine, prefix) == len(rows) - len(wrong) - len(notices)
    for notice in notices:
        await engine.settled(engine.handle(notice["dispute_id"]), 1)
        events = [entry.what for entry in await desk_of(engine).timeline(notice["dispute_id"])]
        assert events.count("opened") == events.count("evidence_added") == 1
    again = await disputes("intake", str(feed), "--json", env=engine.env)
    report = json.loads(again.out)
    assert (report["accepted"], report["duplicates"]) == (0, len(rows) - len(wrong))
    assert len(_kept(engine, f"not json {prefix}")) == len(wrong)


async def test_an_archive_that_ends_early_is_told_and_gone_on_with_once_it_is_whole(
    engine: Engine, tmp_path: Path
) -> None:
    merchant = engine.new_id()
    text = "\n".join(_month(f"{merchant}.m{number}", number) for number in range(400))
    whole = gzip.compress(text.encode())
    feed = tmp_path / "feed.jsonl.gz"
    feed.write_bytes(whole[: len(whole) // 2])
    early = await disputes("intake", str(feed), "--json", env=engine.env)
    taken = json.loads(early.out)["accepted"]
    assert early.code == 1
    assert "gzip archive: ends early" in early.err
    assert 0 < taken < 400
    feed.write_bytes(whole)
    done = await disputes("intake", str(feed), "--resume", "--json", env=engine.env)
    assert (done.code, json.loads(done.out)["accepted"]) == (0, 400)
    feed.write_bytes(gzip.compress(b"another"))
    # What an intake kept that did not keep all of it is not gone on with either.
    kept = {"size": 5, "head_sha256": "0" * 64}
    for more, told in (({"sha256": ""}, "belongs to another file"), ({}, "cannot be read")):
        (tmp_path / "feed.jsonl.gz.progress").write_text(json.dumps(kept | more))
        other = await disputes("intake", str(feed), "--resume", env=engine.env)
        assert other.code == 2
        assert f"{told}; without --resume" in other.err


@pytest.mark.parametrize("packed", [False, True])
async def test_a_pipe_is_taken_and_what_it_repeats_in_a_month_replaces(
    engine: Engine, tmp_path: Path, *, packed: bool
) -> None:
    merchant = engine.new_id()
    months = [_month(merchant, 7), _month(merchant, 8), _month(merchant, 7)]
    wrong = f"not json {merchant}"
    feed = "\n".join([*months[:2], wrong, months[2]]).encode()
    rejected = tmp_path / "rejected.jsonl"
    async with _intake(engine, "-", "--rejected", str(rejected), "--json") as process:
        out, _ = await process.communicate(gzip.compress(feed) if packed else feed)
        assert process.returncode == 3
    report = json.loads(out)
    told = (report["accepted"], report["replaced"], report["duplicates"], report["rejected"])
    assert told == (2, 1, 1, 1)
    assert json.loads(rejected.read_text())["line_number"] == 3
    assert _kept(engine, wrong) == [(None, 3)]
    with engine.store.read() as session:
        month = session.get_one(MerchantMonthRow, (merchant, "visa", "2026-10"))
    assert (month.settled_count, month.settled_minor, month.event_id) == (
        8,
        100000,
        f"{merchant}.8",
    )


async def test_what_a_pipe_rejected_is_in_the_file_while_nothing_more_comes(
    engine: Engine, tmp_path: Path
) -> None:
    rejected = tmp_path / "rejected.jsonl"
    async with _intake(engine, "-", "--rejected", str(rejected)) as process:
        assert process.stdin is not None
        process.stdin.write(b"not json\n")
        await process.stdin.drain()
        await _until(lambda: rejected.exists() and rejected.stat().st_size > 0)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert json.loads(rejected.read_text())["line_number"] == 1


async def test_a_file_that_cannot_be_written_is_told_in_words(
    engine: Engine, tmp_path: Path
) -> None:
    feed, nowhere = tmp_path / "feed.jsonl", tmp_path / "none" / "rejected.jsonl"
    feed.write_text("not json\n")
    done = await disputes("intake", str(feed), "--rejected", str(nowhere), env=engine.env)
    assert done.code == 2
    assert done.err.startswith(f"disputes: the file or folder {nowhere} cannot be used: No such")


async def test_csv_is_taken_and_rejected_by_record(engine: Engine, tmp_path: Path) -> None:
    notice = await engine.notice()
    amount = notice.pop("amount")
    cells = {**notice, **amount, "region": 'north, "east"'}
    good = ",".join('"' + str(cell).replace('"', '""') + '"' for cell in cells.values())
    bad = good.replace(notice["dispute_id"], "4111111111111111")
    feed = tmp_path / "feed.csv"
    feed.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([",".join(cells), bad, good, good]).encode())
    done = await disputes("intake", str(feed), "--json", env=engine.env)
    report = json.loads(done.out)
    assert (done.code, report["accepted"], report["duplicates"], report["rejected"]) == (3, 1, 1, 1)
    entry = (tmp_path / "feed.csv.rejected.jsonl").read_text()
    assert json.loads(entry)["reasons"] == {"dispute_id": "must not hold a card number"}
    assert "4111" not in entry
    feed.write_text("dispute_id,colour\nD-1,red\n")
    wrong = await disputes("intake", str(feed), env=engine.env)
    assert wrong.code == 1
    assert "column colour: is not a known column" in wrong.err
    assert "column amount: is required" in wrong.err


async def test_a_watched_folder_is_emptied_whenever_its_watcher_was_killed(
    engine: Engine, tmp_path: Path
) -> None:
    merchant = engine.new_id()
    taking, done, failed = (tmp_path / name for name in ("taking", "done", "failed"))

    def deliver(name: str, content: bytes) -> None:
        (tmp_path / f"{name}.part").write_bytes(content)
        (tmp_path / f"{name}.part").rename(tmp_path / name)

    months = [_month(f"{merchant}.w{number}", number) for number in range(500)]
    others = [_month(f"{merchant}.v{number}", number) for number in range(20)]
    deliver("a.jsonl", "\n".join(months).encode())
    async with _intake(engine, "--watch", str(tmp_path)) as process:
        await _until(lambda: _delivered(engine, merchant) > 50)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert (taking / "a.jsonl").exists()
    deliver("a.jsonl", "\n".join(others).encode())  # before the killed one is gone on with
    async with _intake(engine, "--watch", str(tmp_path)) as process:
        await _until((done / "2.a.jsonl").exists)
        deliver("b.jsonl", f"not json {merchant}\n".encode())
        deliver("c.csv", b"no,header\n")
        deliver("a.jsonl", "\n".join(months).encode())
        await _until((done / "3.a.jsonl").exists)
        await _until((failed / "c.csv").exists)
        process.send_signal(signal.SIGTERM)
        await process.wait()
    assert _delivered(engine, merchant) == len(months) + len(others)
    assert (done / "b.jsonl.rejected.jsonl").exists()
    assert _kept(engine, f"not json {merchant}") == [("b.jsonl", 1)]
    left = await asyncio.to_thread(lambda: [*tmp_path.iterdir(), *taking.iterdir()])
    assert set(left) == {taking, done, failed}


async def test_a_watcher_in_the_background_of_a_script_ends_when_it_is_told_to(
    engine: Engine, tmp_path: Path
) -> None:
    """There it ignores the signal of Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'trap "" INT; exec "$@"', "sh"),
        *(sys.executable, "-c", _RUN, "intake", "--watch", str(tmp_path)),
        env=engine.env,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    assert b"watching" in await process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(60):
            await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.communicate()
    assert process.returncode == 130


async def test_who_looks_at_a_terminal_sees_how_far_the_feed_is(
    engine: Engine, tmp_path: Path
) -> None:
    feed = tmp_path / "feed.jsonl"
    prefix = (await engine.notice())["dispute_id"]
    feed.write_text("\n".join(_month(f"{prefix}.bar{number}", number) for number in range(600)))
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _RUN, "intake", str(feed)),
        env={**engine.env, "TERM": "xterm", "COLUMNS": "120"},
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown, (out, _) = await asyncio.gather(asyncio.to_thread(_read, ours), process.communicate())
    assert process.returncode == 0, shown
    assert out.decode().strip() == "accepted 600, duplicates 0, rejected 0"
    assert "accepted 600, duplicates 0, rejected 0" in shown
    size = feed.stat().st_size / 1000
    assert f"{size:.1f}/{size:.1f} kB" in shown


def _read(terminal: int) -> str:
    """All that is written to a terminal until its other end is closed (Linux says EIO then)."""
    shown = b""
    with suppress(OSError):
        while piece := os.read(terminal, 4096):
            shown += piece
    os.close(terminal)
    return shown.decode()
