"""Cuts from rulebook and policy what a payment's own workflow is pinned to."""

from datetime import timedelta
from decimal import Decimal

from disputes.payment_terms import AuthorizationTerms, OrderTerms
from disputes.policy import Policy
from disputes.requests import OrderRequest, PreAuthorization
from disputes.rulebook.rulebook import Rulebook

_HOURS = 24


def authorization_terms(
    start: PreAuthorization, rulebook: Rulebook, policy: Policy, acquirer: str
) -> AuthorizationTerms:
    """Terms of a pre-authorization.

    It stays good for the days that merchant or acquirer give, else for the rulebook's shortest
    window that may apply, else for the policy's ``fallback_days``, and then a person is told.
    """
    validity = rulebook.validity(
        network=start.network,
        authorization_type=start.authorization_type,
        mcc=start.mcc,
        initiator=start.initiator,
        card_present=start.card_present,
        region=start.region,
        extended=start.extended,
    )
    told = policy.authorization_days(acquirer, start.network)
    if told is not None:
        days, why = Decimal(told), f"{told} days by the policy"
    elif validity.days is not None:
        days, why = validity.days, validity.why
    else:
        days = Decimal(policy.clocks.fallback_days)
        why = f"{days} days by the policy, for no rule is known: {validity.why}"
    hours = float(days * _HOURS)
    return AuthorizationTerms(
        rulebook=rulebook.pin,
        policy=policy.pin,
        acquirer=acquirer,
        capabilities=policy.capabilities(acquirer, start.network),
        expires_at=start.authorized_at + timedelta(hours=hours),
        expires_why=why,
        expiry_known=told is not None or validity.days is not None,
        valid_hours=hours if validity.extendable else None,
        on_expiry=start.on_expiry or policy.authorizations.on_expiry,
        ladder_hours=policy.authorizations.ladder_hours,
        buffer_hours=policy.authorizations.buffer_hours,
        four_eyes_above_minor=policy.decisions.four_eyes_above.get(start.amount.currency),
        approval_hours=policy.clocks.approval_hours,
        doubt_reckoned=True,
    )


def order_terms(request: OrderRequest, policy: Policy, acquirer: str) -> OrderTerms:
    """Terms of a refund, payout or rebill."""
    return OrderTerms(
        policy=policy.pin,
        acquirer=acquirer,
        capabilities=policy.capabilities(acquirer, request.network),
        four_eyes_above_minor=policy.decisions.four_eyes_above.get(request.amount.currency),
        approval_hours=policy.clocks.approval_hours,
        refund_window_days=policy.refunds.window_days,
        refund_arrival_days=policy.refunds.arrival_days,
        rebill_difference_percent=policy.rebills.difference_percent,
    )
