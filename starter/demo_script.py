"""What the demo plays: a feed, the desk's commands and the payments, moved to this day."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from disputes.errors import ConfigurationError, InvalidMessage
from disputes.fields import Identifier, Moment
from disputes.money import Money
from disputes.notice import DisputeNotice
from starter.feed import (
    AuthorizationLine,
    Entry,
    EvidenceLine,
    MonthLine,
    NetworkEventLine,
    OpenedLine,
    RulingLine,
    read_line,
)

EXAMPLES = Path(__file__).parent.parent / "examples"
#: How long before its start the demo has its first notice.
_HEAD_START = timedelta(hours=1)
#: No line is early for a reader that looks from here: each is given when its moment has come.
_AFTER_ALL = datetime.fromisoformat("9000-01-01T00:00:00Z")
#: A date, or a moment, that is a whole JSON string.
_WHEN = re.compile(r'"(\d{4}-\d{2}-\d{2})(T[0-9:.]+(?:Z|[+-]\d{2}:\d{2}))?"')


class DeskLine(BaseModel):
    """A command of the merchant's desk; ``at`` is when it is given (UTC)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Moment
    dispute_id: Identifier
    command: str
    data: dict[str, object]


class PaymentLine(BaseModel):
    """A payment that the sandbox books before the first notice comes."""

    model_config = ConfigDict(frozen=True)

    payment_id: str
    payment_type: str = "DB"
    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class FeedLine:
    """A line of the feed, its number from 1, and the case's moment at which it comes (UTC).

    ``what`` names its content; it is empty for what cannot be read.
    """

    number: int
    text: str
    at: datetime
    what: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """What happens to each case, in order, and what the feed itself lets expect of intake.

    ``unreadable``: lines that no case could take; ``events``: how many different ones it tells.
    """

    acts: Mapping[str, tuple[FeedLine | DeskLine, ...]]
    unreadable: tuple[FeedLine, ...]
    events: int
    payments: tuple[PaymentLine, ...]

    @property
    def lines(self) -> int:
        """Lines of the feed, whatever they are."""
        told = sum(isinstance(act, FeedLine) for acts in self.acts.values() for act in acts)
        return told + len(self.unreadable)


def read_script(feed: Path, now: datetime) -> Script:
    """Read a feed, and what belongs to it, with the earliest notice an hour before ``now``.

    ``desk.jsonl`` and ``payments.jsonl`` beside the feed belong to it, or else the examples' own.
    A payment that they do not list is booked as a DB of what is disputed.

    Raises:
        ConfigurationError: a file cannot be read, or the feed has no notice.
    """
    text = _read(feed)
    entries = [entry for line in text.splitlines() if (entry := _entry(line))]
    notices = [entry.line.data for entry in entries if isinstance(entry.line, OpenedLine)]
    if not notices:
        raise ConfigurationError(f"{feed} opens no dispute: there is nothing to play")
    first = min(notice.received_at for notice in notices)
    shift = now - _HEAD_START - first
    acts, unreadable = _cases(_moved(text, first, shift), now)
    for act in _desk(_moved(_read(_beside(feed, "desk.jsonl")), first, shift)):
        if act.dispute_id in acts:
            acts[act.dispute_id].append(act)
    return Script(
        acts={case: tuple(sorted(told, key=lambda act: act.at)) for case, told in acts.items()},
        unreadable=unreadable,
        events=len({_told(entry) for entry in entries}),
        payments=_payments(notices, _read(_beside(feed, "payments.jsonl"))),
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None


def _beside(feed: Path, name: str) -> Path:
    own = feed.with_name(name)
    return own if own.is_file() else EXAMPLES / name


def _entry(line: str) -> Entry | None:
    try:
        return read_line(line, _AFTER_ALL)
    except InvalidMessage:
        return None


def _told(entry: Entry) -> tuple[str, str]:
    """What a line tells: a dispute opens once, however many lines say so."""
    line = entry.line
    return (line.type, line.data.dispute_id if isinstance(line, OpenedLine) else line.event_id)


def _moved(text: str, first: datetime, shift: timedelta) -> str:
    """``text`` with every moment and date moved; a day moves as ``first``'s time of it does."""

    def move(match: re.Match[str]) -> str:
        try:
            if match[2]:
                moved = datetime.fromisoformat(match[1] + match[2]) + shift
                return f'"{moved.isoformat(timespec="seconds").replace("+00:00", "Z")}"'
            day = datetime.combine(datetime.fromisoformat(match[1]), first.timetz())
            return f'"{(day + shift).date().isoformat()}"'
        except (ValueError, OverflowError):  # no moment at all: as bad as it came
            return match[0]

    return _WHEN.sub(move, text)


def _cases(
    text: str, now: datetime
) -> tuple[dict[str, list[FeedLine | DeskLine]], tuple[FeedLine, ...]]:
    """The feed's lines by case, and those that no case could take."""
    cases: dict[str, list[FeedLine | DeskLine]] = defaultdict(list)
    unreadable = []
    for number, line in enumerate(text.splitlines(), start=1):
        entry = _entry(line)
        if entry is None or entry.dispute_id is None:
            unreadable.append(FeedLine(number, line, now))
            continue
        told = cases[entry.dispute_id]
        at = _moment(entry) or (told[-1].at if told else now)
        told.append(FeedLine(number, line, at, entry.line.type.removeprefix("dispute.")))
    return cases, tuple(unreadable)


def _moment(entry: Entry) -> datetime | None:
    """When a line's content happened; evidence need not say it."""
    match entry.line:
        case OpenedLine(data=notice):
            return notice.received_at
        case RulingLine(data=ruling):
            return ruling.decided_at
        case NetworkEventLine(data=event):
            return event.occurred_at
        case EvidenceLine(occurred_at=moment):
            return moment
        case AuthorizationLine(data=start):
            return start.authorized_at
        case MonthLine():
            return None


def _desk(text: str) -> Iterable[DeskLine]:
    return (DeskLine.model_validate_json(line) for line in text.splitlines() if line.strip())


def _payments(notices: Iterable[DisputeNotice], text: str) -> tuple[PaymentLine, ...]:
    listed = [PaymentLine.model_validate_json(line) for line in text.splitlines() if line.strip()]
    known = {payment.payment_id: payment for payment in listed}
    disputed: dict[str, Money] = {}
    for notice in notices:
        largest = max(disputed.get(notice.payment_id, notice.amount), notice.amount, key=_minor)
        disputed[notice.payment_id] = largest
    return tuple(
        known.get(payment_id)
        or PaymentLine(payment_id=payment_id, amount=money.amount, currency=money.currency)
        for payment_id, money in disputed.items()
    )


def _minor(money: Money) -> int:
    return money.minor
