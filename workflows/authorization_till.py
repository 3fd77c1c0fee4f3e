"""The money side of a pre-authorization: what is asked for, and what it owes by itself."""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gateway import GatewayActivities
    from activities.payment_case import PaymentCaseActivities
    from activities.payments import PaymentActivities
    from disputes import asked, authorization, resolutions
    from disputes.authorization import Authorization
    from disputes.authorization_plans import name_of, own_plan, plan_of
    from disputes.errors import Refusal
    from disputes.messages import ResolveOperation
    from disputes.money import Money
    from disputes.operations import Operation, Plan
    from disputes.payment_steps import TellSuccessor
    from disputes.requests import AuthorizationCommand, EntryTold
    from disputes.steps import AskPayment, Hold, MoneyMoved, MoveMoney
    from disputes.twins import TWIN
    from disputes.vocabulary import OperationState, PaymentType, Purpose
    from workflows import options
    from workflows.till import Till, gateway_step, resolve_step

_Step: TypeAlias = Callable[[PaymentActivities, MoveMoney], Awaitable[MoneyMoved]]
_STEPS: dict[Purpose, _Step] = {
    Purpose.AUTHORIZE: PaymentActivities.authorize,
    Purpose.INCREASE: PaymentActivities.authorize,
    Purpose.CAPTURE: PaymentActivities.capture,
    Purpose.REVERSE: PaymentActivities.reverse,
}


#: However near the end is: the gateway is not asked without a pause.
_SHORTEST_HOLD = timedelta(minutes=1)


@dataclass(eq=False)
class Ask:
    """A command that waits for its turn, and what came of it.

    ``waiting``: why nothing could be sent for now; it is carried out later all the same.
    """

    command: AuthorizationCommand
    operation: Operation | None = None
    refusal: Refusal | None = None
    waiting: Hold | None = None

    @property
    def answered(self) -> bool:
        """Whether its sender can be told something."""
        return bool(self.operation or self.refusal or self.waiting)


class AuthorizationTill:
    """One step at a time; every step ends with a new word on the authorization."""

    def __init__(self, auth: Authorization, unfinished: tuple[Plan, ...]) -> None:
        self.auth = self._seen = auth
        self._till = Till()
        self._unfinished = list(unfinished)
        self.asks: deque[Ask] = deque()
        #: why calls wait
        self._held = Hold.GATEWAY_UNREACHABLE
        #: of the step that is under way
        self._asking: Ask | None = None
        self.resolutions: list[ResolveOperation] = []
        #: the gateway must be asked what became of it
        self.stale = True
        #: authorizations that the gateway told of since it was asked
        self._told: list[str] = []

    @property
    def hold_until(self) -> datetime | None:
        """Until when calls wait, case time."""
        return self._till.hold_until

    @property
    def done(self) -> bool:
        """Whether a step has ended and its outcome waits to be noted."""
        return self._till.done

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, asked for or owed."""
        waiting = self._unfinished or self.asks or self.resolutions or self.stale
        return self._till.free and not waiting and not self._owes()

    def go_on(self) -> bool:
        """Note what has ended and start what is due; true when something is new."""
        now = workflow.now()
        moved = self._till.take(now, self._longest_hold(now))
        if moved is not None:
            self._note(moved, now)
        self.auth = resolutions.expired(self.auth, now)
        self._turn_away(now)
        self._lapse(now)
        if self._till.free:
            step = self._next(now)
            if step is not None:
                self._till.start(step)
        # Steps that are under way change it too.
        before, self._seen = self._seen, self.auth
        return self.auth != before

    def told(self, entry: EntryTold) -> None:
        """A notification is no proof: the gateway itself tells what it booked."""
        self.stale = True
        if entry.payment_type is PaymentType.PA:
            self._told.append(entry.gateway_id)

    def hurry(self) -> None:
        """A moment has come: what waits is tried at once."""
        self._till.hurry()

    def _longest_hold(self, now: datetime) -> timedelta:
        """Tried ever more often as the end comes near, so that no outage before it costs it."""
        left = self.auth.expires_at - now
        return max(left / 2, _SHORTEST_HOLD) if left > timedelta() else options.HOLD_MAX

    def _owes(self) -> bool:
        return self._successor_waits() or own_plan(self.auth) is not None

    def _next(self, now: datetime) -> Coroutine[object, object, MoneyMoved] | None:
        if self.resolutions:
            return self._resolve(self.resolutions.pop(0), now)
        if self._unfinished:
            return self._move(self._unfinished.pop(0), now)
        if self.stale:
            return self._ask_gateway(now)
        if self._successor_waits():
            return self._tell_successor(now)
        while self.asks:
            if self._answered_by_its_first(self.asks[0]):
                continue
            try:
                plan = plan_of(self.auth, self.asks[0].command, now)
            except Refusal as refusal:
                self._refuse(self.asks[0], refusal, now)
            else:
                self._remember(self.asks[0].command, plan.key)
                return self._begin(plan, now, self.asks[0])
        own = own_plan(self.auth)
        return self._begin(own, now) if own is not None else None

    def _begin(
        self, plan: Plan, now: datetime, ask: Ask | None = None
    ) -> Coroutine[object, object, MoneyMoved]:
        self.auth = authorization.begin(self.auth, plan, now)
        return self._move(plan, now, ask)

    def repeated(self, command: AuthorizationCommand) -> Ask | None:
        """The first one of a command that carries its caller's id; ``Conflict``: other content."""
        request_id = asked.request_id_of(command)
        if request_id is None:
            return None
        for ask in self.asks:
            if asked.request_id_of(ask.command) == request_id:
                first = asked.asked_for(ask.command, "")
                asked.key_of([first] if first else [], command)
                return ask
        found = self._became(command)
        return Ask(command, operation=found) if found else None

    def _became(self, command: AuthorizationCommand) -> Operation | None:
        key = asked.key_of(self.auth.asked, command)
        return next((op for op in self.auth.operations if op.key == key), None)

    def _answered_by_its_first(self, ask: Ask) -> bool:
        """When it was asked for, the first one was under way since a run that was lost."""
        first = self._became(ask.command)
        if first is None or not workflow.patched("one-for-each-request-id"):
            return False
        self.asks.remove(ask)
        ask.operation = first
        return True

    def _remember(self, command: AuthorizationCommand, key: str) -> None:
        planned = asked.asked_for(command, key)
        if planned is not None:
            others = asked.without(self.auth.asked, planned.request_id)
            self.auth = self.auth.model_copy(update={"asked": (*others, planned)})

    def _turn_away(self, now: datetime) -> None:
        """While calls wait, what cannot be done anyhow is refused at once."""
        if self.hold_until is None:
            return
        for ask in list(self.asks):
            try:
                plan_of(self.auth, ask.command, now)
            except Refusal as refusal:
                self._refuse(ask, refusal, now)
            else:
                ask.waiting = self._held

    def _refuse(self, ask: Ask, refusal: Refusal, now: datetime) -> None:
        """End a command; whoever has gone away with "it waits" finds it in the history."""
        self.asks.remove(ask)
        ask.refusal = refusal
        # Nothing was sent: the same id may be asked for again.
        left = asked.without(self.auth.asked, asked.request_id_of(ask.command))
        self.auth = self.auth.model_copy(update={"asked": left})
        if ask.waiting is not None:
            name = name_of(ask.command)
            noted = self.auth.noted(now, "engine", f"{name} refused: {refusal.message}")
            self.auth = noted.flagged(f"{name}_refused")

    def _lapse(self, now: datetime) -> None:
        """Its time is over; a capture under way is waited for, and the gateway asked before."""
        waits = self._till.busy or (self.stale and self.hold_until is None)
        if "expiry" in self.auth.fired and not self.auth.doubtful and not waits:
            self.auth = authorization.lapse(self.auth, now)

    async def _ask_gateway(self, now: datetime) -> MoneyMoved:
        # Before the question: what is told of meanwhile may be newer than the answer.
        self.stale = False
        told, self._told = self._told, []
        start = self.auth.start
        if all(op.purpose is not Purpose.AUTHORIZE for op in self.auth.doubtful):
            told = []
        # One that was made anew hangs under nothing: a question about the old one never shows it.
        ask = AskPayment(
            merchant_id=start.merchant_id, payment_id=start.payment_id, told=tuple(told), at=now
        )
        moved = await gateway_step(GatewayActivities.ask_payment, ask)
        if moved.hold is not None:
            self._told = told + self._told
        unknown = moved.payment is not None and not moved.payment.known
        # It may show up yet: ask again after a while, until its time is over.
        again = unknown and not self.auth.lapsed
        self.stale = self.stale or moved.hold is not None or again
        if again:
            return moved.model_copy(update={"hold": Hold.GATEWAY_UNREACHABLE})
        return moved

    async def _move(self, plan: Plan, now: datetime, ask: Ask | None = None) -> MoneyMoved:
        self._asking = ask
        try:
            moved = await gateway_step(_STEPS[plan.purpose], MoveMoney(plan=plan, at=now))
        except Refusal as refusal:
            # The books know more than we do: look again before anything else.
            self.stale = True
            self._declined(refusal, now)
            return MoneyMoved()
        if ask is None and moved.hold is not None and plan.key not in self._planned():
            # What would authorize it anew was not sent, and no guard knows that it is owed no more.
            anew = plan.purpose is Purpose.AUTHORIZE
            if not (anew and workflow.patched("authorize-anew-while-owed")):
                self._unfinished.insert(0, plan)
        # Another entry was there under our key, or less is open than we knew: look again.
        strange = any(op.twins or op.state is OperationState.REFUSED for op in moved.operations)
        self.stale = self.stale or strange
        return moved

    def _declined(self, refusal: Refusal, now: datetime) -> None:
        if self._asking is not None:
            self._refuse(self._asking, refusal, now)
            self._asking = None
        else:
            noted = self.auth.noted(now, "engine", f"refused: {refusal.message}")
            self.auth = noted.flagged("expiry_action_needed")

    def _planned(self) -> set[str]:
        plan = own_plan(self.auth)
        return {plan.key} if plan is not None else set()

    async def _resolve(self, resolution: ResolveOperation, now: datetime) -> MoneyMoved:
        try:
            moved = await resolve_step(resolution, now)
        except Refusal as refusal:
            # It stays in doubt, and may be resolved again.
            told = f"the word on it could not be taken: {refusal.message}"
            noted = self.auth.noted(workflow.now(), "engine", told)
            self.auth = noted.flagged("message_not_taken")
            return MoneyMoved()
        if self.auth.terms.doubt_reckoned and resolution.resolution == "did_not_happen":
            # It may be sent again: the gateway has the last word on whether it came there.
            self.stale = True
        # What undoes a twin is the twin's, and changes nothing of what was asked for.
        return MoneyMoved() if TWIN in resolution.operation_key else moved

    def _successor_waits(self) -> bool:
        auth = self.auth
        return auth.successor is not None and auth.told_successor < len(auth.met)

    async def _tell_successor(self, now: datetime) -> MoneyMoved:
        auth = self.auth
        minor = next(
            op.amount_minor
            for op in auth.ended(Purpose.AUTHORIZE)
            if op.gateway_id == auth.successor
        )
        amount = Money.of(minor, auth.currency)
        start = auth.start.model_copy(
            update={
                "payment_id": auth.successor,
                "amount": amount,
                "authorized_at": self._authorized_at(now),
                "expires_at": None,
                "on_expiry": auth.terms.on_expiry,
            }
        )
        told = len(auth.met)
        await gateway_step(
            PaymentCaseActivities.tell_successor, TellSuccessor(start=start, met=auth.met)
        )
        self.auth = self.auth.model_copy(update={"told_successor": told})
        return MoneyMoved()

    def _authorized_at(self, now: datetime) -> datetime:
        """When the successor was authorized: the same at every telling, as a start must be."""
        told = (note.at for note in self.auth.notes if note.actor == "successor")
        return next(told, now)

    def _note(self, moved: MoneyMoved, now: datetime) -> None:
        auth = self.auth
        if moved.payment is not None:
            auth = authorization.payment_told(auth, moved.payment, now)
        for operation in moved.operations:
            auth = authorization.reported(auth, operation, now)
        self._held = moved.hold or self._held
        if moved.hold is not None and auth.known:
            auth = auth.flagged(moved.hold.value)
        self.auth = auth
        self._tell_sender(moved)

    def _tell_sender(self, moved: MoneyMoved) -> None:
        """Whoever asked for the step is told, once the authorization knows what came of it."""
        ask, self._asking = self._asking, None
        if ask is None:
            return
        if moved.hold is not None:
            ask.waiting = moved.hold
        else:
            ask.operation = next(iter(moved.operations), None)
            self.asks.remove(ask)
