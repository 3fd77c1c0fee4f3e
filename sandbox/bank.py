"""The issuing bank: from a dispute and a scenario to the lines that its feed will carry."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import assert_never

from disputes.money import Money, decimals
from disputes.vocabulary import Network
from sandbox.scenarios import SCENARIOS, Act, Scenario, Step

Line = dict[str, object]
_ANALYST, _APPROVER = "a.weber", "m.costa"
_COMMANDS: dict[str, Line] = {
    "submit_representment": {"submitted_by": _ANALYST},
    "accept_liability": {"accepted_by": _ANALYST, "reason": "costs more than it can bring"},
    "file_arbitration": {"filed_by": _ANALYST},
    "approve": {"decided_by": _APPROVER},
}
#: The example bank's fee per chargeback.
_FEES = {"EUR": 1500, "USD": 1500, "GBP": 1200, "CHF": 1500, "JPY": 2000, "KWD": 5000}
#: One complete path of the evidence table for each reason code of the examples.
_EVIDENCE = {
    "visa 10.3": "card_imprint",
    "visa 10.4": "three_ds_authentication",
    "visa 11.3": "authorization_log",
    "visa 12.5": "transaction_receipt",
    "visa 12.6": "duplicate_charge_documentation",
    "visa 13.1": "delivery_confirmation shipping_tracking",
    "visa 13.2": "service_usage_log",
    "visa 13.3": "product_description merchant_rebuttal",
    "visa 13.6": "credit_not_due_explanation",
    "visa 13.7": "refund_policy",
    "mastercard 4808": "authorization_log",
    "mastercard 4834": "transaction_receipt",
    "mastercard 4837": "avs_cvv_match shipping_tracking",
    "mastercard 4853": "delivery_confirmation",
    "amex C02": "refund_policy",
    "amex C08": "delivery_confirmation",
    "amex C28": "cancellation_policy service_usage_log",
    "amex C31": "product_description",
    "amex F29": "three_ds_authentication",
    "amex P08": "duplicate_charge_documentation",
    "discover AP": "cancellation_policy",
    "discover DP": "duplicate_charge_documentation",
    "discover RG": "delivery_confirmation",
    "discover RM": "product_description",
    "discover UA02": "avs_cvv_match",
}
_GENERAL = "transaction_receipt"


@dataclass(frozen=True, slots=True)
class Dispute:
    """What the bank disputes; ``amount`` is the payment's, moments are UTC."""

    dispute_id: str
    merchant_id: str
    payment_id: str
    network: Network
    reason_code: str
    amount: Money
    received_at: datetime
    processed_at: date | None = None
    respond_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """``feed``: the bank's envelopes, the notice first; ``desk``: the merchant's commands."""

    feed: tuple[Line, ...]
    desk: tuple[Line, ...]


def tell(scenario: str, dispute: Dispute) -> Story:
    """The story of ``dispute`` under a scenario; ``KeyError`` for an unknown one."""
    plot = SCENARIOS[scenario]
    own = replace(
        dispute,
        amount=share(dispute.amount, plot.percent),
        reason_code=plot.reason_code or dispute.reason_code,
    )
    story = _story(plot, own)
    if plot.second is None:
        return story
    amount = share(dispute.amount, plot.second_percent)
    other = tell(plot.second, replace(dispute, dispute_id=f"{dispute.dispute_id}-B", amount=amount))
    return Story(story.feed + other.feed, story.desk + other.desk)


def share(amount: Money, percent: int) -> Money:
    """``percent`` of an amount, cut to what the gateway's two decimals can carry."""
    minor = amount.minor * percent // 100
    return Money.of(minor - minor % 10 ** max(decimals(amount.currency) - 2, 0), amount.currency)


def moment(value: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"


def _story(plot: Scenario, dispute: Dispute) -> Story:
    feed: list[Line] = [_notice(dispute)]
    desk: list[Line] = []
    told: dict[int, list[Line]] = {}
    for number, step in enumerate(plot.steps, start=1):
        if step.act is Act.COMMAND:
            desk.append(_command(dispute, step))
        elif step.same_as:
            feed += told[step.same_as]
        else:
            told[number] = list(_lines(dispute, step, number))
            feed += told[number]
    return Story(tuple(feed), tuple(desk))


def _notice(dispute: Dispute) -> Line:
    data: Line = {
        "dispute_id": dispute.dispute_id,
        "merchant_id": dispute.merchant_id,
        "payment_id": dispute.payment_id,
        "stage": "chargeback",
        "network": dispute.network.value,
        "reason_code": dispute.reason_code,
        "amount": dispute.amount.model_dump(),
        "received_at": moment(dispute.received_at),
    }
    if dispute.processed_at:
        data["processed_at"] = dispute.processed_at.isoformat()
    if dispute.respond_by:
        data["respond_by"] = moment(dispute.respond_by)
    return {"event_id": f"{dispute.dispute_id}.opened", "type": "dispute.opened", "data": data}


def _lines(dispute: Dispute, step: Step, number: int) -> Iterator[Line]:
    at = dispute.received_at + timedelta(days=step.day)
    identity = f"{dispute.dispute_id}.{step.act.value}.{number}"
    envelope: Line = {"event_id": identity, "dispute_id": dispute.dispute_id}
    match step.act:
        case Act.EVIDENCE | Act.CONSENT:
            yield from _evidence(dispute, step, identity, moment(at))
        case Act.RULING:
            data: Line = {"ruling_id": identity, "outcome": step.name, "decided_at": moment(at)}
            if step.percent:
                data["merchant_amount"] = share(dispute.amount, step.percent).model_dump()
            yield envelope | {"type": "dispute.ruling", "data": data | step.extra}
        case Act.EVENT:
            data = {"event_id": identity, "kind": step.name, "occurred_at": moment(at)}
            if step.respond_days:
                data["respond_by"] = moment(at + timedelta(days=step.respond_days))
            if step.name.startswith("fee_"):
                currency = dispute.amount.currency
                data["amount"] = Money.of(_FEES[currency], currency).model_dump()
            yield envelope | {"type": "dispute.network_event", "data": data | step.extra}
        case Act.COMMAND:
            raise ValueError("commands are the desk's, not the bank's")
        case _:
            assert_never(step.act)


def _evidence(dispute: Dispute, step: Step, identity: str, at: str) -> Iterator[Line]:
    key = f"{dispute.network.value} {dispute.reason_code}"
    consent = step.act is Act.CONSENT
    kinds = ["customer_communication"] if consent else _EVIDENCE.get(key, _GENERAL).split()
    for place, kind in enumerate(kinds, start=1):
        evidence_id = _consent_id(dispute) if consent else f"{identity}.{place}"
        yield {
            "event_id": f"{identity}.{place}",
            "type": "dispute.evidence",
            "dispute_id": dispute.dispute_id,
            "occurred_at": at,
            "data": {
                "evidence_id": evidence_id,
                "evidence_type": kind,
                "submitted_by": _ANALYST,
                "text": "example document",
            },
        }


def _consent_id(dispute: Dispute) -> str:
    return f"{dispute.dispute_id}.consent"


def _command(dispute: Dispute, step: Step) -> Line:
    at = dispute.received_at + timedelta(days=step.day)
    data = _COMMANDS.get(step.name) or {
        "requested_by": _ANALYST,
        "reason": "unjustified_chargeback",
        "consent": {
            "given_at": moment(at - timedelta(days=1)),
            "evidence_id": _consent_id(dispute),
        },
        "rebill_id": f"{dispute.dispute_id}.rebill",
    }
    return {
        "at": moment(at),
        "dispute_id": dispute.dispute_id,
        "command": step.name,
        "data": data,
    }
