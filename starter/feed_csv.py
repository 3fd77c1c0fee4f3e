"""Reads our own CSV: a header row, then one dispute's notice in each record (contract)."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from disputes import card_data
from disputes.decode import canonical, sha256
from disputes.errors import InvalidMessage
from disputes.notice import DisputeNotice
from starter.feed import Entry, read_line

#: Columns of each amount of the notice.
_MONEY = {
    "amount": ("amount", "currency"),
    "network_amount": ("network_amount", "network_currency"),
    "settled_amount": ("settled_amount", "settled_currency"),
}
_FLAGS = {"true": True, "false": False}
_NESTED = frozenset({*_MONEY, "facts"})
_PLAIN = tuple(name for name in DisputeNotice.model_fields if name not in _NESTED)
_COLUMNS = frozenset({"event_id", *_PLAIN, *(name for pair in _MONEY.values() for name in pair)})
_REQUIRED = (
    *(name for name in _PLAIN if DisputeNotice.model_fields[name].is_required()),
    *_MONEY["amount"],
)


@dataclass(frozen=True)
class Header:
    """The column names of a CSV feed, in their order."""

    columns: tuple[str, ...]

    def record(self, raw: bytes) -> dict[str, str]:
        """The cells of a record that are not empty, by column; ``InvalidMessage`` otherwise."""
        cells = cells_of(raw)
        if len(cells) != len(self.columns):
            wrong = f"has {len(cells)} cells, but the header has {len(self.columns)}"
            raise InvalidMessage({"record": wrong}, what="the line")
        pairs = zip(self.columns, cells, strict=True)
        return {name: cell.strip() for name, cell in pairs if cell.strip()}

    def shown(self, raw: bytes) -> str:
        """A record without the security codes that only their column gives away."""
        text = raw.decode("utf-8", errors="backslashreplace")
        codes = [place for place, name in enumerate(self.columns) if card_data.names_code(name)]
        if not codes:
            return text
        try:
            cells = cells_of(raw)
        except InvalidMessage:
            cells = []
        if len(cells) != len(self.columns):
            return card_data.REMOVED  # which cell is which cannot be told
        for place in codes:
            if cells[place].strip():
                cells[place] = card_data.REMOVED
        return ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells)


def read_header(raw: bytes) -> Header:
    """The header row of a CSV feed.

    Raises:
        InvalidMessage: it is no row of text, or names a column twice.
    """
    try:
        columns = [cell.strip() for cell in cells_of(raw)]
    except InvalidMessage as fault:
        raise InvalidMessage(fault.fields, what="the header of the feed") from None
    twice = {name for name, times in Counter(columns).items() if name and times > 1}
    if twice:
        faults = {f"column {name_of(name)}": "is there twice" for name in sorted(twice)}
        raise InvalidMessage(faults, what="the header of the feed")
    return Header(tuple(columns))


def check_own(header: Header) -> None:
    """Raises ``InvalidMessage``: a column is unknown or a required one is missing."""
    faults = {
        f"column {name_of(name)}": "is not a known column"
        for name in header.columns
        if name not in _COLUMNS
    }
    faults |= missing(header, _REQUIRED)
    if faults:
        raise InvalidMessage(faults, what="the header of the feed")


def missing(header: Header, names: Sequence[str]) -> dict[str, str]:
    """A reason for each of these columns that a header does not have."""
    absent = [name for name in names if name not in header.columns]
    return {f"column {name}": "is required" for name in absent}


def read_record(header: Header, raw: bytes, now: datetime) -> Entry:
    """The notice that a record brings.

    Without a column ``event_id`` the same content always gets the same one.

    Raises:
        InvalidMessage: naming every column at fault, with the reason and never the value.
    """
    cells: dict[str, str] = header.record(raw)
    data: dict[str, object] = {name: cells[name] for name in _PLAIN if name in cells}
    if "card_present" in cells:
        data["card_present"] = _FLAGS.get(cells["card_present"].lower(), cells["card_present"])
    for field, (amount, currency) in _MONEY.items():
        if amount in cells or currency in cells:
            pair = {"amount": cells.get(amount), "currency": cells.get(currency)}
            data[field] = {name: cell for name, cell in pair.items() if cell is not None}
    event_id = cells.get("event_id", f"csv-{sha256(canonical(data))[:40]}")
    line = {"event_id": event_id, "type": "dispute.opened", "data": data}
    fields: dict[str, str] = {}
    try:
        return read_line(json.dumps(line), now)
    except InvalidMessage as fault:
        fields = {name.removeprefix("data."): reason for name, reason in fault.fields.items()}
    raise InvalidMessage(fields, what="the line")


def cells_of(raw: bytes) -> list[str]:
    """The cells of one record (RFC 4180); ``InvalidMessage`` where it is none."""
    problem = "is not UTF-8"
    try:
        text = raw.decode("utf-8")
        problem = "is no record of CSV: a quote is missing or too many"
        (cells,) = csv.reader([text], strict=True)
    except ValueError:
        pass
    except csv.Error:
        pass
    else:
        return cells
    raise InvalidMessage({"line": problem}, what="the line")


def name_of(column: str) -> str:
    """A column's name as an error may tell it: a stranger wrote it."""
    printable = "".join(char if char.isprintable() else "?" for char in column)
    return card_data.redact(printable)[:64]
