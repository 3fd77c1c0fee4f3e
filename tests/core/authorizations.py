"""Authorizations of 92.00 EUR for the tests of their rules; hours count from ``NOW``."""

from datetime import UTC, datetime, timedelta

from disputes.authorization import Authorization, opened, payment_told, reported
from disputes.money import Money
from disputes.operations import PAYMENT_TYPE, Operation, Payment, business_key
from disputes.payment_terms import AuthorizationTerms
from disputes.requests import ConditionMet, PreAuthorization
from disputes.terms import Pin
from disputes.vocabulary import (
    Condition,
    Network,
    OperationState,
    PaymentType,
    Purpose,
)
from tests.support.plans import EVERYTHING

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PAYMENT = "aa" * 16
PIN = Pin(version="1", sha256="0" * 64)
SETTLED, REFUSED, DOUBT = (
    OperationState.SETTLED,
    OperationState.REFUSED,
    OperationState.IN_DOUBT,
)


def after(hours: float) -> datetime:
    """So many hours after ``NOW``."""
    return NOW + timedelta(hours=hours)


def eur(minor: int) -> Money:
    """Cents of EUR."""
    return Money.of(minor, "EUR")


def terms(**changes: object) -> AuthorizationTerms:
    """By rule it lapses after a week; the acquirer offers everything."""
    base = AuthorizationTerms(
        rulebook=PIN,
        policy=PIN,
        acquirer="default",
        capabilities=EVERYTHING,
        expires_at=after(168),
        expires_why="visa: 7 days",
    )
    return base.model_copy(update=changes)


def start(**changes: object) -> PreAuthorization:
    """Told to lapse after a week."""
    base = PreAuthorization(
        payment_id=PAYMENT,
        merchant_id="M-1",
        network=Network.VISA,
        amount=eur(9200),
        authorized_at=NOW,
        expires_at=after(168),
    )
    return base.model_copy(update=changes)


def unasked(told: dict[str, object] | None = None, **changes: object) -> Authorization:
    """Of which the gateway has not been asked yet; ``told``: changes of its start."""
    return opened(start(**(told or {})), terms(**changes), NOW)


def payment(*booked: Operation, minor: int = 9200) -> Payment:
    """What the gateway shows."""
    return Payment(
        payment_id=PAYMENT,
        known=True,
        entry_type=PaymentType.PA,
        amount_minor=minor,
        currency="EUR",
        booked=booked,
    )


def known(
    *operations: Operation, told: dict[str, object] | None = None, **changes: object
) -> Authorization:
    """Known to the gateway, with what became of it."""
    auth = payment_told(unasked(told, **changes), payment(), NOW)
    for operation in operations:
        auth = reported(auth, operation, NOW)
    return auth


def op(
    purpose: Purpose,
    minor: int,
    state: OperationState = SETTLED,
    place: int = 1,
    **more: object,
) -> Operation:
    """One of our own operations with an outcome."""
    anew = purpose is Purpose.AUTHORIZE
    made = Operation(
        key=business_key("preauthorization", PAYMENT, purpose, place),
        purpose=purpose,
        state=state,
        payment_type=PAYMENT_TYPE[purpose],
        amount_minor=minor,
        currency="EUR",
        referenced_id=None if anew else PAYMENT,
        gateway_id=f"{place:x}".rjust(32, purpose.value[0].replace("r", "d"))
        if state is SETTLED
        else None,
    )
    return made.model_copy(update=more)


def others(purpose: Purpose, minor: int, gateway_id: str) -> Operation:
    """An entry that the gateway booked without us."""
    return op(purpose, minor, key=f"gateway:{gateway_id}", gateway_id=gateway_id)


def met(*conditions: Condition) -> tuple[ConditionMet, ...]:
    """Conditions that have come true."""
    return tuple(ConditionMet(condition=it, occurred_at=NOW) for it in conditions)
