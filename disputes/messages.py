"""Signals and updates of a case as the contract names them (contract, Messages)."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from disputes.fields import Durable, GatewayId, Identifier, Label, Moment, Name, RequestId, Text
from disputes.money import Money
from disputes.vocabulary import NetworkEventKind, Outcome, PaymentType, Stage

#: How often the network has opened the chargeback stage, from 1.
_Cycle = Annotated[int, Field(ge=1, le=99)]


class BankRuling(Durable):
    """What the bank decided; ``merchant_amount`` returns to the merchant."""

    ruling_id: Identifier
    outcome: Outcome
    decided_at: Moment
    merchant_amount: Money | None = None
    cardholder_amount: Money | None = None
    stage: Stage | None = None
    cycle: _Cycle | None = None
    final: bool = False
    gateway_reference: GatewayId | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _partial_names_its_share(self) -> Self:
        if self.outcome is Outcome.PARTIAL and self.merchant_amount is None:
            raise ValueError("merchant_amount is required for a partial ruling")
        return self


class NetworkEvent(Durable):
    """What the network did besides ruling."""

    event_id: Identifier
    kind: NetworkEventKind
    occurred_at: Moment
    amount: Money | None = None
    respond_by: Moment | None = None
    cycle: _Cycle | None = None
    gateway_reference: GatewayId | None = None
    fee_type: Label | None = None

    @model_validator(mode="after")
    def _fee_has_amount(self) -> Self:
        fees = (NetworkEventKind.FEE_CHARGED, NetworkEventKind.FEE_RETURNED)
        if self.kind in fees and self.amount is None:
            raise ValueError("amount is required for a fee")
        return self


class Booking(Durable):
    """A CB, CR or RF that the gateway reported; moves the money position, never the status.

    An RB is one of ours whose outcome nobody knew.
    """

    gateway_id: GatewayId
    payment_type: Literal[PaymentType.CB, PaymentType.CR, PaymentType.RF, PaymentType.RB]
    occurred_at: Moment
    referenced_id: GatewayId | None = None
    amount: Money | None = None
    result_code: Label | None = None


class AddEvidence(Durable):
    """One piece of evidence; files travel as ``blob`` references, never as bytes."""

    evidence_id: Identifier
    evidence_type: Label
    submitted_by: Name
    text: Text | None = None
    blob: Annotated[str, StringConstraints(pattern=r"^sha256:[a-f0-9]{64}$")] | None = None
    media_type: Label | None = None
    description: Text | None = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if not (self.text or self.blob):
            raise ValueError("text or blob is required")
        return self


class WithdrawEvidence(Durable):
    """Take a piece of evidence back before it is submitted."""

    evidence_id: Identifier
    withdrawn_by: Name
    reason: Text


class SubmitRepresentment(Durable):
    """Answer the dispute with the evidence collected."""

    submitted_by: Name
    allow_incomplete: bool = False
    narrative: Text | None = None


class AnswerPreArbitration(Durable):
    """Answer the issuer's pre-arbitration attempt."""

    decision: Literal["accept", "decline"]
    answered_by: Name
    amount: Money | None = None


class FileArbitration(Durable):
    """Take the case to the network's arbitration (allocation flow)."""

    filed_by: Name
    narrative: Text | None = None


class AcceptLiability(Durable):
    """Give the case, or ``amount`` of it, up; with the same id once."""

    accepted_by: Name
    amount: Money | None = None
    reason: Text | None = None
    acceptance_id: Identifier | None = None


class ResolveByRefund(Durable):
    """Settle an alert or inquiry by paying the shopper back, or ``amount`` of it.

    With the same id once.
    """

    requested_by: Name
    amount: Money | None = None
    refund_id: Identifier | None = None


class Decide(Durable):
    """Approve or decline what someone else requested."""

    request_id: RequestId
    decided_by: Name
    reason: Text | None = None


class Consent(Durable):
    """The shopper's consent to be charged again."""

    given_at: Moment
    evidence_id: Identifier


class RequestRebill(Durable):
    """Charge the shopper again after a lost dispute."""

    requested_by: Name
    reason: Text
    consent: Consent
    amount: Money | None = None
    rebill_id: Identifier | None = None


class Assign(Durable):
    """Give the case to a person; ``None`` takes it back into the pool."""

    assignee: Name | None
    assigned_by: Name | None = None


class AddNote(Durable):
    """A remark on the case."""

    author: Name
    text: Annotated[Text, StringConstraints(min_length=1)]
    note_id: Identifier | None = None


class ResolveOperation(Durable):
    """A person's word, with proof, on a gateway operation in doubt."""

    operation_key: Name
    resolution: Literal["happened", "did_not_happen"]
    resolved_by: Name
    proof: Annotated[Text, StringConstraints(min_length=1)]


Fact = BankRuling | NetworkEvent | Booking
Command = (
    AddEvidence
    | WithdrawEvidence
    | SubmitRepresentment
    | AnswerPreArbitration
    | FileArbitration
    | AcceptLiability
    | ResolveByRefund
    | Decide
    | RequestRebill
    | Assign
    | AddNote
    | ResolveOperation
)
