"""What has come in for a case: turns messages into numbered events and keeps the case's fold."""

from collections.abc import Sequence
from datetime import datetime

from temporalio.common import RawValue

from disputes import commands, events, messages
from disputes.case import Case
from disputes.decode import canonical_of, sha256
from disputes.errors import InvalidMessage, Refusal
from disputes.events import Body, CaseEvent
from disputes.lifecycle import HOLDS, advance, fold
from disputes.messages import Command
from disputes.notice import DisputeNotice
from disputes.operations import Operation, Payment
from disputes.vocabulary import NetworkEventKind, OperationState, PaymentType
from workflows.messages import notice_faults, payload_sha256, read_signal, shown_name

_ACTORS = (
    "submitted_by withdrawn_by answered_by filed_by accepted_by decided_by requested_by author"
    " resolved_by assigned_by"
).split()


class Docket:
    """The case, what waits to be recorded, and what waits to be done.

    The workflow alone numbers events. Methods never raise for a fact: what does not fit becomes
    an ``NotTaken`` event with the reason.
    """

    def __init__(self, case_id: str) -> None:
        self.case = Case(case_id=case_id)
        self.notices: list[DisputeNotice] = []
        self.bookings: list[messages.Booking] = []
        self.resolutions: list[messages.ResolveOperation] = []
        self.payment_stale = True
        #: sequence up to which the register has the events, and up to which they were handed over
        self._recorded = 0
        self._handed = 0

    @property
    def sequence(self) -> int:
        """Number of the newest event."""
        return self.case.events[-1].sequence if self.case.events else 0

    def dirty(self, *, everything: bool) -> bool:
        """Whether events wait to be handed to the register.

        An outcome that settled with its operation is in the read model already; it goes with what
        comes next, unless ``everything`` must be there.
        """
        fresh = (event for event in reversed(self.case.events) if event.sequence > self._handed)
        return any(everything or not _is_echo(event) for event in fresh)

    @property
    def doubts(self) -> bool:
        """Whether a doubt waits to be handed to the register."""
        fresh = (event for event in reversed(self.case.events) if event.sequence > self._handed)
        return any(_is_doubt(event) for event in fresh)

    @property
    def recorded(self) -> bool:
        """Whether the register has every event."""
        return self.sequence == self._recorded

    def load(self, known: Sequence[CaseEvent]) -> None:
        """Continue from what the register holds."""
        if known:
            self.case = fold(self.case.case_id, known)
            payment = self.case.payment
            asked = payment is not None and payment.known
            self.payment_stale = not asked or _unread(self.case)
        self._recorded = self._handed = self.sequence

    def hand_over(self) -> tuple[CaseEvent, ...]:
        """Every event that the register is not known to have: repeats are harmless, gaps not."""
        self._handed = self.sequence
        return tuple(event for event in self.case.events if event.sequence > self._recorded)

    def confirm(self, handed: Sequence[CaseEvent]) -> None:
        """Note that the register has these events."""
        self._recorded = max([self._recorded, *(event.sequence for event in handed)])

    def case_time(self, now: datetime) -> datetime:
        """``now`` (UTC), or later: case time never runs backwards, on whatever clock it reopens."""
        last = self.case.events[-1] if self.case.events else None
        return max(now, last.recorded_at) if last else now

    def append(
        self,
        body: Body,
        now: datetime,
        *,
        actor: str,
        event_id: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Number an event and fold it in; a known id changes nothing. Moments are UTC."""
        sequence = 1 + self.sequence
        recorded_at = self.case_time(now)
        event = CaseEvent(
            sequence=sequence,
            event_id=event_id or f"{body.kind}:{sequence}",
            at=at or recorded_at,
            recorded_at=recorded_at,
            actor=actor,
            body=body,
        )
        self.case = advance(self.case, event)

    def receive(self, name: str, args: Sequence[RawValue], now: datetime) -> None:
        """Take a signal of whatever form."""
        try:
            message = read_signal(name, args)
        except InvalidMessage as fault:
            self.unfit(name, args, fault.message, now)
            return
        match message:
            case DisputeNotice():
                self._notice(message, name, args, now)
            case messages.BankRuling():
                body: Body = events.Ruled(ruling=message)
                self._fact(f"ruling:{message.ruling_id}", body, message.decided_at, name, args, now)
            case messages.NetworkEvent():
                body = events.Reported(event=message)
                self._fact(f"event:{message.event_id}", body, message.occurred_at, name, args, now)
            case messages.Booking():
                self.bookings.append(message)
            case messages.AddEvidence():
                self._evidence(message, name, args, now)

    def _notice(
        self, notice: DisputeNotice, name: str, args: Sequence[RawValue], now: datetime
    ) -> None:
        faults = notice_faults(notice, self.case.case_id, now)
        known = self.case.notice
        if faults:
            reasons = "; ".join(f"{field}: {reason}" for field, reason in faults.items())
            self.unfit(name, args, reasons, now)
        elif known is None:
            self.notices.append(notice)
        elif canonical_of(known) != canonical_of(notice):
            self.unfit(name, args, "known already with other content", now)

    def _fact(
        self,
        event_id: str,
        body: Body,
        at: datetime,
        name: str,
        args: Sequence[RawValue],
        now: datetime,
    ) -> None:
        known = next((it for it in self.case.events if it.event_id == event_id), None)
        if known is None:
            actor = "bank" if isinstance(body, events.Ruled) else "network"
            self.append(body, now, actor=actor, event_id=event_id, at=at)
            self.payment_stale = self.payment_stale or _escalates(body)
        elif known.body != body:
            self.unfit(name, args, "known already with other content", now)

    def _evidence(
        self, message: messages.AddEvidence, name: str, args: Sequence[RawValue], now: datetime
    ) -> None:
        try:
            self.command("add_evidence", message, now)
        except Refusal as refusal:
            self.unfit(name, args, refusal.message, now)

    def unfit(self, name: str, args: Sequence[RawValue], reason: str, now: datetime) -> None:
        """Keep the reason, and the hash, of a message that the case cannot take."""
        shown, content = shown_name(name), payload_sha256(args)
        body = events.NotTaken(name=shown, reason=reason, payload_sha256=content)
        self.append(body, now, actor="sender", event_id=f"not_taken:{shown}:{content[:16]}")

    def unresolved(self, word: messages.ResolveOperation, why: Refusal, now: datetime) -> None:
        """A word on an operation in doubt that the books could not take: it stays in doubt."""
        content = sha256(canonical_of(word))
        body = events.NotTaken(name="resolve_operation", reason=why.message, payload_sha256=content)
        self.append(body, now, actor="engine")

    def command(self, name: str, command: Command, now: datetime) -> None:
        """Carry a command out; raises the typed refusal."""
        actor = actor_of(command)
        for body in commands.decide(self.case, name, command, self.case_time(now)):
            note_id = getattr(command, "note_id", None)
            self.append(body, now, actor=actor, event_id=f"note:{note_id}" if note_id else None)
            if isinstance(body, events.OperationResolved):
                self.resolutions.append(body.resolution)

    def policy(self, bodies: Sequence[Body], now: datetime) -> None:
        """Carry out what the policy decided."""
        for body in bodies:
            self.append(body, now, actor=commands.POLICY)

    def held(self, reason: str, now: datetime) -> None:
        """Note that calls wait, once for each reason."""
        if reason not in self.case.flags:
            self.append(events.CallsHeld(reason=reason), now, actor="gateway")

    def operation(self, operation: Operation, now: datetime) -> None:
        """Note the newest word on an operation."""
        known = next((op for op in self.case.operations if op.key == operation.key), None)
        # An outcome tells that the gateway was reached, even where the case knows it already.
        if known != operation or self.case.flags.intersection(HOLDS):
            self.append(events.OperationReported(operation=operation), now, actor="gateway")
            self.payment_stale = self.payment_stale or _refunds(self.case, operation)

    def payment(self, payment: Payment, now: datetime) -> None:
        """Note what the gateway knows of the presented entry."""
        self.payment_stale = False
        self.append(events.PaymentKnown(payment=payment), now, actor="gateway")

    def booking(
        self, booking: messages.Booking, operation: Operation | None, now: datetime
    ) -> None:
        """Note an entry that the gateway reported by itself."""
        self.bookings.remove(booking)
        # A refund moved what the entry can still hold, and a reversal that hangs under nothing
        # known was told of before its chargeback: ask again, as after calls that had to wait, and
        # where only an id was told, that the gateway does not know.
        unsure = bool(self.case.flags.intersection(HOLDS)) or booking.amount is None
        strange = operation is None and (unsure or booking.payment_type is PaymentType.CR)
        refunded = booking.payment_type is PaymentType.RF
        self.payment_stale = self.payment_stale or refunded or strange
        self.append(
            events.Booked(booking=booking, operation=operation),
            now,
            actor="gateway",
            event_id=f"booking:{booking.gateway_id}:{booking.payment_type}",
            at=booking.occurred_at,
        )
        if operation is not None:
            # The entry may have been told before it was known which operation of ours it is.
            self.operation(operation, now)


def _escalates(body: Body) -> bool:
    return isinstance(body, events.Reported) and body.event.kind is NetworkEventKind.ESCALATED


def _refunds(case: Case, operation: Operation) -> bool:
    """Whether it is a refund of the case's own that was booked: the entry holds less by it."""
    own = any(refund.key == operation.key for refund in case.refunds)
    return own and operation.state is OperationState.SETTLED


def _unread(case: Case) -> bool:
    """Whether refunds made since the gateway was asked must be read (lifecycle row 3)."""
    for event in reversed(case.events):
        body = event.body
        if isinstance(body, events.PaymentKnown):
            return False
        own = isinstance(body, events.OperationReported) and _refunds(case, body.operation)
        if own or _escalates(body):
            return True
    return False


def _is_echo(event: CaseEvent) -> bool:
    body = event.body
    return isinstance(body, events.OperationReported) and not body.operation.twins


def _is_doubt(event: CaseEvent) -> bool:
    body = event.body
    if not isinstance(body, events.OperationReported):
        return False
    return body.operation.state is OperationState.IN_DOUBT


def actor_of(command: Command) -> str:
    """Who gave a command."""
    named = (getattr(command, name, None) for name in _ACTORS)
    return next((who for who in named if who), "unknown")
