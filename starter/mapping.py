"""Another provider's report as TOML describes it: its columns and codes in our words."""

import tomllib
from collections.abc import Mapping as Words
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from disputes import card_data
from disputes.decode import canonical_of
from disputes.errors import ConfigurationError, InvalidMessage
from disputes.money import decimals
from disputes.vocabulary import Network, NetworkEventKind, Outcome, Stage
from starter.feed_csv import Header, missing

#: Those that come with the program, by name.
SHIPPED = Path(__file__).parent / "mappings"

Field = Literal[
    "dispute_id", "merchant_id", "payment_id", "network", "reason_code", "state", "amount",
    "currency", "received_at", "changed_at", "respond_by", "processed_at", "arn", "mcc", "region",
]  # fmt: skip
_REQUIRED: tuple[Field, ...] = (
    "dispute_id", "merchant_id", "payment_id", "network", "reason_code", "state", "amount",
    "currency", "received_at",
)  # fmt: skip
_MOMENTS: tuple[Field, ...] = ("received_at", "changed_at", "respond_by")


class State(BaseModel):
    """What one of the provider's states says in our words.

    Attributes:
        stage: what the network is doing.
        event: the network event by which a running case learns of it.
        outcome: the bank's ruling that it stands for.
        final: whether no appeal is left after that ruling.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Stage
    event: NetworkEventKind | None = None
    outcome: Literal[Outcome.MERCHANT_WON, Outcome.CARDHOLDER_WON] | None = None
    final: bool = False


class Mapping(BaseModel):
    """A mapping file.

    Attributes:
        name: what rows of the report are kept under; 1 to 16 lower-case letters, digits, hyphens.
        source: the address of the page that describes the report.
        dispute_prefix: stands before the provider's dispute ids, so that no two providers' meet.
        timezone: of moments without an offset (IANA name).
        amounts: whether amounts are decimals or whole minor units.
        columns: our field to the provider's column.
        states: the provider's state to what it says.
        networks: the provider's word, in any case, to ours.
        merchants: the provider's account or name to our merchant id; others stand as they are.
        reason_codes: the provider's code to the network's; others stand as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,15}$")]
    source: str
    dispute_prefix: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")]
    timezone: str = "UTC"
    amounts: Literal["decimal", "minor"] = "decimal"
    columns: dict[Field, str]
    states: dict[str, State]
    networks: dict[str, Network]
    merchants: dict[str, str] = {}
    reason_codes: dict[str, str] = {}

    @field_validator("networks")
    @classmethod
    def _in_any_case(cls, networks: dict[str, Network]) -> dict[str, Network]:
        return {word.lower(): network for word, network in networks.items()}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        absent = [name for name in _REQUIRED if name not in self.columns]
        if absent:
            raise ValueError(f"columns must name {', '.join(absent)}")
        if self.timezone not in available_timezones():
            raise ValueError("timezone must be a name of the IANA database")
        return self

    @cached_property
    def zone(self) -> tzinfo:
        """The zone of moments without an offset."""
        return ZoneInfo(self.timezone)

    def check(self, header: Header) -> None:
        """Raises ``InvalidMessage``: a required column of the report is missing."""
        faults = missing(header, [self.columns[name] for name in _REQUIRED])
        if faults:
            raise InvalidMessage(faults, what=f"the header of the feed (mapping {self.name})")


class ReportState(BaseModel):
    """What a row says of a dispute now; texts as the notice takes them, ``state`` as given."""

    model_config = ConfigDict(frozen=True)

    dispute_id: str
    merchant_id: str
    payment_id: str
    network: str
    reason_code: str
    state: str
    amount: str
    currency: str
    received_at: str
    changed_at: str | None = None
    respond_by: str | None = None
    processed_at: str | None = None
    arn: str | None = None
    mcc: str | None = None
    region: str | None = None

    @cached_property
    def json_text(self) -> str:
        """Canonical JSON: equal for rows that say the same."""
        return canonical_of(self)


def load_mapping(name: str) -> Mapping:
    """A mapping by the path of its file, or one that comes with the program by its name.

    Raises:
        ConfigurationError: there is none, or it is wrong; names the key and the reason.
    """
    shipped = {path.stem: path for path in SHIPPED.glob("*.toml")}
    path = shipped.get(name, Path(name))
    problem = ""
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); shipped are {', '.join(sorted(shipped))}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        problem = "is not TOML"
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"{where}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ")
    raise ConfigurationError(f"--mapping {path}: {problem}")


def read_row(mapping: Mapping, header: Header, raw: bytes) -> ReportState:
    """What a row of the report says.

    Raises:
        InvalidMessage: naming every column at fault, with the reason and never the value.
    """
    cells = header.record(raw)
    faults: dict[str, str] = {}
    found: dict[str, str] = {}
    for name, column in mapping.columns.items():
        if column in cells:
            try:
                found[name] = _converted(mapping, name, cells[column], cells)
            except ValueError as fault:
                faults[column] = str(fault)
        elif name in _REQUIRED:
            faults[column] = "is required"
    by_field: dict[str, str] = {str(name): column for name, column in mapping.columns.items()}
    faults |= {by_field[name]: reason for name, reason in card_data.find(found)}
    if faults:
        raise InvalidMessage(faults, what="the line")
    return ReportState.model_validate(found)


def _converted(mapping: Mapping, name: Field, cell: str, cells: dict[str, str]) -> str:
    """A cell in our words; ``ValueError`` with the reason."""
    if name in _MOMENTS:
        return _moment(mapping, cell)
    match name:
        case "dispute_id":
            return mapping.dispute_prefix + cell
        case "network":
            return _known(mapping.networks, cell.lower(), "networks")
        case "state":
            _known({known: known for known in mapping.states}, cell, "states")
            return cell
        case "merchant_id":
            return mapping.merchants.get(cell, cell)
        case "reason_code":
            return mapping.reason_codes.get(cell, cell)
        case "currency":
            decimals(cell.upper())
            return cell.upper()
        case "amount":
            return _amount(mapping, cell, cells.get(mapping.columns["currency"], "").upper())
        case _:
            return cell


def _known(words: Words[str, str], cell: str, table: str) -> str:
    if cell not in words:
        raise ValueError(f"is not among the mapping's {table}")
    return words[cell]


def _moment(mapping: Mapping, cell: str) -> str:
    """RFC 3339 in UTC; a bare day is its first moment, so that a deadline is never too late."""
    try:
        moment = datetime.fromisoformat(cell)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=mapping.zone)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise ValueError("must be a moment such as 2026-01-31 09:30:00") from None


def _amount(mapping: Mapping, cell: str, currency: str) -> str:
    """A decimal string with exactly the currency's decimals."""
    places = decimals(currency)
    try:
        value = Decimal(cell)
        value = value.scaleb(-places) if mapping.amounts == "minor" else value
        exact = value.quantize(Decimal(1).scaleb(-places))
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if exact != value:
        raise ValueError(f"must have at most {places} decimals")
    return f"{exact:f}"
