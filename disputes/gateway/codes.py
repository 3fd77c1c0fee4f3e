"""What a result code promises, so that nothing uncertain is ever taken for a decline."""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Final, TypedDict

from disputes.refusals import RefusalKind, refusal_of
from disputes.vocabulary import PaymentType


class Verdict(StrEnum):
    """What an answer proves about one transaction (protocol, sections 4 and 5)."""

    #: The gateway booked it; a manual review may follow.
    SUCCESS = "success"
    #: It may still be booked: ask again later.
    PENDING = "pending"
    #: Nothing was booked, for good.
    REFUSED = "refused"
    #: Proof that nothing was sent on: safe to send again.
    NOT_SENT = "not_sent"
    #: Proof that it was undone: safe to send again.
    REVERSED = "reversed"
    #: Over the rate limit: wait. Read as refused before processing, not proven: ask, then resend.
    THROTTLED = "throttled"
    #: Maintenance: wait. Not proof that nothing happened: ask, then resend.
    BACK_OFF = "back_off"
    #: Anything may have happened: ask before anything else.
    UNKNOWN = "unknown"
    #: Half done at the gateway: a person must look.
    MANUAL = "manual"
    #: Known there already, perhaps from our own earlier attempt: ask, never resend blindly.
    DUPLICATE = "duplicate"


class Explanation(TypedDict):
    """A result code for a person (contract, ``explain CODE``)."""

    code: str
    description: str
    group: str
    action: str


@dataclass(frozen=True)
class _Book:
    """The packaged lists: descriptions and groups of known codes, group regexes, exact verdicts."""

    descriptions: Mapping[str, str]
    listed: Mapping[str, str]
    groups: tuple[tuple[str, re.Pattern[str]], ...]
    exact: Mapping[str, Verdict]


_CODE: Final = re.compile(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}", re.ASCII)
#: Name of no group: the code matches none of the platform's regexes.
UNGROUPED: Final = "unlisted"

_CLASSES: Final = {
    "query_before_resend": Verdict.UNKNOWN,
    "backoff_then_resend": Verdict.BACK_OFF,
    "manual": Verdict.MANUAL,
    "duplicate": Verdict.DUPLICATE,
}
# JUDGEMENT on single codes, from their own texts; the platform publishes no such list.
_SINGLE: Final = {
    "900.100.301": Verdict.REVERSED,
    "900.100.310": Verdict.NOT_SENT,
    "800.120.100": Verdict.THROTTLED,
    # The group says declined, the text says uncertain, ambiguous or timed out at the bank.
    "100.396.104": Verdict.UNKNOWN,
    "100.400.045": Verdict.UNKNOWN,
    "100.400.065": Verdict.UNKNOWN,
    "100.400.085": Verdict.UNKNOWN,
    "100.380.501": Verdict.UNKNOWN,
    "100.395.502": Verdict.UNKNOWN,
    # The group says unknown outcome, the text says declined or not applicable.
    "800.500.100": Verdict.REFUSED,
    "900.100.202": Verdict.REFUSED,
    # In the chargeback group, but the text says that the transaction succeeded.
    "000.100.211": Verdict.SUCCESS,
    "000.100.212": Verdict.SUCCESS,
    # In no group at all; both texts say that the transaction succeeded.
    "000.500.000": Verdict.SUCCESS,
    "000.500.100": Verdict.SUCCESS,
}
_GROUPS: Final = {
    "success": Verdict.SUCCESS,
    "success_manual_review": Verdict.SUCCESS,
    "pending": Verdict.PENDING,
    "pending_long": Verdict.PENDING,
    "rejected_communication": Verdict.UNKNOWN,
    "rejected_system": Verdict.UNKNOWN,
}
_ACTIONS: Final = {
    Verdict.SUCCESS: "none: the gateway has booked it",
    Verdict.PENDING: "wait and ask the gateway again",
    Verdict.REFUSED: "final: the gateway has booked nothing",
    Verdict.NOT_SENT: "send it again: nothing reached the acquirer",
    Verdict.REVERSED: "send it again: it was undone",
    Verdict.THROTTLED: "slow down, then ask the gateway before sending again",
    Verdict.BACK_OFF: "wait for the end of the maintenance, then ask the gateway",
    Verdict.UNKNOWN: "ask the gateway what happened before anything else is sent",
    Verdict.MANUAL: "a person must reverse it by hand at the gateway",
    Verdict.DUPLICATE: "look the original up at the gateway; do not send it again blindly",
}
_CHARGEBACK_ACTION: Final = (
    "none on a chargeback (CB): it is booked, and this is its reason; "
    "on any other type ask the gateway what happened"
)


def classify(code: str, payment_type: PaymentType) -> Verdict:
    """What ``code`` proves about a transaction of ``payment_type``.

    A booked CB answers with its reason (000.100.2xx; judged, protocol section 2), so the type
    counts before the code. A code outside the list is believed by its group's published regex when
    that says success or pending; in a rejecting group it is unknown, for those groups also hold
    uncertain codes. What matches nothing, or is no code at all, is unknown.
    """
    book = _book()
    if code in book.exact:
        return book.exact[code]
    group = _group(code)
    if group == "chargeback":
        return Verdict.SUCCESS if payment_type is PaymentType.CB else Verdict.UNKNOWN
    refusing = Verdict.REFUSED if code in book.listed else Verdict.UNKNOWN
    return _GROUPS.get(group, refusing)


def explain(code: str) -> Explanation:
    """Description, group (as in ``result_code_groups.json``) and next step of a result code."""
    group = _group(code)
    # Any type but CB gives the same verdict, and chargeback reasons have words of their own.
    action = _ACTIONS[classify(code, PaymentType.DB)]
    book = _book()
    if group == "chargeback" and code not in book.exact:
        action = _CHARGEBACK_ACTION
    refusal = refusal_of(code)
    if refusal.kind is not RefusalKind.OTHER:
        action = f"{action}; {refusal.what_to_do}"
    description = book.descriptions.get(code, "not in the list of known result codes")
    return {"code": code, "description": description, "group": group, "action": action}


def _group(code: str) -> str:
    book = _book()
    if code in book.listed:
        return book.listed[code]
    if not _CODE.fullmatch(code):
        return UNGROUPED
    return next((name for name, regex in book.groups if regex.match(code)), UNGROUPED)


@cache
def _book() -> _Book:
    data = files("disputes.gateway") / "data"
    rows = list(csv.DictReader((data / "result_codes.csv").read_text("utf-8").splitlines()))
    groups = json.loads((data / "result_code_groups.json").read_text("utf-8"))["groups"]
    classes = json.loads((data / "retry_classes.json").read_text("utf-8"))["classes"]
    by_class = {
        code: verdict for name, verdict in _CLASSES.items() for code in classes[name]["codes"]
    }
    return _Book(
        descriptions={row["code"]: row["description"] for row in rows},
        listed={row["code"]: row["group"] for row in rows},
        groups=tuple((group["group"], re.compile(group["regex"])) for group in groups),
        exact=by_class | _SINGLE,
    )
