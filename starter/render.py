"""Prints for people: nothing that a stranger wrote may steer the terminal."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from disputes.money import to_decimal

#: Control characters; texts of notices, notes and evidence come from outside.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


#: Columns where nobody's window is the limit.
_FILE_WIDTH = 140


def plain(text: str) -> str:
    """``text`` without control characters."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def console() -> Console:
    """Where people read; made for each command, for its output may have been redirected."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = max(made.width, _FILE_WIDTH)
    return made


def note(line: str) -> None:
    """Tell what is going on, beside the output: on stderr."""
    sys.stderr.write(f"{plain(line)}\n")
    sys.stderr.flush()


def say(line: str) -> None:
    """Print one line."""
    console().print(Text(plain(line)), soft_wrap=True)


def table(title: str | None, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table of plain cells; ``None`` is an empty one.

    A column named with a leading ``>`` is set to the right.
    """
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        show_header=any(name.strip(">") for name in columns),
    )
    for name in columns:
        right = name.startswith(">")
        made.add_column(
            name.removeprefix(">"), justify="right" if right else "left", overflow="fold"
        )
    for row in rows:
        made.add_row(*(Text("" if cell is None else plain(str(cell))) for cell in row))
    return made


def when(moment: datetime | None) -> str:
    """A moment in UTC, to the minute."""
    return moment.strftime("%Y-%m-%d %H:%MZ") if moment else ""


def amount(minor: int, currency: str) -> str:
    """Minor units as a decimal amount with its currency."""
    return f"{to_decimal(minor, currency)} {currency}"


def say_result(dispute_id: str, command: str, result: Mapping[str, object]) -> None:
    """Print what a command did."""
    done = command.replace("_", " ")
    if result.get("request_id"):
        say(f"{dispute_id}: {done} waits for a second person: request {result['request_id']}")
    elif "status" in result:
        say(f"{dispute_id}: {done} done; the case is {result['status']}")
    else:
        say(f"{dispute_id}: {done} done")


def say_checklist(checklist: Mapping[str, object]) -> None:
    """Print where the evidence stands, as ``add_evidence`` answers it."""
    missing = checklist.get("missing")
    if checklist.get("satisfied"):
        say("the checklist is complete")
    elif checklist.get("unruled"):
        say("no rule names the evidence for this reason code: a person decides")
    elif isinstance(missing, list):
        say(f"still missing: {', '.join(str(item) for item in missing)}")
