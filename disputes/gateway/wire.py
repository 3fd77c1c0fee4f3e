"""The gateway's JSON: read tolerantly, for fields come and go, but never believed where unclear."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StrictStr
from pydantic.alias_generators import to_camel

from disputes.money import decimals, to_decimal
from disputes.vocabulary import PaymentType

#: A transaction's id on the gateway: 32 lower-case hex digits.
GATEWAY_ID: Final = re.compile(r"[0-9a-f]{32}")
#: The platform's own amount pattern (protocol, section 1): two decimals in every currency.
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{2})?")
_TIMESTAMPS: Final = ("%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S.%f%z")
_WIRE_DECIMALS: Final = 2
_WIRE_DIGITS: Final = 12
_TEXT_LIMIT: Final = 255


class AmountNotRepresentable(Exception):
    """The gateway's two decimals cannot carry the amount without losing value (KWD 1.255)."""


def wire_amount(minor: int, currency: str) -> str:
    """Amount for the gateway: always two decimals and a dot; ``5000`` JPY -> ``"5000.00"``.

    ``minor`` is in minor units of ``currency`` (ISO 4217). Raises ``AmountNotRepresentable`` where
    two decimals would lose value, ``ValueError`` for an amount that is not above zero, has more
    than twelve digits before the dot, or for an unknown currency.
    """
    whole, _, fraction = to_decimal(minor, currency).partition(".")
    if minor <= 0 or len(whole) > _WIRE_DIGITS:
        raise ValueError("amount must be above zero and at most twelve digits")
    if fraction[_WIRE_DECIMALS:].strip("0"):
        raise AmountNotRepresentable(f"{currency} amount needs more than two decimals")
    return f"{whole}.{fraction[:_WIRE_DECIMALS].ljust(_WIRE_DECIMALS, '0')}"


def minor_of(text: str, currency: str) -> int:
    """Minor units of an amount as the gateway writes it; ``"1.25"`` KWD -> ``1250``.

    Raises ``ValueError`` for anything but digits with no or two decimals, for an unknown currency
    and for decimals that the currency does not have (``"1.50"`` JPY).
    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError("amount must be digits with no or two decimals")
    whole, _, fraction = text.partition(".")
    places = decimals(currency)
    if fraction[places:].strip("0"):
        raise ValueError("amount has decimals that its currency does not have")
    return int(whole + fraction[:places].ljust(places, "0"))


def moment_of(text: str) -> datetime | None:
    """UTC moment of a gateway timestamp, with or without milliseconds; ``None`` if unreadable."""
    for form in _TIMESTAMPS:
        try:
            return datetime.strptime(text, form).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


@dataclass(frozen=True)
class Entry:
    """One transaction in the gateway's book, as far as an answer shows it.

    ``payment_type`` is ``None`` for kinds that the engine does not use (3D, RG ...) or where the
    answer has none; ``amount_minor`` is in minor units of ``currency``, ``None`` where the answer
    has no amount or no currency (a full RV, a refused DB); ``timestamp`` is UTC.
    """

    result_code: str
    id: str | None = None
    payment_type: PaymentType | None = None
    amount_minor: int | None = None
    currency: str | None = None
    referenced_id: str | None = None
    merchant_transaction_id: str | None = None
    timestamp: datetime | None = None


_Text = Annotated[StrictStr, Field(max_length=_TEXT_LIMIT)]


class Result(BaseModel):
    """``result`` of an answer; the code decides, the rest is for people."""

    code: Annotated[StrictStr, Field(min_length=1, max_length=32)]
    description: str | None = None


class Answer(BaseModel):
    """One transaction, or a list of them in ``payments``; unknown fields are ignored.

    The newer query API lists them as ``records`` in ``pages``: ASSUMED (protocol, section 9). Only
    ``result.code`` is always there (section 3). Reading raises ``pydantic.ValidationError`` for
    what is not such an object.
    """

    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)

    result: Result
    id: _Text | None = None
    payment_type: _Text | None = None
    amount: _Text | None = None
    currency: _Text | None = None
    referenced_id: _Text | None = None
    merchant_transaction_id: _Text | None = None
    timestamp: _Text | None = None
    payments: list[Self] | None = Field(
        default=None, validation_alias=AliasChoices("payments", "records")
    )
    pages: int | str | None = None

    def entry(self) -> Entry:
        """This answer as one transaction; ``ValueError`` for an amount or id that is not one."""
        if self.id is not None and not GATEWAY_ID.fullmatch(self.id):
            raise ValueError("id is not 32 hex digits")
        kind = self.payment_type
        amount = None
        if self.amount is not None and self.currency is not None:
            amount = minor_of(self.amount, self.currency)
        return Entry(
            result_code=self.result.code,
            id=self.id,
            payment_type=PaymentType(kind) if kind in set(PaymentType) else None,
            amount_minor=amount,
            currency=self.currency,
            referenced_id=self.referenced_id,
            merchant_transaction_id=self.merchant_transaction_id,
            timestamp=moment_of(self.timestamp) if self.timestamp else None,
        )

    @property
    def is_transaction(self) -> bool:
        """Whether this is one transaction, and not an error or a mere list."""
        return self.id is not None and self.payment_type is not None

    def entries(self) -> tuple[Entry, ...]:
        """The transactions of a query's answer: its own, where it is one, and those it lists.

        Raises ``ValueError`` if one of them cannot be read: a list with a hole proves nothing.
        """
        if str(self.pages or 1) != "1":
            raise ValueError("there are more pages than this one")
        listed = self.payments or []
        if not all(payment.is_transaction for payment in listed):
            raise ValueError("a listed transaction has no id or no type")
        own = [self] if self.is_transaction else []
        return tuple(payment.entry() for payment in own + listed)
