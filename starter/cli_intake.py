"""The command that takes feeds: from a file, a pipe or a watched folder."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from disputes.errors import InvalidMessage
from disputes.store.intake import IntakeBook
from starter.cli_office import AsJson, Office, office, print_json
from starter.feed_file import How, Watcher, take_file, take_pipe
from starter.feed_stream import FeedKind
from starter.intake import Intake
from starter.mapping import load_mapping
from starter.progress import FeedReport
from starter.render import console, note, say, table
from starter.watch import watch

SOME_REJECTED = 3
_PIPE = Path("-")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("intake")(intake)


def intake(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSON Lines or CSV, plain, gzip or zstd; - for a pipe."),
    ] = None,
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--watch", exists=True, file_okay=False, help="Take what comes in here."),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(help="Another provider's CSV: a TOML file, or the name of a shipped one."),
    ] = None,
    kind: Annotated[
        FeedKind | None, typer.Option("--format", help="Where no file name tells it.")
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Where rejected lines go.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a feed; exit code 3 when lines were rejected."""
    _check(file, folder, rejected, resume=resume)
    known = load_mapping(mapping) if mapping else None
    how = How(mapping=known, kind=kind, rejected=rejected, resume=resume or folder is not None)
    if folder is not None:
        asyncio.run(_watch(folder, how, as_json=as_json))
        return
    feed = file or _PIPE
    size = None if feed == _PIPE else feed.stat().st_size
    report = asyncio.run(_take(feed, how, size))
    if as_json:
        print_json(report)
    else:
        _tell(report)
    if report.damage:
        raise InvalidMessage({"feed": report.damage}, what="the file")
    if report.rejected:
        sys.stderr.write(f"disputes: {report.rejected} lines rejected: {report.rejected_file}\n")
        raise typer.Exit(SOME_REJECTED)


def _check(file: Path | None, folder: Path | None, rejected: Path | None, *, resume: bool) -> None:
    if (file is None) == (folder is None):
        raise typer.BadParameter("give either a file or --watch with a folder")
    if file is not None and file != _PIPE and not file.is_file():
        raise typer.BadParameter(f"{file} does not exist, or is no file")
    if file == _PIPE and resume:
        raise typer.BadParameter("a pipe cannot be resumed; what was taken is known all the same")
    if folder is not None and rejected is not None:
        raise typer.BadParameter("--rejected is for one feed; in a folder each has its own")


async def _take(file: Path, how: How, size: int | None) -> FeedReport:
    async with office() as opened:
        taker = _taker(opened)
        with _bar(size) as tell:
            how = How(how.mapping, how.kind, how.rejected, how.resume, tell)
            if file != _PIPE:
                return await take_file(taker, file, _now(), how)
            rejected = how.rejected or Path("stdin.rejected.jsonl")
            return await take_pipe(taker, sys.stdin.buffer, rejected, _now, how)


def _now() -> datetime:
    return datetime.now(UTC)


def _taker(opened: Office) -> Intake:
    return Intake(opened.desk, IntakeBook(opened.store), opened.payments)


async def _watch(folder: Path, how: How, *, as_json: bool) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _interrupt)
    note(f"watching {folder} until Ctrl-C")
    async with office() as opened:
        taker = _taker(opened)
        async with aclosing(watch(taker, folder, how)) as feeds:
            async for taken in feeds:
                if as_json:
                    told = {"feed": str(taken.feed), "failed": taken.failed}
                    print_json(told | taken.report.model_dump(mode="json"))
                else:
                    say(f"{taken.feed}: {taken.failed or _counts(taken.report)}")
                sys.stdout.flush()


def _interrupt() -> None:
    # Not by a SIGINT: what a script starts in the background ignores that.
    raise KeyboardInterrupt


@contextmanager
def _bar(size: int | None) -> Iterator[Watcher | None]:
    """A bar on stderr, where somebody looks at it."""
    err = Console(stderr=True)
    if not err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as bar:
        task = bar.add_task("intake", total=size)

        def tell(read: int, report: FeedReport) -> None:
            bar.update(task, completed=read, description=_counts(report))

        yield tell


def _counts(report: FeedReport) -> str:
    taken = f"accepted {report.accepted}, duplicates {report.duplicates}"
    replaced = f", replaced {report.replaced}" if report.replaced else ""
    return f"{taken}, rejected {report.rejected}{replaced}"


def _tell(report: FeedReport) -> None:
    say(_counts(report))
    if report.rejected_lines:
        rows = (
            (line.line_number, name, reason)
            for line in report.rejected_lines
            for name, reason in line.reasons.items()
        )
        console().print(table("Rejected lines", (">line", "field", "reason"), rows))
