"""The result codes that the sandbox answers with, and what each means for the HTTP status."""

import re
from typing import Final

#: Codes by what happened; descriptions shortened (result code list of the platform).
SUCCESS_INTERNAL: Final = "000.100.110"
SUCCESS_EXTERNAL: Final = "000.100.112"
QUERY_DONE: Final = "000.000.100"
NO_ACCOUNT: Final = "100.150.100"
PENDING: Final = "000.200.000"
BAD_CARD: Final = "100.100.101"
NO_AMOUNT: Final = "100.550.300"
AMOUNT_TOO_LARGE: Final = "100.550.301"
AMOUNT_DECIMALS: Final = "100.550.303"
BAD_CURRENCY: Final = "100.550.401"
BAD_PARAMETER: Final = "200.300.404"
THROTTLED: Final = "800.120.100"
DUPLICATE: Final = "800.110.100"
UNAUTHORIZED: Final = "800.900.300"
DECLINED: Final = "800.100.152"
NOT_FOUND: Final = "700.400.580"

_DESCRIPTIONS = {
    SUCCESS_INTERNAL: "processed in 'Merchant in Integrator Test Mode'",
    SUCCESS_EXTERNAL: "processed in 'Merchant in Connector Test Mode'",
    QUERY_DONE: "successful request",
    PENDING: "transaction pending",
    BAD_CARD: "invalid creditcard, bank account number or bank name",
    NO_ACCOUNT: "no account data and no registration id",
    NO_AMOUNT: "no amount or too low amount",
    AMOUNT_TOO_LARGE: "amount too large",
    AMOUNT_DECIMALS: "amount format invalid",
    BAD_CURRENCY: "invalid currency",
    BAD_PARAMETER: "invalid or missing parameter",
    "600.200.500": "invalid payment data",
    "700.100.100": "reference id not existing",
    "700.100.300": "invalid amount (probably too large)",
    "700.100.500": "currency differs from the referenced payment's",
    "700.100.600": "mode differs from the referenced payment's",
    "700.100.700": "referenced transaction is of inappropriate type",
    "700.300.200": "referenced tx was rejected",
    "700.300.400": "referenced tx can not be captured (cut off time reached)",
    "700.300.300": "referenced tx was refunded or reversed already",
    "700.300.600": "referenced tx can not be refunded or reversed (was chargebacked)",
    "700.400.100": "cannot capture (PA value exceeded or PA reverted)",
    "700.400.101": "cannot capture (not supported by authorization system)",
    "700.400.200": "cannot refund (refund volume exceeded or tx reversed)",
    "700.400.300": "cannot reverse (already refunded or reversed, or amount exceeded)",
    "700.400.400": "cannot chargeback (already chargebacked)",
    "700.400.402": "chargeback can only be generated internally by the payment system",
    "700.400.410": "cannot reverse chargeback (already reversed)",
    "700.400.420": "cannot reverse chargeback (no chargeback existing)",
    "700.400.510": "capture needs a successful PA",
    "700.400.520": "refund needs a successful CP, DB, RB or RC",
    "700.400.530": "reversal needs a successful CP, DB, RB or PA",
    "700.400.550": "chargeback needs a successful CP, DB or RB",
    "700.400.570": "cannot reference a waiting/pending transaction",
    NOT_FOUND: "cannot find transaction",
    "700.400.700": "initial and referencing channel-ids do not match",
    DECLINED: "transaction declined by authorization system",
    DUPLICATE: "duplicate transaction",
    THROTTLED: "Too many requests. Please try again later.",
    UNAUTHORIZED: "invalid authentication information",
}

# Groups success, success_manual_review and, for a booked chargeback's reason, chargeback
# (protocol, section 4; that a CB answers with its reason is judgement, section 2).
_SUCCEEDED = re.compile(
    r"000\.000\.|000\.100\.[12]|000\.[36]|000\.400\.[1][12]0|000\.400\.0[^3]|000\.400\.100"
)
_PENDING = re.compile(r"000\.200|800\.400\.5|100\.400\.500")


def succeeded(code: str) -> bool:
    """Whether ``code`` says that the transaction was booked."""
    return _SUCCEEDED.match(code) is not None


def pending(code: str) -> bool:
    """Whether ``code`` says that the outcome is still open."""
    return _PENDING.match(code) is not None


def describe(code: str) -> str:
    """Wording for ``code``; codes set from outside have none of their own."""
    if code.startswith("000.100.2"):
        return "chargeback reason"
    return _DESCRIPTIONS.get(code, "result set by the switchboard")


def http_status(code: str, throttle_status: int) -> int:
    """HTTP status of an answer: judgement, the sources contradict (protocol, section 1)."""
    if code == UNAUTHORIZED:
        return 403
    if code == THROTTLED:
        return throttle_status
    return 200 if succeeded(code) or pending(code) else 400
