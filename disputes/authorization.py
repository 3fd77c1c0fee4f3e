"""A pre-authorization as its workflow knows it: what came of it, what is open, what comes next.

Every moment is case time in UTC, every amount minor units of the authorization's currency.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from disputes.asked import AskedFor
from disputes.fields import Durable, GatewayId, Moment, Name
from disputes.money import to_decimal
from disputes.operations import Operation, Payment, Plan
from disputes.payment_terms import AuthorizationTerms
from disputes.refusals import RefusalKind, refusal_of
from disputes.requests import ConditionMet, PreAuthorization
from disputes.second_person import PaymentApproval
from disputes.vocabulary import (
    AuthorizationState,
    Condition,
    OperationState,
    Purpose,
)

ADOPTED = "gateway:"


class Note(Durable):
    """One line of a payment's history: when, who, and what, in words."""

    at: Moment
    actor: Name
    what: str


class AuthorizationTimer(StrEnum):
    """What a moment of a pre-authorization is for."""

    LADDER = "ladder"
    ACTION = "action"
    EXPIRY = "expiry"


class Authorization(Durable):
    """All that is known of a pre-authorization; its workflow keeps it, and the books a copy."""

    start: PreAuthorization
    terms: AuthorizationTerms
    #: moves where a further approval starts the window anew
    expires_at: Moment
    payment: Payment | None = None
    operations: tuple[Operation, ...] = ()
    #: when our own increases and new authorizations were last begun, by key, case time
    begun: dict[str, Moment] = Field(default_factory=dict)
    #: keys of those that were in doubt, and that a person found not booked
    denied: tuple[str, ...] = ()
    met: tuple[ConditionMet, ...] = ()
    #: moments that have come: ``ladder:48``, ``action``, ``expiry``
    fired: tuple[str, ...] = ()
    #: nothing can be captured any more: it expired, or the gateway says so
    lapsed: bool = False
    #: the authorization that took its place, and how many conditions that one was told
    successor: GatewayId | None = None
    told_successor: int = -1
    #: commands with an id of their caller's, once they were planned
    asked: tuple[AskedFor, ...] = ()
    #: words on what is in doubt that wait, or waited, for a second person
    approvals: tuple[PaymentApproval, ...] = ()
    flags: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def currency(self) -> str:
        """ISO 4217."""
        return self.start.amount.currency

    @property
    def authorized_minor(self) -> int:
        """Authorized, increases included."""
        known = self.payment is not None and self.payment.known
        first = self.payment.amount_minor if self.payment and known else self.start.amount.minor
        return first + self._moved(Purpose.INCREASE)

    @property
    def captured_minor(self) -> int:
        """Taken of it."""
        return self._moved(Purpose.CAPTURE)

    @property
    def remaining_minor(self) -> int:
        """Neither captured nor reversed, whether it has lapsed or not."""
        return self.authorized_minor - self.captured_minor - self._moved(Purpose.REVERSE)

    @property
    def open_minor(self) -> int:
        """What can still be captured or released."""
        return 0 if self.lapsed else max(self.remaining_minor, 0)

    @property
    def known(self) -> bool:
        """Whether the gateway has told what became of it."""
        return self.payment is not None and self.payment.known

    @property
    def doubtful(self) -> tuple[Operation, ...]:
        """Operations of which nobody knows whether they were booked: no call goes out."""
        return tuple(op for op in self.operations if op.state is OperationState.IN_DOUBT)

    @property
    def next_request_id(self) -> str:
        """Id of the next request for a second person."""
        return f"preauthorization.{self.start.payment_id}-A{len(self.approvals) + 1}"

    @property
    def missing(self) -> tuple[Condition, ...]:
        """Conditions of the capture that are not met."""
        met = {it.condition for it in self.met}
        return tuple(it for it in self.start.capture_when if it not in met)

    @property
    def state(self) -> AuthorizationState:
        """Where it stands."""
        if self.doubtful:
            return AuthorizationState.IN_DOUBT
        if self.lapsed and self.remaining_minor > 0:
            return AuthorizationState.EXPIRED
        if self.remaining_minor <= 0:
            taken = self.captured_minor > 0
            return AuthorizationState.CAPTURED if taken else AuthorizationState.REVERSED
        if self.captured_minor > 0:
            return AuthorizationState.PARTIALLY_CAPTURED
        return AuthorizationState.AUTHORIZED

    def ended(self, purpose: Purpose) -> tuple[Operation, ...]:
        """Operations of one purpose with an outcome, our own and those of others."""
        return tuple(op for op in self.operations if op.purpose is purpose)

    def _moved(self, purpose: Purpose) -> int:
        return sum(
            op.amount_minor for op in self.ended(purpose) if op.state is OperationState.SETTLED
        )

    def noted(self, at: datetime, actor: str, what: str) -> "Authorization":
        """The same with one more line of history."""
        return self.model_copy(update={"notes": (*self.notes, Note(at=at, actor=actor, what=what))})

    def flagged(self, *codes: str) -> "Authorization":
        """The same with attention codes that it had not."""
        fresh = tuple(code for code in codes if code not in self.flags)
        return self.model_copy(update={"flags": (*self.flags, *fresh)})

    def unflagged(self, *codes: str) -> "Authorization":
        """The same without attention codes."""
        left = tuple(code for code in self.flags if code not in codes)
        return self.model_copy(update={"flags": left})

    def money(self, minor: int) -> str:
        """An amount of it for a person."""
        return f"{to_decimal(minor, self.currency)} {self.currency}"


def opened(start: PreAuthorization, terms: AuthorizationTerms, now: datetime) -> Authorization:
    """A pre-authorization that has just been told of.

    Of the ladder's notices that are past already, only the last one is given.
    """
    expires_at = start.expires_at or terms.expires_at
    past = [hours for hours in terms.ladder_hours if expires_at - timedelta(hours=hours) <= now]
    fired = tuple(f"{AuthorizationTimer.LADDER}:{hours}" for hours in past[:-1])
    made = Authorization(start=start, terms=terms, expires_at=expires_at, fired=fired)
    why = "as told" if start.expires_at else terms.expires_why
    until = expires_at.strftime("%Y-%m-%d %H:%MZ")
    made = made.noted(now, "intake", f"authorized {made.money(start.amount.minor)} until {until}")
    made = made.noted(now, "rulebook", f"it lapses then: {why}")
    unsure = start.expires_at is None and not terms.expiry_known
    return made.flagged("expiry_unknown") if unsure else made


def begin(auth: Authorization, plan: Plan, now: datetime) -> Authorization:
    """An approval is about to be asked for: its window counts from here, however late it is learnt.

    Calls that wait were not sent yet, and begin anew.
    """
    approves = plan.purpose in (Purpose.INCREASE, Purpose.AUTHORIZE)
    if not approves or not auth.terms.doubt_reckoned:
        return auth
    return auth.model_copy(update={"begun": auth.begun | {plan.key: now}})


def reported(auth: Authorization, operation: Operation, now: datetime) -> Authorization:
    """The newest word on an operation; one gateway entry counts once."""
    same = next((op for op in auth.operations if _same(op, operation)), None)
    if same == operation:
        return auth
    if same is not None and operation.key.startswith(ADOPTED) and not _open(same):
        return auth
    # Of one in doubt the entry may stand here as well, booked without us as it seemed.
    others = tuple(op for op in auth.operations if not _same(op, operation))
    after = auth.model_copy(update={"operations": (*others, operation)})
    if same is not None and _open(same) and auth.terms.doubt_reckoned:
        after = _denied(after, operation)
    after = after.noted(now, "gateway", _told(after, operation))
    after = _flags(_refusals(_window(after, operation, now), operation))
    after = _successor(after, operation, now)
    taken = operation.purpose is Purpose.CAPTURE and operation.state is OperationState.SETTLED
    return after.flagged("late_capture") if taken and auth.lapsed else after


def payment_told(auth: Authorization, payment: Payment, now: datetime) -> Authorization:
    """What the gateway shows of the authorization, with all that became of it elsewhere."""
    after = auth.model_copy(update={"payment": payment})
    if not payment.known:
        return after.flagged("payment_unknown")
    after = after.unflagged("payment_unknown", "gateway_unreachable", "money_held")
    if payment.currency != after.currency:
        after = after.flagged("currency_unknown")
    elif payment.amount_minor != after.start.amount.minor:
        after = after.flagged("other_amount")
    for operation in payment.booked:
        after = reported(after, operation, now)
    return after


def lapse(auth: Authorization, now: datetime) -> Authorization:
    """Nothing can be captured any more: the rest goes back to the shopper by itself."""
    if auth.lapsed:
        return auth
    open_minor = auth.open_minor
    after = auth.model_copy(update={"lapsed": True})
    return _flags(after.noted(now, "clock", f"{auth.money(open_minor)} expired"))


def _same(one: Operation, other: Operation) -> bool:
    entry = one.gateway_id is not None and one.gateway_id == other.gateway_id
    return one.key == other.key or entry


def _open(operation: Operation) -> bool:
    return operation.state is OperationState.IN_DOUBT


def _denied(auth: Authorization, operation: Operation) -> Authorization:
    """By a person's word no gateway refused it: a refusal of the gateway's carries its code."""
    if operation.state is not OperationState.REFUSED or operation.result_code is not None:
        return auth
    return auth.model_copy(update={"denied": (*auth.denied, operation.key)})


def _told(auth: Authorization, op: Operation) -> str:
    what = f"{op.purpose.value} of {auth.money(op.amount_minor)}"
    what += " (booked without us)" if op.key.startswith(ADOPTED) else ""
    reason = f": {op.reason}" if op.reason else ""
    return f"{what} {op.state.value.replace('_', ' ')}{reason}"


def _window(auth: Authorization, operation: Operation, now: datetime) -> Authorization:
    """A further approval starts the window anew, where the network says so."""
    grows = operation.purpose is Purpose.INCREASE and operation.state is OperationState.SETTLED
    approved = _approved(auth, operation, now)
    # Where nobody tells when: the earlier end is the safe one.
    if not grows or approved is None or auth.start.expires_at is not None:
        return auth
    if auth.terms.valid_hours is None:
        return auth
    later = approved + timedelta(hours=auth.terms.valid_hours)
    if later <= auth.expires_at:
        return auth
    moved = auth.model_copy(update={"expires_at": later, "fired": ()})
    return moved.noted(now, "rulebook", f"it lapses at {later:%Y-%m-%d %H:%MZ} now")


def _approved(auth: Authorization, operation: Operation, now: datetime) -> datetime | None:
    """When the gateway approved it, or somewhat before; ``None`` for what was booked without us."""
    if operation.key.startswith(ADOPTED):
        return None
    return auth.begun.get(operation.key) if auth.terms.doubt_reckoned else now


def _successor(auth: Authorization, operation: Operation, now: datetime) -> Authorization:
    """It was authorized anew; a person may know that without the id, and has to go on with it."""
    anew = operation.purpose is Purpose.AUTHORIZE and operation.state is OperationState.SETTLED
    if not anew or auth.successor is not None:
        return auth
    if operation.gateway_id is None:
        unknown = "authorized anew, under an id that nobody has told: release one of the two"
        return auth.noted(now, "engine", unknown).flagged("expiry_action_needed")
    made = auth.model_copy(update={"successor": operation.gateway_id})
    approved = _approved(auth, operation, now) or now
    return made.noted(approved, "successor", f"authorized anew as {operation.gateway_id}")


def _refusals(auth: Authorization, operation: Operation) -> Authorization:
    """A refusal needs a look until the same succeeds; some tell that the authorization is dead."""
    code = f"{operation.purpose.value}_refused"
    if operation.state is not OperationState.REFUSED:
        return auth.unflagged(code)
    dead = refusal_of(operation.result_code).kind is RefusalKind.TOO_LATE
    if operation.purpose is Purpose.CAPTURE and dead and not auth.lapsed:
        auth = auth.model_copy(update={"lapsed": True}).flagged("lapsed_early")
    return auth.flagged(code)


def _flags(auth: Authorization) -> Authorization:
    after = auth.unflagged("operation_in_doubt", "money_held", "gateway_unreachable")
    if after.open_minor <= 0:
        after = after.unflagged("expiry_near", "expiry_action_needed")
    if after.doubtful:
        after = after.flagged("operation_in_doubt")
    if any(op.twins for op in after.operations):
        after = after.flagged("twin_entries")
    if any(op.asked_minor is not None for op in after.operations):
        after = after.flagged("other_amount")
    return after
