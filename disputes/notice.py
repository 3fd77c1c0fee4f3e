"""The notice that opens a case (contract, DisputeNotice)."""

from typing import Annotated

from pydantic import Field, StringConstraints

from disputes.fields import Day, Durable, GatewayId, Identifier, Label, Moment, Text
from disputes.money import Money
from disputes.vocabulary import Network, Stage

_ShortText = Annotated[str, StringConstraints(max_length=500)]


class Address(Durable):
    """A delivery address as text lines; ISO 3166 alpha-2 country."""

    street: _ShortText | None = None
    city: _ShortText | None = None
    state: _ShortText | None = None
    postcode: _ShortText | None = None
    country: _ShortText | None = None


class PriorTransaction(Durable):
    """An earlier undisputed payment on the same credential."""

    credential_ref: Label | None = None
    processed_at: Day | None = None
    amount: Money | None = None
    description: Text | None = None
    ip_address: _ShortText | None = None
    device_id: _ShortText | None = None
    device_fingerprint: _ShortText | None = None
    account_login_id: _ShortText | None = None
    shipping_address: Address | None = None
    is_oct: bool = False
    fraud_reported_at: Day | None = None


class Facts(Durable):
    """What the merchant knows of the disputed payment; ``avs``, ``cvv``: response codes."""

    authorized_at: Moment | None = None
    captured_at: Moment | None = None
    service_date: Day | None = None
    description: Text | None = None
    avs: Annotated[str, StringConstraints(max_length=2)] | None = None
    cvv: Annotated[str, StringConstraints(pattern=r"^[A-Z]?$")] | None = None
    eci: Annotated[str, StringConstraints(max_length=2)] | None = None
    ip_address: _ShortText | None = None
    device_id: _ShortText | None = None
    device_fingerprint: _ShortText | None = None
    account_login_id: _ShortText | None = None
    shipping_address: Address | None = None
    prior_transactions: Annotated[tuple[PriorTransaction, ...], Field(max_length=20)] = ()


class DisputeNotice(Durable):
    """A dispute as the bank or PSP reports it; ``amount`` is in the payment's currency.

    ``processed_at`` is the network's date, from which windows are counted; ``received_at`` when
    the notice reached us.
    """

    dispute_id: Identifier
    merchant_id: Identifier
    payment_id: GatewayId
    stage: Stage
    network: Network
    reason_code: Label
    amount: Money
    received_at: Moment
    processed_at: Day | None = None
    respond_by: Moment | None = None
    arn: Label | None = None
    gateway_reference: GatewayId | None = None
    network_amount: Money | None = None
    settled_amount: Money | None = None
    region: Label | None = None
    mcc: Label | None = None
    card_present: bool | None = None
    alert_program: (
        Annotated[str, StringConstraints(pattern=r"^(rdr|cdrn|ethoca|mc_collaboration|other)$")]
        | None
    ) = None
    alert_expires_at: Moment | None = None
    facts: Facts | None = None
