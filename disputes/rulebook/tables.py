"""Reads the packaged CSV tables into typed rows, because text is checked once and used often."""

import csv
import hashlib
import io
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from disputes.vocabulary import Flow, Network

#: Edition of the data; the same date stands at the top of ``data/README.md``.
VERSION = "2026-11-26"

#: Stands for every network, flow, code or currency in the tables.
EVERY = "*"

_DATA = resources.files("disputes.rulebook") / "data"

#: An empty cell means unknown, never zero.
_Empty = BeforeValidator(lambda cell: cell or None)
_Days = Annotated[int | None, _Empty]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReasonCode(_Row):
    """One network reason code; ``confidence`` says how well its sources agree."""

    network: Network
    code: str
    title: str
    category: str
    second_stage: str
    source: str
    status: str
    confidence: str


class GatewayReason(_Row):
    """What the gateway calls a network's reason code (000.100.2xx); ASSUMED, every row of it."""

    network: Network
    code: str
    gateway_reason: str
    status: str
    basis: str


class Window(_Row):
    """A clock of one stage: ``days`` calendar days that ``who_acts`` has.

    Business days are counted as calendar days too: the clock then ends early, never late.
    """

    network: Network
    stage: str
    days: _Days
    who_acts: str
    flow_or_codes: str
    region: str


class Scope(_Row):
    """Our reading of the free text that says for which flow and codes a window stands."""

    network: Network
    flow_or_codes: str
    flow: str
    codes: str

    def covers(self, flow: Flow, code: str) -> bool:
        """Whether a window with this text stands for ``code`` in ``flow``."""
        return self.flow in {EVERY, flow} and (self.codes == EVERY or code in self.codes.split(" "))


class Tail(_Row):
    """For how many days after a fact of kind ``after`` a decision may still turn."""

    network: str
    flow: str
    after: str
    days: _Days


class AuthorizationWindow(_Row):
    """For how many days an authorization stays good; ``network`` may be one we do not serve.

    ``layer`` is ``network_rule``, ``processor_practice`` or ``psp_practice``; ``source`` is a list
    of sources that ``"; "`` divides.
    """

    network: str
    authorization_type: str
    mcc_or_industry: str
    days: Annotated[Decimal | None, _Empty]
    extendable: str
    source: str
    region: str
    layer: str
    confidence: str


class EvidenceRow(_Row):
    """One evidence type on one path of a reason code."""

    network: str
    reason_code: str
    evidence_type: str
    required: bool
    path: str
    path_logic: str


class Category(_Row):
    """The evidence category that is suggested for a code without rows of its own."""

    network: Network
    code: str
    category: str


_AnyRow = TypeVar("_AnyRow", bound=_Row)


def rows(table: str, row: type[_AnyRow]) -> Iterator[_AnyRow]:
    """Rows of the packaged file ``<table>.csv`` as ``row``, in the file's order."""
    text = (_DATA / f"{table}.csv").read_text(encoding="utf-8")
    return (row.model_validate(cells) for cells in csv.DictReader(io.StringIO(text)))


def data_sha256() -> str:
    """SHA-256 (hex) over the name and content of every packaged CSV file."""
    digest = hashlib.sha256()
    for file in sorted(_DATA.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".csv"):
            # A checkout may rewrite line ends; the same data must stay the same version.
            content = file.read_bytes().replace(b"\r\n", b"\n")
            digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
