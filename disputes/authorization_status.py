"""What a pre-authorization shows of itself (contract, PreAuthorizationWorkflow)."""

from disputes.authorization import Authorization, Note
from disputes.authorization_clock import next_due
from disputes.fields import Durable, Moment
from disputes.money import to_decimal
from disputes.second_person import PaymentApproval
from disputes.status import OperationStatus, operation_status
from disputes.terms import Pin


class ConditionStatus(Durable):
    """A condition of the capture, and since when it is met."""

    condition: str
    met_at: Moment | None = None


class NextAction(Durable):
    """What happens next by itself."""

    what: str
    at: Moment


class PreAuthorizationSummary(Durable):
    """What became of a pre-authorization; amounts are decimal strings in ``currency``.

    ``reauthorized_as``: the authorization (32 hex) that took its place.
    """

    payment_id: str
    merchant_id: str
    network: str
    state: str
    currency: str
    authorized: str
    captured: str
    open_amount: str
    expires_at: Moment
    reauthorized_as: str | None = None


class PreAuthorizationStatus(PreAuthorizationSummary):
    """All that may be asked of a pre-authorization."""

    expires_why: str
    on_expiry: str
    next_action: NextAction | None = None
    conditions: tuple[ConditionStatus, ...] = ()
    operations: tuple[OperationStatus, ...] = ()
    approvals: tuple[PaymentApproval, ...] = ()
    attention: tuple[str, ...] = ()
    timeline: tuple[Note, ...] = ()
    rulebook: Pin
    policy: Pin


def summary_of(auth: Authorization) -> PreAuthorizationSummary:
    """What a workflow that ends gives back."""
    return PreAuthorizationSummary.model_validate(_summary(auth))


def status_of(auth: Authorization) -> PreAuthorizationStatus:
    """The status of a pre-authorization."""
    due = next_due(auth)
    return PreAuthorizationStatus.model_validate(
        _summary(auth)
        | {
            "expires_why": "as told" if auth.start.expires_at else auth.terms.expires_why,
            "on_expiry": auth.terms.on_expiry.value,
            "next_action": NextAction(what=due.name, at=due.due) if due else None,
            "conditions": _conditions(auth),
            "operations": tuple(map(operation_status, auth.operations)),
            "approvals": auth.approvals,
            "attention": auth.flags,
            "timeline": auth.notes,
            "rulebook": auth.terms.rulebook,
            "policy": auth.terms.policy,
        }
    )


def _summary(auth: Authorization) -> dict[str, object]:
    def decimal(minor: int) -> str:
        return to_decimal(minor, auth.currency)

    return {
        "payment_id": auth.start.payment_id,
        "merchant_id": auth.start.merchant_id,
        "network": auth.start.network.value,
        "state": auth.state.value,
        "currency": auth.currency,
        "authorized": decimal(auth.authorized_minor),
        "captured": decimal(auth.captured_minor),
        "open_amount": decimal(auth.open_minor),
        "expires_at": auth.expires_at,
        "reauthorized_as": auth.successor,
    }


def _conditions(auth: Authorization) -> tuple[ConditionStatus, ...]:
    met = {it.condition: it.occurred_at for it in auth.met}
    wanted = dict.fromkeys([*auth.start.capture_when, *met])
    return tuple(ConditionStatus(condition=it.value, met_at=met.get(it)) for it in wanted)
