"""Amounts: decimal strings outside, integer minor units inside, never a float."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

#: ISO 4217 codes whose number of decimals is not two (ISO 4217:2015, amendment 177).
_DECIMALS = (
    dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(), 0)
    | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
    | dict.fromkeys("CLF UYW".split(), 4)
)
_TWO_DECIMALS = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD
    CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ
    GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA
    MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR
    RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD
    TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""".split()
)
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")


def decimals(currency: str) -> int:
    """Number of decimals of an ISO 4217 currency; ``ValueError`` for an unknown one."""
    if currency in _TWO_DECIMALS:
        return 2
    try:
        return _DECIMALS[currency]
    except KeyError:
        raise ValueError("not an ISO 4217 currency") from None


def to_minor(amount: str, currency: str) -> int:
    """Minor units of a decimal string with exactly the currency's decimals.

    Raises ``ValueError`` for another number of decimals, more than twelve digits before them, a
    sign, an exponent or a separator.
    """
    places = decimals(currency)
    whole, _, fraction = amount.partition(".")
    if not _AMOUNT.fullmatch(amount) or len(fraction) != places:
        raise ValueError(
            f"must be a decimal string of at most 12 digits and exactly {places} decimals"
        )
    return int(whole + fraction)


def to_decimal(minor: int, currency: str) -> str:
    """Decimal string of minor units, e.g. ``9200`` EUR -> ``"92.00"``; keeps the sign."""
    places = decimals(currency)
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


class Money(BaseModel):
    """An amount above zero on the contract's wire: ``{"amount": "92.00", "currency": "EUR"}``."""

    model_config = ConfigDict(frozen=True)

    amount: str
    currency: str

    @model_validator(mode="after")
    def _exact(self) -> Self:
        decimals(self.currency)
        if self.amount.startswith("-") or to_minor(self.amount, self.currency) == 0:
            raise ValueError("must be greater than zero")
        return self

    @property
    def minor(self) -> int:
        """The amount in minor units."""
        return to_minor(self.amount, self.currency)

    @classmethod
    def of(cls, minor: int, currency: str) -> Self:
        """Money of ``minor`` (> 0) minor units."""
        return cls(amount=to_decimal(minor, currency), currency=currency)
