"""Search attributes that travel with a case's start, because each upsert costs history."""

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from disputes.notice import DisputeNotice
from disputes.requests import OrderRequest, PreAuthorization
from disputes.vocabulary import Stage, Status
from workflows import search_attributes


def attributes_of(notice: DisputeNotice) -> TypedSearchAttributes:
    """Search attributes at the start: an attribute that is right spares the case an upsert."""
    currency = (notice.settled_amount or notice.amount).currency
    status = Status.RECEIVED if notice.stage is Stage.ALERT else Status.COLLECTING
    return TypedSearchAttributes(
        [
            SearchAttributePair(search_attributes.CASE_STATUS, status.value),
            SearchAttributePair(search_attributes.CASE_STAGE, notice.stage.value),
            SearchAttributePair(search_attributes.MERCHANT_ID, notice.merchant_id),
            SearchAttributePair(search_attributes.NETWORK, notice.network.value),
            SearchAttributePair(search_attributes.REASON_CODE, notice.reason_code),
            SearchAttributePair(search_attributes.CURRENCY, currency),
            SearchAttributePair(
                search_attributes.AMOUNT_MINOR, (notice.settled_amount or notice.amount).minor
            ),
            SearchAttributePair(search_attributes.NEEDS_ATTENTION, value=False),
            *(
                [SearchAttributePair(search_attributes.RESPOND_BY, notice.respond_by)]
                if notice.respond_by
                else []
            ),
        ]
    )


def payment_attributes(request: PreAuthorization | OrderRequest) -> TypedSearchAttributes:
    """The same for a pre-authorization, refund, payout or rebill."""
    network = request.network
    return TypedSearchAttributes(
        [
            SearchAttributePair(search_attributes.MERCHANT_ID, request.merchant_id),
            SearchAttributePair(search_attributes.AMOUNT_MINOR, request.amount.minor),
            SearchAttributePair(search_attributes.CURRENCY, request.amount.currency),
            SearchAttributePair(search_attributes.NEEDS_ATTENTION, value=False),
            *([SearchAttributePair(search_attributes.NETWORK, network.value)] if network else []),
        ]
    )
