"""What a merchant decides, read from a TOML text and checked whole before anything starts."""

import hashlib
import json
import re
import tomllib
from typing import Annotated, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from disputes.errors import ConfigurationError
from disputes.money import decimals, to_minor
from disputes.terms import Capabilities, Pin
from disputes.vocabulary import Network, OnExpiry

#: Stands for every network in the fee and capability tables.
EVERY = "*"
#: No dispute lives longer (the longest filing window of the rulebook), so no period may.
_LONGEST_DAYS = 540


def _to_minor_units(table: object) -> object:
    """``{"EUR": "5.00"}`` -> ``{"EUR": 500}``; names every currency that is wrong."""
    if not isinstance(table, dict):
        return table
    wrong: list[str] = []
    amounts: dict[str, int] = {}
    for currency, amount in table.items():
        try:
            decimals(currency)
        except ValueError as reason:
            wrong.append(f"{currency} is {reason}")
            continue
        try:
            amounts[currency] = to_minor(amount if isinstance(amount, str) else "", currency)
        except ValueError as reason:
            wrong.append(f"{currency} {reason}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return amounts


def _network_or_every(name: str) -> str:
    known = [EVERY, *Network]
    if name not in known:
        raise ValueError(f"must be one of: {', '.join(known)}")
    return name


def _nearer_and_nearer(hours: tuple[int, ...]) -> tuple[int, ...]:
    if list(hours) != sorted(set(hours), reverse=True):
        raise ValueError("must go down, each value once")
    return hours


def _name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' or '-'")
    return name


_Amounts = Annotated[dict[str, int], BeforeValidator(_to_minor_units)]
_NetworkOrEvery = Annotated[str, AfterValidator(_network_or_every)]
_Name = Annotated[StrictStr, AfterValidator(_name)]
_Days = Annotated[StrictInt, Field(ge=0, le=_LONGEST_DAYS)]
_Hours = Annotated[StrictInt, Field(ge=0, le=_LONGEST_DAYS * 24)]
_PositiveHours = Annotated[StrictInt, Field(ge=1, le=_LONGEST_DAYS * 24)]
_PositiveDays = Annotated[StrictInt, Field(ge=1, le=_LONGEST_DAYS)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Decisions(_Section):
    """What happens without a person, and what needs two; amounts in minor units per currency."""

    #: accept a chargeback below this amount at once; no entry: never
    auto_accept_below: _Amounts = {}
    #: submit at last call when the ruled checklist is minimally complete
    auto_submit: StrictBool = False
    #: a representment waits for a second person
    submission_needs_approval: StrictBool = False
    #: accepting, rebilling, ... above this amount needs a second person; no entry: never
    four_eyes_above: _Amounts = {}


class Clocks(_Section):
    """Periods that the merchant chooses; names carry the unit."""

    #: what the acquirer needs of each of our windows
    acquirer_days: _Days = 0
    #: how long before the deadline the last call comes
    last_call_hours: _Hours = 12
    #: notices before the deadline, from the first to the last
    ladder_hours: Annotated[tuple[_PositiveHours, ...], AfterValidator(_nearer_and_nearer)] = (
        168,
        72,
        24,
    )
    #: how long facts wait for their notice before a person is asked
    notice_wait_days: Annotated[_Days, Field(ge=1)] = 14
    #: how long the gateway is asked again for a payment that it does not know; 0: once only
    payment_wait_days: _Days = 14
    #: how long the gateway's chargeback waits for a case before it is listed as one itself
    orphan_hours: _Hours = 24
    #: our clock when no source gives a number
    fallback_days: Annotated[_Days, Field(ge=1)] = 7
    #: how long a request waits for its second person
    approval_hours: _PositiveHours = 72
    #: pause between a lost dispute and its rebill
    rebill_cool_off_hours: _Hours = 0
    #: how long an unknown gateway outcome is asked after before it is in doubt
    gateway_patience_minutes: Annotated[StrictInt, Field(ge=1, le=7 * 24 * 60)] = 30


class Authorizations(_Section):
    """How pre-authorizations are watched; names carry the unit."""

    #: what happens by itself before one lapses, where its start does not say
    on_expiry: OnExpiry = OnExpiry.NOTIFY
    #: notices before it lapses, from the first to the last
    ladder_hours: Annotated[tuple[_PositiveHours, ...], AfterValidator(_nearer_and_nearer)] = (
        48,
        24,
    )
    #: how long before it lapses ``on_expiry`` is done
    buffer_hours: _PositiveHours = 4
    #: for how long one stays good, instead of the rulebook's days: network or ``*``
    valid_days: dict[_NetworkOrEvery, _PositiveDays] = {}


class Refunds(_Section):
    """When a refund goes by which way; names carry the unit."""

    #: how long after a payment it is refunded (RF); later it is credited (CD) to a registration
    window_days: _PositiveDays = 60
    #: until a refund should have arrived, as the shopper is told
    arrival_days: _PositiveDays = 10


class Rebills(_Section):
    """How much may be charged on top without a new payment."""

    #: for ``final_amount_differs``: percent of what was captured; 0: never
    difference_percent: Annotated[StrictInt, Field(ge=0, le=100)] = 0


class CapabilityRow(_Section):
    """What one acquirer and brand support (contract, capability table); unset: not said."""

    credit: StrictBool | None = None
    rebill: StrictBool | None = None
    rebill_after_dispute: StrictBool | None = None
    multiple_capture: StrictBool | None = None
    partial_reversal: StrictBool | None = None
    increase: StrictBool | None = None
    post_chargeback: StrictBool | None = None
    post_reversal: StrictBool | None = None
    partial_reversal_of_chargeback: StrictBool | None = None
    undo_reversal: Literal["adopt_only", "cr_on_tip"] | None = None
    refund_after_chargeback: StrictBool | None = None
    #: for how long the acquirer keeps an authorization, instead of the rulebook's days
    authorization_days: _PositiveDays | None = None


class Policy(_Section):
    """One merchant policy; ``Policy(version="built-in")`` is the cautious one without a file."""

    version: _Name
    decisions: Decisions = Decisions()
    clocks: Clocks = Clocks()
    authorizations: Authorizations = Authorizations()
    refunds: Refunds = Refunds()
    rebills: Rebills = Rebills()
    #: fee expected with a chargeback: network or ``*``, then currency, in minor units
    chargeback_fees: dict[_NetworkOrEvery, _Amounts] = {}
    #: acquirer, then brand or ``*``
    acquirers: dict[_Name, dict[_NetworkOrEvery, CapabilityRow]] = {}

    @property
    def pin(self) -> Pin:
        """Version and SHA-256 of the content, whatever the file's layout and comments."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return Pin(version=self.version, sha256=hashlib.sha256(content.encode()).hexdigest())

    def expected_fee_minor(self, network: Network, currency: str) -> int:
        """Fee expected with a chargeback, in minor units; the network's entry before ``*``."""
        for name in (network.value, EVERY):
            if currency in self.chargeback_fees.get(name, {}):
                return self.chargeback_fees[name][currency]
        return 0

    def capabilities(self, acquirer: str, network: Network | None) -> Capabilities:
        """What the acquirer supports for a brand: brand, else ``*``, else built in.

        ``network``: ``None`` where nobody told the brand; then ``*`` alone counts.
        A rebill after a Visa dispute counts only under ``visa`` itself: it stays off unless the
        acquirer confirmed it for that brand (lifecycle, row 21).
        """
        brands = self.acquirers.get(acquirer, {})
        general = brands.get(EVERY, CapabilityRow()).model_dump(exclude_none=True)
        if network in (Network.VISA, None):
            general.pop("rebill_after_dispute", None)
        if network is None:
            return Capabilities.model_validate(general)
        own = brands.get(network.value, CapabilityRow()).model_dump(exclude_none=True)
        return Capabilities.model_validate(general | own)

    def authorization_days(self, acquirer: str, network: Network) -> int | None:
        """For how long an authorization stays good, where merchant or acquirer say so.

        Of two the shorter: each of them may give it up. They replace the rulebook's days.
        """
        brands = self.acquirers.get(acquirer, {})
        rows = [brands.get(name, CapabilityRow()) for name in (network.value, EVERY)]
        told = [row.authorization_days for row in rows if row.authorization_days is not None][:1]
        mine = self.authorizations.valid_days
        told += [mine[name] for name in (network.value, EVERY) if name in mine][:1]
        return min(told, default=None)


def parse_policy(text: str) -> Policy:
    """Policy of a TOML text.

    Raises ``ConfigurationError`` that names every wrong key with its path and reason, and the
    allowed keys for an unknown one.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"the policy is not valid TOML: {error}") from None
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        reasons = [_reason(entry["loc"], entry["type"], entry["msg"]) for entry in found]
    raise ConfigurationError(f"the policy is invalid: {'; '.join(reasons)}")


def _reason(path: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for part in path if part != "[key]")
    if kind == "extra_forbidden":
        return f"{name}: unknown key, allowed: {', '.join(_allowed(path[:-1]))}"
    return f"{name}: {message.removeprefix('Value error, ')}"


def _allowed(path: tuple[int | str, ...]) -> list[str]:
    """Keys of the section at ``path``; only sections forbid keys."""
    section: type[BaseModel] = Policy
    for part in path:
        field = section.model_fields.get(str(part))
        inner: object = field.annotation if field else None
        while get_origin(inner) is dict:  # its keys are names of the merchant's own choice
            inner = get_args(inner)[1]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            section = inner
    return list(section.model_fields)
