"""What the gateway's refusals mean, and what a person does about each (protocol, section 2).

Which situation answers with which code is judged there from the codes' own texts, and unconfirmed
at a real gateway: a text names what to check, and does not claim to know.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RefusalKind(StrEnum):
    """Why the gateway refused for good."""

    UNKNOWN_REFERENCE = "unknown_reference"
    UNFIT_REFERENCE = "unfit_reference"
    PENDING_REFERENCE = "pending_reference"
    NOTHING_OPEN = "nothing_open"
    TOO_LATE = "too_late"
    ALREADY_CHARGED_BACK = "already_charged_back"
    ALREADY_REVERSED = "already_reversed"
    CHARGED_BACK = "charged_back"
    WRONG_ACCOUNT = "wrong_account"
    WRONG_AMOUNT = "wrong_amount"
    NOT_SUPPORTED = "not_supported"
    WRONG_REQUEST = "wrong_request"
    UNUSABLE_CARD = "unusable_card"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class GatewayRefusal:
    """A refusal in words: what is the matter, and what to do."""

    kind: RefusalKind
    meaning: str
    what_to_do: str


_LOOK_UP: Final = "look the payment up in the gateway's back office"
_K = RefusalKind
_WHAT: Final[dict[RefusalKind, tuple[str, str]]] = {
    _K.UNKNOWN_REFERENCE: (
        "the gateway has no such entry, or not as one that this can act on",
        f"check the payment id and the merchant's account, and {_LOOK_UP}",
    ),
    _K.UNFIT_REFERENCE: (
        "the entry is of a type, or in a state, on which this is not possible",
        f"{_LOOK_UP}, and name the capture (CP) or debit (DB) itself",
    ),
    _K.PENDING_REFERENCE: (
        "the payment itself is still pending",
        "wait until it is settled, then ask again",
    ),
    _K.NOTHING_OPEN: (
        "less is left of the entry than was asked for",
        "run disputes reconcile for the payment, see what is left, and ask for no more than that",
    ),
    _K.TOO_LATE: (
        "the time for it has passed",
        "of a capture: ask the shopper for a new payment; of a reversal: refund instead",
    ),
    _K.ALREADY_CHARGED_BACK: (
        "the gateway has booked a chargeback on this payment already",
        "run disputes reconcile for the payment: its own chargeback is taken over",
    ),
    _K.ALREADY_REVERSED: (
        "the chargeback was reversed already",
        "run disputes reconcile for the payment: its own reversal is taken over",
    ),
    _K.CHARGED_BACK: (
        "the payment was charged back, and the bank has returned the shopper's money",
        "do not pay twice; what is still owed goes by credit (CD) to a registration, or by hand",
    ),
    _K.WRONG_ACCOUNT: (
        "the payment belongs to another account, mode or currency",
        "compare the merchant's entity, test mode and the currency with those of the payment",
    ),
    _K.WRONG_AMOUNT: (
        "the gateway does not take this amount",
        "check the amount and its currency, and book it by hand if both are right",
    ),
    _K.NOT_SUPPORTED: (
        "the acquirer does not offer it to this merchant",
        "switch the capability off in the policy, ask the acquirer, and book it by hand there",
    ),
    _K.WRONG_REQUEST: (
        "the gateway does not take the request as it is written",
        "report it with the code: this is a fault of the engine or of the account's set-up",
    ),
    _K.UNUSABLE_CARD: (
        "the shopper's card or registration cannot be used",
        "ask the shopper for another card, or transfer the money by hand",
    ),
    _K.OTHER: (
        "the gateway or the bank declined",
        "look the code up (disputes explain CODE) and ask the acquirer if it is not clear",
    ),
}
#: The protocol's error table, and the codes beside those that mean the same.
_KINDS: Final[dict[str, RefusalKind]] = {
    "700.400.510": _K.UNKNOWN_REFERENCE,
    "700.400.520": _K.UNKNOWN_REFERENCE,
    "700.400.530": _K.UNKNOWN_REFERENCE,
    "700.400.550": _K.UNKNOWN_REFERENCE,
    "700.400.420": _K.UNKNOWN_REFERENCE,
    "700.100.100": _K.UNKNOWN_REFERENCE,
    "600.200.500": _K.UNKNOWN_REFERENCE,
    "700.300.200": _K.UNFIT_REFERENCE,
    "700.100.700": _K.UNFIT_REFERENCE,
    "700.400.570": _K.PENDING_REFERENCE,
    "700.400.100": _K.NOTHING_OPEN,
    "700.400.200": _K.NOTHING_OPEN,
    "700.400.300": _K.NOTHING_OPEN,
    "700.300.300": _K.NOTHING_OPEN,
    "700.300.400": _K.TOO_LATE,
    "700.300.700": _K.TOO_LATE,
    "700.500.002": _K.TOO_LATE,
    "700.400.400": _K.ALREADY_CHARGED_BACK,
    "700.300.500": _K.ALREADY_CHARGED_BACK,
    "700.400.410": _K.ALREADY_REVERSED,
    "700.400.411": _K.ALREADY_REVERSED,
    "700.300.600": _K.CHARGED_BACK,
    "700.100.500": _K.WRONG_ACCOUNT,
    "700.100.600": _K.WRONG_ACCOUNT,
    "700.400.700": _K.WRONG_ACCOUNT,
    "700.100.300": _K.WRONG_AMOUNT,
    "100.550.300": _K.WRONG_AMOUNT,
    "100.550.301": _K.WRONG_AMOUNT,
    "100.550.303": _K.WRONG_AMOUNT,
    "100.550.401": _K.WRONG_AMOUNT,
    "700.400.101": _K.NOT_SUPPORTED,
    "700.400.402": _K.NOT_SUPPORTED,
    "200.300.404": _K.WRONG_REQUEST,
    "100.100.101": _K.UNUSABLE_CARD,
    "100.150.100": _K.UNUSABLE_CARD,
}


def refusal_of(code: str | None) -> GatewayRefusal:
    """The refusal that a result code tells; a generic one outside the table."""
    kind = _KINDS.get(code or "", RefusalKind.OTHER)
    return GatewayRefusal(kind, *_WHAT[kind])


def reason_of(code: str | None) -> str:
    """A refusal for a person, who reads it with the operation (``disputes show``)."""
    refusal = refusal_of(code)
    return (
        f"the gateway refused it with {code}: {refusal.meaning}. What to do: {refusal.what_to_do}"
    )
