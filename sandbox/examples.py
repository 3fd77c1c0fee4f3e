"""Writes the example files: ``python -m sandbox.examples examples`` gives the same bytes always."""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

from disputes.money import Money
from disputes.vocabulary import Network
from sandbox.bank import Dispute, Line, Story, moment, tell

_FIRST_NOTICE = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
#: Seconds between notices: all of them arrive within the first hour.
_BETWEEN_NOTICES = 38
_FIRST_NUMBER = 1001
_MERCHANTS = 3
#: Every so many-th line stands so many places too early, and every so many-th is repeated later.
_MOVED, _BY, _REPEATED, _LATER = 7, 11, 23, 9


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the cast: a payment and the story of its dispute."""

    number: int
    network: Network
    reason_code: str
    scenario: str
    payment_type: str
    amount: Money

    @property
    def dispute_id(self) -> str:
        """Case id of the dispute."""
        return f"D-{self.number}"

    @property
    def payment_id(self) -> str:
        """The payment's id: 32 hex digits, the same in every run."""
        return hashlib.sha256(f"payment of {self.dispute_id}".encode()).hexdigest()[:32]

    @property
    def merchant_id(self) -> str:
        """One of M-1 to M-3."""
        return f"M-{self.number % _MERCHANTS + 1}"


def cast() -> list[Part]:
    """The rows of ``cast.txt``."""
    rows = files("sandbox").joinpath("cast.txt").read_text("utf-8").splitlines()
    parts = [row.split() for row in rows if row and not row.startswith("#")]
    return [
        Part(number, Network(network), code, scenario, kind, Money(amount=amount, currency=unit))
        for number, (network, code, scenario, kind, amount, unit) in enumerate(parts, _FIRST_NUMBER)
    ]


def write(folder: Path) -> None:
    """Write ``payments.jsonl``, ``feed.jsonl`` and ``desk.jsonl`` into ``folder``."""
    parts = cast()
    stories = [_story(part) for part in parts]
    feed = [json.dumps(line) for line in _disordered(line for s in stories for line in s.feed)]
    for place, bad in zip((40, 120, 200), _bad_lines(), strict=True):
        feed.insert(place, bad)
    desk = sorted((line for s in stories for line in s.desk), key=lambda line: str(line["at"]))
    _write(folder / "payments.jsonl", (json.dumps(_payment(part)) for part in parts))
    _write(folder / "feed.jsonl", feed)
    _write(folder / "desk.jsonl", (json.dumps(line) for line in desk))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")


def _payment(part: Part) -> Line:
    return {
        "payment_id": part.payment_id,
        "payment_type": part.payment_type,
        **part.amount.model_dump(),
        "merchant_id": part.merchant_id,
    }


def _story(part: Part) -> Story:
    place = part.number - _FIRST_NUMBER
    received_at = _FIRST_NOTICE + timedelta(seconds=place * _BETWEEN_NOTICES)
    # Direct debit knows no answer; of the others some leave the deadline to the rulebook.
    answered = part.network is not Network.SEPA_DD and place % 6 != 0
    midnight = received_at.replace(hour=0, minute=0, second=0)
    return tell(
        part.scenario,
        Dispute(
            dispute_id=part.dispute_id,
            merchant_id=part.merchant_id,
            payment_id=part.payment_id,
            network=part.network,
            reason_code=part.reason_code,
            amount=part.amount,
            received_at=received_at,
            processed_at=None if answered and place % 5 == 0 else received_at.date(),
            respond_by=midnight + timedelta(days=20 + place % 9) if answered else None,
        ),
    )


def _moment_of(line: Line) -> str:
    data = line["data"]
    if not isinstance(data, dict):
        raise TypeError("an envelope without data")
    known = {**data, **line}
    names = ("received_at", "decided_at", "occurred_at")
    return next(str(known[name]) for name in names if name in known)


def _disordered(lines: Iterable[Line]) -> list[Line]:
    """The lines by their moments, then some out of turn and some twice, as feeds arrive."""
    ordered = sorted(lines, key=_moment_of)
    for place in range(_BY, len(ordered), _MOVED):
        ordered.insert(place - _BY, ordered.pop(place))
    for place in range(len(ordered) - _LATER, 0, -_REPEATED):
        ordered.insert(place + _LATER, ordered[place])
    return ordered


def _bad_lines() -> Sequence[str]:
    """Three lines that no intake may take: a card number, a wrong amount, broken JSON."""
    good = cast()[0]
    data: Line = {
        "dispute_id": "D-9001",
        "merchant_id": good.merchant_id,
        "payment_id": good.payment_id,
        "stage": "chargeback",
        "network": "visa",
        "reason_code": "13.1",
        "amount": {"amount": "92.00", "currency": "EUR"},
        "received_at": moment(_FIRST_NOTICE + timedelta(minutes=30)),
        "facts": {"description": "paid with 4200000000000000"},
    }
    card = {"event_id": "D-9001.opened", "type": "dispute.opened", "data": data}
    wrong = {name: value for name, value in data.items() if name not in {"facts", "dispute_id"}} | {
        "dispute_id": "D-9002",
        "amount": {"amount": "92.5", "currency": "EUR"},
    }
    amount = {"event_id": "D-9002.opened", "type": "dispute.opened", "data": wrong}
    broken = json.dumps({"event_id": "D-9003.opened", "type": "dispute.opened", "data": {}})
    return json.dumps(card), json.dumps(amount), broken[:-3]


if __name__ == "__main__":
    write(Path(sys.argv[1]))
