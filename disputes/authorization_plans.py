"""What is sent for a pre-authorization: what somebody asks for, and what it owes by itself."""

from datetime import datetime
from typing import Literal

from disputes.authorization import Authorization
from disputes.errors import (
    DeadlinePassed,
    IllegalTransition,
    InvalidMessage,
    MoneyHeld,
    NotSupported,
    Refusal,
)
from disputes.money import Money
from disputes.operations import Plan, business_key, payment_of_its_own
from disputes.requests import AuthorizationCommand, Capture, Increase, Reverse
from disputes.vocabulary import OnExpiry, OperationState, Purpose

_OWNER: Literal["preauthorization"] = "preauthorization"
_NAMES: dict[type[AuthorizationCommand], str] = {
    Capture: "capture",
    Reverse: "reverse",
    Increase: "increase",
}


def name_of(command: AuthorizationCommand) -> str:
    """What a command is called."""
    return _NAMES[type(command)]


def plan_of(auth: Authorization, command: AuthorizationCommand, now: datetime) -> Plan:
    """The operation that a command asks for at ``now`` (UTC).

    Raises the refusal: ``MoneyHeld`` while nobody knows what is open, ``IllegalTransition`` when
    nothing is, ``DeadlinePassed``, ``InvalidMessage`` for the amount, ``NotSupported``.
    """
    check_open(auth, name_of(command), now)
    match command:
        case Capture():
            minor = _within(auth, command.amount)
            _one_capture(auth)
            return _plan(auth, Purpose.CAPTURE, minor)
        case Reverse():
            return _plan(auth, Purpose.REVERSE, auth.open_minor)
        case Increase():
            if not auth.terms.capabilities.increase:
                anew = "authorize the difference anew (PA)"
                raise NotSupported("increase", auth.terms.acquirer, anew)
            return _plan(auth, Purpose.INCREASE, _same_currency(auth, command.amount))


def check_open(auth: Authorization, name: str, now: datetime) -> None:
    """Whether a command is possible at all now (UTC); raises the refusal."""
    if auth.doubtful:
        raise MoneyHeld(
            "nobody knows yet what became of an operation on it: resolve it first",
            auth.doubtful[0].key,
        )
    if auth.lapsed or auth.remaining_minor <= 0:
        raise IllegalTransition(auth.state.value, name, [])
    if auth.successor is not None:
        raise MoneyHeld("it was authorized anew and is being released: go on with that one")
    if not auth.known:
        raise MoneyHeld(
            "payment_history_unknown: the gateway has not told what became of this authorization"
        )
    if now >= auth.expires_at and name != "reverse":
        raise DeadlinePassed(auth.expires_at.isoformat().replace("+00:00", "Z"))


def own_plan(auth: Authorization) -> Plan | None:
    """What it owes without anybody asking: by its conditions, or by the policy before it lapses."""
    if auth.doubtful or not auth.known or auth.open_minor <= 0:
        return None
    if auth.successor is not None:
        return _untried(auth, _plan(auth, Purpose.REVERSE, auth.open_minor))
    if auth.start.capture_when and not auth.missing and "expiry" not in auth.fired:
        return _own_capture(auth)
    if "action" not in auth.fired or "expiry" in auth.fired:
        return None
    match auth.terms.on_expiry:
        case OnExpiry.CAPTURE:
            return None if auth.missing else _own_capture(auth)
        case OnExpiry.REVERSE:
            return _untried(auth, _plan(auth, Purpose.REVERSE, auth.open_minor))
        case OnExpiry.REAUTHORIZE if auth.start.registration_id and not _authorized_anew(auth):
            return _untried(auth, _plan(auth, Purpose.AUTHORIZE, auth.open_minor))
        case OnExpiry.REAUTHORIZE | OnExpiry.NOTIFY:
            return None


def _authorized_anew(auth: Authorization) -> bool:
    """Whether a further authorization stands, be it under an id that nobody knows."""
    anew = auth.ended(Purpose.AUTHORIZE)
    return any(op.state is OperationState.SETTLED for op in anew)


def _own_capture(auth: Authorization) -> Plan | None:
    try:
        _one_capture(auth)
    except Refusal:
        return None
    return _untried(auth, _plan(auth, Purpose.CAPTURE, auth.open_minor))


def _untried(auth: Authorization, plan: Plan) -> Plan | None:
    """Refused for good, the same again would be refused again; what never came there would not."""
    tried = any(
        op.state is OperationState.REFUSED
        and op.key not in auth.denied
        and (op.purpose, op.amount_minor) == (plan.purpose, plan.amount_minor)
        for op in auth.operations
    )
    return None if tried else plan


def _one_capture(auth: Authorization) -> None:
    if auth.captured_minor and not auth.terms.capabilities.multiple_capture:
        raise NotSupported(
            "a second capture", auth.terms.acquirer, "make a new payment for the rest"
        )


def _within(auth: Authorization, amount: Money | None) -> int:
    if amount is None:
        return auth.open_minor
    minor = _same_currency(auth, amount)
    if minor > auth.open_minor:
        is_open = auth.money(auth.open_minor)
        raise InvalidMessage(
            {"amount": f"only {is_open} is open: capture that, or increase it first"}
        )
    return minor


def _same_currency(auth: Authorization, amount: Money) -> int:
    if amount.currency != auth.currency:
        raise InvalidMessage({"amount.currency": "must be the authorization's currency"})
    return amount.minor


def _plan(auth: Authorization, purpose: Purpose, minor: int) -> Plan:
    payment_id = auth.start.payment_id
    place = 1 + sum(op.key.startswith(f"{_OWNER}:") for op in auth.ended(purpose))
    key = business_key(_OWNER, payment_id, purpose, place)
    anew = purpose is Purpose.AUTHORIZE
    return Plan(
        key=key,
        purpose=purpose,
        merchant_id=auth.start.merchant_id,
        payment_id=payment_of_its_own(key) if anew else payment_id,
        referenced_id=None if anew else payment_id,
        registration_id=auth.start.registration_id if anew else None,
        amount_minor=minor,
        currency=auth.currency,
        network=auth.start.network.value,
        expires_at=auth.expires_at if purpose in (Purpose.CAPTURE, Purpose.INCREASE) else None,
        capabilities=auth.terms.capabilities,
        acquirer=auth.terms.acquirer,
    )
