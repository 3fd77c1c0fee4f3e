"""The typed search attributes of a case, named once for workflows, set-up and lists (contract)."""

from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributeUpdate, TypedSearchAttributes

from disputes.money import to_minor
from disputes.status import CaseStatus

CASE_STATUS = SearchAttributeKey.for_keyword("CaseStatus")
CASE_STAGE = SearchAttributeKey.for_keyword("CaseStage")
MERCHANT_ID = SearchAttributeKey.for_keyword("MerchantId")
NETWORK = SearchAttributeKey.for_keyword("Network")
REASON_CODE = SearchAttributeKey.for_keyword("ReasonCode")
RESPOND_BY = SearchAttributeKey.for_datetime("RespondBy")
AMOUNT_MINOR = SearchAttributeKey.for_int("AmountMinor")
CURRENCY = SearchAttributeKey.for_keyword("Currency")
NEEDS_ATTENTION = SearchAttributeKey.for_bool("NeedsAttention")

ALL = (
    CASE_STATUS,
    CASE_STAGE,
    MERCHANT_ID,
    NETWORK,
    REASON_CODE,
    RESPOND_BY,
    AMOUNT_MINOR,
    CURRENCY,
    NEEDS_ATTENTION,
)


def changes(before: TypedSearchAttributes, status: CaseStatus) -> list[SearchAttributeUpdate[Any]]:
    """Updates that bring a case's search attributes to its status; empty when they are there."""
    updates: list[SearchAttributeUpdate[Any]] = []
    texts = {
        CASE_STATUS: status.status,
        CASE_STAGE: status.stage,
        MERCHANT_ID: status.merchant_id,
        NETWORK: status.network,
        REASON_CODE: status.reason_code,
        CURRENCY: status.currency or None,
    }
    updates += [
        key.value_set(text)
        for key, text in texts.items()
        if text is not None and before.get(key) != text
    ]
    if status.respond_by is not None and before.get(RESPOND_BY) != status.respond_by:
        updates.append(RESPOND_BY.value_set(status.respond_by))
    if status.currency and before.get(AMOUNT_MINOR) != to_minor(status.disputed, status.currency):
        updates.append(AMOUNT_MINOR.value_set(to_minor(status.disputed, status.currency)))
    if before.get(NEEDS_ATTENTION) is not bool(status.attention):
        updates.append(NEEDS_ATTENTION.value_set(bool(status.attention)))
    return updates
