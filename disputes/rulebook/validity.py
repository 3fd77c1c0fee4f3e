"""For how long an authorization stays good, read from ``auth_validity.csv`` for our own clock.

The reading rules and their reasons: ``data/README.md``, "How the engine reads auth_validity.csv".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from disputes.rulebook.tables import AuthorizationWindow
from disputes.vocabulary import Network

#: Who started the payment: the cardholder (CIT) or the merchant with a stored card (MIT).
Initiator = Literal["customer", "merchant"]

#: Types that are no window of an ordinary authorization: they count only when they are named.
_SPECIAL = frozenset(
    "afd afd_preauth atm cash_back contactless_clearing incremental maestro offline_chip on_us"
    " payment_transaction refund reversal_deadline transit_aggregated".split()
)
#: Types of a country's rows that stand for every type.
_EVERY_TYPE = frozenset({"all", "all_other"})
#: A merchant category code, or a range of them, in the free text of ``mcc_or_industry``.
_CODES = re.compile(r"\b([0-9]{4})(?:-([0-9]{4}))?\b")


@dataclass(frozen=True)
class Validity:
    """How long an authorization stays good after its approval.

    ``days`` is ``None`` where no source gives a number; fractions are parts of a day (0.0833 is
    two hours). ``extendable`` says that a further approval starts the window again. ``why`` is one
    line for a person that names the row; ``confidence`` is the row's, ``unknown`` without a row.
    """

    days: Decimal | None
    extendable: bool
    sources: tuple[str, ...]
    confidence: str
    why: str


def validity_for(
    table: Iterable[AuthorizationWindow],
    *,
    network: Network,
    authorization_type: str | None,
    mcc: str | None,
    initiator: Initiator | None,
    card_present: bool | None,
    region: str | None,
    extended: bool,
) -> Validity:
    """The shortest window of ``table`` that may stand for an authorization.

    ``authorization_type`` is the table's own word and wins over the facts; a word that the table
    does not have for the network (and region) is read as none. ``mcc`` is four digits. ``region``
    is one of the table's (``india_domestic`` ...). ``None``: not known. ``extended``: sent with
    the extended authorization indicator.
    """
    here = region and region.lower()
    binding = [row for row in _binding(table, network) if row.region in {"all", here}]
    if authorization_type in {row.authorization_type for row in binding}:
        types = frozenset({authorization_type})
    else:
        types = _types(network, initiator, card_present=card_present, extended=extended)

    general = [row for row in binding if row.region == "all" and row.authorization_type in types]
    country = [
        row
        for row in binding
        if row.region == here
        and _stands_for(row.authorization_type, types, card_present=card_present)
    ]
    if not types <= _SPECIAL:
        return _shortest(network, country or _of_category(general, mcc))
    if any(row.days is None for row in general):
        return _shortest(network, general)
    # A country's "all" is of ordinary windows: it may shorten a special one, never replace it.
    return _shortest(network, general + country)


def _binding(table: Iterable[AuthorizationWindow], network: Network) -> list[AuthorizationWindow]:
    rows = [row for row in table if row.network == network]
    rules = [row for row in rows if row.layer == "network_rule"]
    return rules or [row for row in rows if row.layer == "processor_practice"]


def _types(
    network: Network, initiator: Initiator | None, *, card_present: bool | None, extended: bool
) -> frozenset[str]:
    """The types that an authorization may be of, as far as the facts tell."""
    if network is not Network.VISA:
        # A pre-authorization or an estimate is one only by name.
        return frozenset({"final"} if card_present is False else {"final", "card_present"})
    if initiator == "merchant":
        return frozenset({"merchant_initiated"})
    if card_present:
        return frozenset({"card_present"})
    if extended:  # the indicator exists for card-absent payments of a customer only
        return frozenset({"cnp_cit_extended"})
    if initiator == "customer" and card_present is False:
        return frozenset({"cnp_cit"})
    return frozenset({"cnp_cit", "merchant_initiated", "card_present"})


def _stands_for(country_type: str, types: frozenset[str], *, card_present: bool | None) -> bool:
    if country_type == "cnp_not_tokenized":
        # Whether the card was tokenized is not known here, so that it may not have been.
        return country_type in types or not (card_present or types == {"card_present"})
    return country_type in types | _EVERY_TYPE


def _of_category(
    found: Sequence[AuthorizationWindow], mcc: str | None
) -> Sequence[AuthorizationWindow]:
    """The rows that name ``mcc``, or all of them where none does."""
    if mcc is None or not re.fullmatch("[0-9]{4}", mcc):
        return found
    naming = [
        row
        for row in found
        if any(low <= mcc <= (high or low) for low, high in _CODES.findall(row.mcc_or_industry))
    ]
    return naming or found


def _shortest(network: Network, found: Sequence[AuthorizationWindow]) -> Validity:
    if not found:
        why = f"{network}: no row of the table applies"
        return Validity(days=None, extendable=False, sources=(), confidence="unknown", why=why)
    days, row = min(
        ((row.days, row) for row in found if row.days is not None),
        key=lambda pair: pair[0],
        default=(None, found[0]),
    )
    sources = tuple(row.source.split("; "))
    return Validity(
        days=days,
        extendable=row.extendable == "yes",
        sources=sources,
        confidence=row.confidence,
        why=f"{_name(network, row)}: {_length(row)} ({sources[0]}){_among(found)}",
    )


def _name(network: Network, row: AuthorizationWindow) -> str:
    place = "" if row.region == "all" else f" in {row.region}"
    return f"{network} {row.authorization_type}{place}"


def _length(row: AuthorizationWindow) -> str:
    if row.days is not None:
        return f"{row.days} days" if row.days != 1 else "1 day"
    if row.authorization_type == "incremental":
        return "keeps the window of the original authorization"
    return "no source gives a number"


def _among(found: Sequence[AuthorizationWindow]) -> str:
    return f", the shortest of {len(found)} rows" if len(found) > 1 else ""
