"""The typed search attributes of a case, named once for workflows, set-up and lists (contract)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributeUpdate, TypedSearchAttributes

from disputes.money import Money, to_minor
from disputes.status import CaseStatus
from disputes.vocabulary import Network

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
    minor = to_minor(status.disputed, status.currency) if status.currency else None
    return updates(
        before,
        {
            CASE_STATUS: status.status,
            CASE_STAGE: status.stage,
            MERCHANT_ID: status.merchant_id,
            NETWORK: status.network,
            REASON_CODE: status.reason_code,
            CURRENCY: status.currency or None,
            RESPOND_BY: status.respond_by,
            AMOUNT_MINOR: minor,
            NEEDS_ATTENTION: bool(status.attention),
        },
    )


def payment_updates(
    before: TypedSearchAttributes,
    *,
    state: str,
    merchant_id: str,
    network: Network | None,
    amount: Money,
    attention: bool,
    respond_by: datetime | None = None,
) -> list[SearchAttributeUpdate[Any]]:
    """The same for a pre-authorization, refund, payout or rebill."""
    return updates(
        before,
        {
            CASE_STATUS: state,
            MERCHANT_ID: merchant_id,
            NETWORK: network.value if network else None,
            RESPOND_BY: respond_by,
            AMOUNT_MINOR: amount.minor,
            CURRENCY: amount.currency,
            NEEDS_ATTENTION: attention,
        },
    )


def updates(
    before: TypedSearchAttributes, wanted: Mapping[SearchAttributeKey[Any], object]
) -> list[SearchAttributeUpdate[Any]]:
    """Updates that bring search attributes to what is wanted; ``None`` leaves one as it is."""
    return [
        key.value_set(value)
        for key, value in wanted.items()
        if value is not None and before.get(key) != value
    ]
