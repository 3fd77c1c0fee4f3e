"""What starts a payment's own workflow, and what is told or asked of it (contract)."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from disputes.fields import Durable, GatewayId, Identifier, Label, Moment, Name
from disputes.messages import Consent
from disputes.money import Money
from disputes.vocabulary import (
    Condition,
    Network,
    OnExpiry,
    PaymentType,
    PayoutReason,
    RebillReason,
    RefundReason,
    ReversalReason,
)

#: A shopper's token at the gateway, 32 hex: confidential, so it shows in no text.
_Registration = Annotated[GatewayId | None, Field(repr=False)]


class PreAuthorization(Durable):
    """An authorization (PA) to carry to its capture, reversal or expiry.

    ``authorization_type``: as in ``rulebook/data/auth_validity.csv``; ``expires_at`` else follows
    from the rulebook; ``on_expiry`` else is the policy's; ``capture_when``: once all are met, the
    open amount is captured.
    """

    payment_id: GatewayId
    merchant_id: Identifier
    network: Network
    amount: Money
    authorized_at: Moment
    authorization_type: Label | None = None
    mcc: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] | None = None
    initiator: Literal["customer", "merchant"] | None = None
    card_present: bool | None = None
    region: Label | None = None
    extended: bool = False
    registration_id: _Registration = None
    on_expiry: OnExpiry | None = None
    expires_at: Moment | None = None
    capture_when: Annotated[tuple[Condition, ...], Field(max_length=4)] = ()

    @model_validator(mode="after")
    def _can_be_authorized_anew(self) -> Self:
        if self.on_expiry is OnExpiry.REAUTHORIZE and self.registration_id is None:
            raise ValueError("registration_id is required to reauthorize")
        return self


class Capture(Durable):
    """Take the open amount, or a part of it; the same ``request_id`` does it once."""

    requested_by: Name
    amount: Money | None = None
    request_id: Identifier | None = None


class Reverse(Durable):
    """Release the entire open amount."""

    reason: ReversalReason
    requested_by: Name


class Increase(Durable):
    """Authorize ``amount`` on top; the same ``request_id`` does it once."""

    amount: Money
    requested_by: Name
    request_id: Identifier | None = None


class ConditionMet(Durable):
    """A condition of the capture has come true."""

    condition: Condition
    occurred_at: Moment


class EntryTold(Durable):
    """An entry of whatever type that the gateway told of: the signal ``booking``.

    It is no proof: it has the gateway asked.
    """

    gateway_id: GatewayId
    payment_type: PaymentType
    occurred_at: Moment
    referenced_id: GatewayId | None = None
    amount: Money | None = None
    result_code: Label | None = None


class RefundRequest(Durable):
    """Pay a capture, debit or rebill back, or take a payout (CD) back.

    ``network``: where it is told, what the acquirer offers for that brand counts.
    """

    refund_id: Identifier
    payment_id: GatewayId
    merchant_id: Identifier
    amount: Money
    reason: RefundReason
    requested_by: Name
    registration_id: _Registration = None
    dispute_id: Identifier | None = None
    network: Network | None = None


class PayoutRequest(Durable):
    """Pay a shopper by standalone credit (CD)."""

    payout_id: Identifier
    merchant_id: Identifier
    amount: Money
    registration_id: Annotated[GatewayId, Field(repr=False)]
    reason: PayoutReason
    requested_by: Name
    payment_id: GatewayId | None = None
    network: Network | None = None

    @model_validator(mode="after")
    def _repays_a_payment(self) -> Self:
        gesture = self.reason is PayoutReason.CUSTOMER_SERVICE_GESTURE
        if self.payment_id is None and not gesture:
            raise ValueError("payment_id is required but for a customer_service_gesture")
        return self


class RebillRequest(Durable):
    """Charge a shopper again on a debit (DB), on top of what was charged."""

    rebill_id: Identifier
    payment_id: GatewayId
    merchant_id: Identifier
    amount: Money
    reason: RebillReason
    requested_by: Name
    dispute_id: Identifier | None = None
    consent: Consent | None = None
    network: Network | None = None

    @model_validator(mode="after")
    def _dispute_and_consent(self) -> Self:
        disputed = self.reason is RebillReason.UNJUSTIFIED_CHARGEBACK
        if disputed and (self.dispute_id is None or self.consent is None):
            raise ValueError("dispute_id and consent are required for an unjustified_chargeback")
        if not disputed and self.dispute_id is not None:
            raise ValueError("dispute_id goes with the reason unjustified_chargeback only")
        return self


OrderRequest = RefundRequest | PayoutRequest | RebillRequest
AuthorizationCommand = Capture | Reverse | Increase
