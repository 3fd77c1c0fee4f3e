"""Takes a feed from a file and leaves beside it the lines that could not be taken."""

import json
from contextlib import ExitStack, aclosing
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel

from starter.feed import rejection
from starter.intake import Intake, LineResult, Outcome, RawLine, raw_lines

#: Rejected lines that a report names; the file has them all.
_SHOWN = 20


class RejectedLine(BaseModel):
    """Why a line could not be taken; ``reasons`` by field."""

    line_number: int
    reasons: dict[str, str]


class FeedReport(BaseModel):
    """What became of a feed; ``rejected_lines`` are the first ones."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_file: str | None = None
    rejected_lines: list[RejectedLine] = []


async def take_file(intake: Intake, feed: Path, now: datetime) -> FeedReport:
    """Take every line of ``feed`` (JSON Lines); rejected ones go to ``<feed>.rejected.jsonl``.

    Args:
        intake: where lines go.
        feed: the file.
        now: this moment (UTC).

    Raises:
        OSError: the file cannot be read, or its folder not written to.
        Unreachable: Temporal is away; run it again, what was taken is known.
    """
    report = FeedReport()
    target = feed.with_name(f"{feed.name}.rejected.jsonl")
    with ExitStack() as files:
        source = files.enter_context(feed.open("rb"))
        target.unlink(missing_ok=True)
        rejected: TextIO | None = None
        async with aclosing(intake.take_lines(raw_lines(source), now)) as results:
            async for raw, result in results:
                if result.outcome is Outcome.REJECTED:
                    rejected = rejected or files.enter_context(target.open("w", encoding="utf-8"))
                    _write(rejected, raw, result)
                _count(report, raw, result)
    if report.rejected:
        report.rejected_file = str(target)
    return report


def _write(rejected: TextIO, raw: RawLine, result: LineResult) -> None:
    entry = rejection(raw.number, raw.content, result.reasons)
    rejected.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _count(report: FeedReport, raw: RawLine, result: LineResult) -> None:
    match result.outcome:
        case Outcome.ACCEPTED:
            report.accepted += 1
        case Outcome.DUPLICATE:
            report.duplicates += 1
        case Outcome.REJECTED:
            report.rejected += 1
            if len(report.rejected_lines) < _SHOWN:
                shown = RejectedLine(line_number=raw.number, reasons=result.reasons)
                report.rejected_lines.append(shown)
