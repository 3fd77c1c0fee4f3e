"""JSON answers in the platform's shape: strings for amounts, absent instead of null (section 3)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from sandbox import codes
from sandbox.form import BACK_OFFICE
from sandbox.transactions import Transaction, wire_amount

Json = dict[str, object]
_BUILD = "0000000000000000000000000000000000000000@2026-01-01 00:00:00 +0000"


def bare(code: str, entity_id: str, errors: Sequence[dict[str, str]] = ()) -> Json:
    """An answer about no transaction: refused forms, credentials, throttles and reads."""
    result: Json = {"code": code, "description": codes.describe(code)}
    if errors:
        result["parameterErrors"] = list(errors)
    return {"result": result, **_envelope(datetime.now(UTC), entity_id, milliseconds=True)}


def single(entry: Transaction, code: str | None = None) -> Json:
    """One transaction; ``code`` answers in place of its own result."""
    answer = _facts(entry, code or entry.result_code)
    booked_at = datetime.fromisoformat(entry.booked_at)
    return answer | _envelope(booked_at, entry.entity_id, milliseconds=False)


def several(entries: Sequence[Transaction], entity_id: str, *, paged: bool = False) -> Json:
    """The list answer of a query: its own result says only that the query worked (section 4).

    ``paged``: as the newer query API has it; its shape is unconfirmed (section 9).
    """
    listed = [single(entry) for entry in entries]
    shown: Json = {"records": listed, "pages": 1} if paged else {"payments": listed}
    return bare(codes.QUERY_DONE, entity_id) | shown


def _facts(entry: Transaction, code: str) -> Json:
    answer: Json = {"id": entry.id, "paymentType": entry.payment_type.value}
    if entry.payment_type not in BACK_OFFICE and not entry.referenced_id:
        # Answers of back-office operations carry neither brand nor card (section 2).
        answer |= _instrument(entry)
    if entry.referenced_id:
        answer["referencedId"] = entry.referenced_id
    if entry.amount_minor:
        answer["amount"] = wire_amount(entry.amount_minor, entry.currency)
        answer["currency"] = entry.currency
    if entry.merchant_transaction_id:
        answer["merchantTransactionId"] = entry.merchant_transaction_id
    short = f"{int(entry.id[:12], 16) % 10**12:012d}"
    short_id = f"{short[:4]}.{short[4:8]}.{short[8:]}"
    answer["descriptor"] = f"{short_id} SandboxChannel"
    answer["result"] = {"code": code, "description": codes.describe(code)}
    return answer | {"source": "OPP", "paymentMethod": "CC", "shortId": short_id}


def _instrument(entry: Transaction) -> Json:
    shown: Json = {}
    if entry.brand:
        shown["paymentBrand"] = entry.brand
    if entry.registration_id:
        shown["registrationId"] = entry.registration_id
    if entry.card_bin:
        shown["card"] = {"bin": entry.card_bin, "last4Digits": entry.card_last4}
    return shown


def _envelope(moment: datetime, entity_id: str, *, milliseconds: bool) -> Json:
    # The platform writes its timestamps in two forms; both occur here.
    fraction = f".{moment.microsecond // 1000:03d}" if milliseconds else ""
    return {
        "buildNumber": _BUILD,
        "timestamp": f"{moment:%Y-%m-%d %H:%M:%S}{fraction}+0000",
        "ndc": f"{entity_id or 'unknown'}_{uuid4().hex}",
    }
