"""Steps between a payment's own workflow and the register, and the ways to other workflows."""

import asyncio
from collections.abc import Callable

from pydantic import TypeAdapter
from temporalio import activity

from activities.beating import beating
from activities.refusals import ended_by
from disputes.authorization import Authorization
from disputes.decode import canonical_of
from disputes.errors import Conflict, InvalidMessage, Refusal
from disputes.lifecycle import fold
from disputes.messages import Booking, Consent, RequestRebill
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.operations import merchant_transaction_id
from disputes.orders import Order
from disputes.payment_steps import (
    CaseRebill,
    CaseRebillOutcome,
    OpenAuthorization,
    OpenedAuthorization,
    OpenedOrder,
    OpenOrder,
    RecordPayment,
    TellDisputes,
    TellSuccessor,
    ToldDisputes,
)
from disputes.payment_terms import AuthorizationTerms, OrderTerms
from disputes.ports import Notices, PaymentNews, PaymentRegister, Register
from disputes.requests import OrderRequest, PreAuthorization, RebillRequest
from disputes.vocabulary import Purpose

_REQUEST: TypeAdapter[OrderRequest] = TypeAdapter(OrderRequest)


class PaymentCaseActivities:
    """Opens and records pre-authorizations, refunds, payouts and rebills.

    ``authorization_terms`` and ``order_terms`` cut the slice of rulebook and policy.
    """

    def __init__(
        self,
        register: Register,
        payments: PaymentRegister,
        notices: Notices,
        news: PaymentNews,
        authorization_terms: Callable[[PreAuthorization], AuthorizationTerms],
        order_terms: Callable[[OrderRequest], OrderTerms],
    ) -> None:
        self._register = register
        self._payments = payments
        self._notices = notices
        self._news = news
        self._authorization_terms = authorization_terms
        self._order_terms = order_terms

    @activity.defn
    def open_authorization(self, request: OpenAuthorization) -> OpenedAuthorization:
        """What the register knows of a pre-authorization; a new start claims its id."""
        differing = self._claim(request.workflow_id, request.start)
        record = self._payments.load(request.workflow_id)
        claimed = PreAuthorization.model_validate_json(record.claimed) if record.claimed else None
        return OpenedAuthorization(
            differing=differing,
            known=Authorization.model_validate_json(record.content) if record.content else None,
            claimed=claimed,
            terms=self._authorization_terms(claimed) if claimed and not differing else None,
            operations=record.operations,
            unfinished=record.unfinished,
            undoing=record.undoing,
            revision=record.revision,
        )

    @activity.defn
    def open_order(self, request: OpenOrder) -> OpenedOrder:
        """What the register knows of a refund, payout or rebill; a new request claims its id."""
        differing = self._claim(request.workflow_id, request.request)
        record = self._payments.load(request.workflow_id)
        claimed = _REQUEST.validate_json(record.claimed) if record.claimed else None
        return OpenedOrder(
            differing=differing,
            known=Order.model_validate_json(record.content) if record.content else None,
            claimed=claimed,
            terms=self._order_terms(claimed) if claimed and not differing else None,
            operations=record.operations,
            unfinished=record.unfinished,
            undoing=record.undoing,
            revision=record.revision,
            held_by=self._held_by(claimed) if claimed else (),
        )

    def _held_by(self, request: OrderRequest) -> tuple[str, ...]:
        if request.payment_id is None:
            return ()
        return self._payments.held_by(request.merchant_id, request.payment_id)

    def _claim(
        self, workflow_id: str, content: PreAuthorization | OrderRequest | None
    ) -> tuple[str, ...]:
        if content is not None:
            try:
                self._register.claim(workflow_id, canonical_of(content))
            except Conflict as conflict:
                return conflict.fields
        return ()

    @activity.defn
    def record_payment(self, record: RecordPayment) -> None:
        """Keep how a payment's own workflow stands, and tell what is new; safe to repeat."""
        self._payments.record(record.file, record.lapsed_id)
        for notice in record.notices:
            self._notices.tell(notice)

    @activity.defn
    async def tell_successor(self, successor: TellSuccessor) -> None:
        """Start the workflow of the authorization that took another's place; safe to repeat."""
        await self._news.authorization(successor.start, successor.met)

    @activity.defn
    async def tell_disputes(self, told: TellDisputes) -> ToldDisputes:
        """Tell disputes that money of theirs went back meanwhile: they ask for the payment anew.

        A case is on the books before it asks the gateway, so one that is not found here asks
        after the money was booked, and sees it by itself.
        """
        open_disputes = self._payments.open_disputes
        found = await asyncio.to_thread(open_disputes, told.payment_id, told.operation.key)
        others = tuple(dispute for dispute in found if dispute != told.own)
        for dispute_id in found:
            await self._news.booking(dispute_id, _booking(told))
        return ToldDisputes(dispute_ids=others)

    @activity.defn
    async def request_case_rebill(self, rebill: CaseRebill) -> CaseRebillOutcome:
        """Have a dispute's case charge its shopper again, by the rules of the case.

        Raises ``ApplicationError`` of the refusal's type: the dispute may be on another payment
        than the request names.
        """
        request = rebill.request
        command = RequestRebill(
            requested_by=request.requested_by,
            reason=request.reason.value,
            consent=_consent(request.consent),
            amount=request.amount,
            rebill_id=request.rebill_id,
        )
        refusal: Refusal | None = None
        try:
            await asyncio.to_thread(self._check_dispute, request)
            async with beating():
                answer = await self._news.rebill(
                    request.dispute_id or "", command, f"rebill-{request.rebill_id}"
                )
            asked = answer.get("request_id")
            return CaseRebillOutcome(case_request_id=str(asked) if asked else None)
        except Refusal as refused:
            refusal = refused
        raise ended_by(refusal)

    def _check_dispute(self, request: RebillRequest) -> None:
        # The case charges the payment that it is about, whatever else the request names.
        claimed = self._register.load(request.dispute_id or "").claimed
        if claimed is None:
            return
        notice = DisputeNotice.model_validate_json(claimed)
        if (notice.merchant_id, notice.payment_id) != (request.merchant_id, request.payment_id):
            raise InvalidMessage({"dispute_id": "is no dispute of this merchant's on this payment"})

    @activity.defn
    def case_rebill(self, rebill: CaseRebill) -> CaseRebillOutcome:
        """Where a rebill stands that a dispute's case carries out."""
        request = rebill.request
        key = f"dispute:{request.dispute_id}:{Purpose.REBILL.value}:{request.rebill_id}"
        operation = self._payments.operation(key)
        if operation is not None or rebill.case_request_id is None:
            return CaseRebillOutcome(operation=operation)
        events = self._register.load(request.dispute_id or "").events
        case = fold(request.dispute_id or "", events)
        if any(it.rebill_id == request.rebill_id for it in case.rebills):
            return CaseRebillOutcome()
        asked = (it for it in case.approvals if it.request_id == rebill.case_request_id)
        closed = any(it.outcome != "open" for it in asked)
        return CaseRebillOutcome(case_request_id=rebill.case_request_id, declined=closed)


def _consent(consent: Consent | None) -> Consent:
    if consent is None:
        raise ValueError("a rebill after a dispute has no consent: its request was not checked")
    return consent


def _booking(told: TellDisputes) -> Booking:
    operation = told.operation
    return Booking.model_validate(
        {
            # What a person settled may have no id: then its reference stands for it.
            "gateway_id": operation.gateway_id or merchant_transaction_id(operation.key),
            "payment_type": operation.payment_type,
            "occurred_at": told.at,
            "referenced_id": operation.referenced_id,
            "amount": Money.of(operation.amount_minor, operation.currency),
            "result_code": operation.result_code,
        }
    )
