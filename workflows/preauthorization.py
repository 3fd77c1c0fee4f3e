"""The story of one pre-authorization, from the shopper's authorization to capture, reversal or end.

Handlers only note what came; ``run`` does the work. Every rule is the core's.
"""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.payment_case import PaymentCaseActivities
    from disputes import authorization, resolutions
    from disputes.authorization import Authorization, AuthorizationTimer
    from disputes.authorization_clock import Due, fire, next_due
    from disputes.authorization_plans import check_open
    from disputes.authorization_status import (
        PreAuthorizationStatus,
        PreAuthorizationSummary,
        status_of,
        summary_of,
    )
    from disputes.decode import decode
    from disputes.errors import Conflict, InvalidMessage, NotFound, Refusal
    from disputes.messages import Decide, ResolveOperation
    from disputes.operations import Operation
    from disputes.payment_steps import OpenAuthorization, OpenedAuthorization, PaymentFile
    from disputes.requests import (
        AuthorizationCommand,
        Capture,
        ConditionMet,
        EntryTold,
        Increase,
        PreAuthorization,
        Reverse,
    )
    from disputes.status import operation_status
    from disputes.twins import TWIN
    from workflows import search_attributes as attributes
    from workflows.alarm import Alarm
    from workflows.authorization_till import Ask, AuthorizationTill
    from workflows.ids import PREAUTHORIZATION_WORKFLOW, own_id_of
    from workflows.keeper import Keeper
    from workflows.messages import (
        NOTHING,
        brings_nothing,
        not_taken,
        payload_json,
        read_one_of,
    )
    from workflows.refusals import as_application_error
    from workflows.store_step import store_step

_SIGNALS: dict[str, type[ConditionMet | EntryTold]] = {
    "condition_met": ConditionMet,
    "booking": EntryTold,
}
_COMMANDS: dict[str, type[Capture | Reverse | Increase | ResolveOperation | Decide]] = {
    "capture": Capture,
    "reverse": Reverse,
    "increase": Increase,
    "resolve_operation": ResolveOperation,
    "approve": Decide,
    "decline": Decide,
}


@workflow.defn(name=PREAUTHORIZATION_WORKFLOW)
class PreAuthorizationWorkflow:
    """One authorization (PA) and all that becomes of it."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:  # noqa: ARG002 - as run takes it
        self._keeper = Keeper(self._file)
        self._alarm = Alarm()
        self._inbox: list[tuple[str, Sequence[RawValue]]] = []
        self._work: AuthorizationTill | None = None
        self._refusal: Refusal | None = None
        self._news = False

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> PreAuthorizationSummary:
        """Carry the authorization to its end."""
        self._work = work = await self._open(start)
        while True:
            self._news = False
            if work.go_on():
                self._keeper.changed()
            self._keeper.save(work.auth.start.payment_id if work.auth.lapsed else None)
            self._publish(work.auth)
            if self._over(work) and workflow.all_handlers_finished():
                return summary_of(work.auth)
            grown = workflow.info().is_continue_as_new_suggested()
            if grown and self._idle(work) and workflow.all_handlers_finished():
                workflow.continue_as_new()
            await self._wait(work)

    async def _open(self, start: RawValue) -> AuthorizationTill:
        """Ask the register first: a known authorization goes on with its whole past."""
        refusal: Refusal | None = None
        try:
            given = self._read_start(start)
        except Refusal as error:
            refusal = error
        else:
            request = OpenAuthorization(workflow_id=workflow.info().workflow_id, start=given)
            known = await store_step(PaymentCaseActivities.open_authorization, request)
            if known.differing:
                refusal = Conflict("the pre-authorization", known.differing)
            elif known.claimed is None or known.terms is None:
                refusal = NotFound("there is no pre-authorization with this id")
            else:
                return self._opened(known, known.claimed)
        self._refusal = refusal
        await workflow.wait_condition(workflow.all_handlers_finished)
        # Outside the except: no input may leak as the refusal's cause.
        raise as_application_error(refusal)

    def _read_start(self, start: RawValue) -> PreAuthorization | None:
        payment_id = own_id_of(workflow.info().workflow_id)
        if brings_nothing(start):
            return None
        given = decode(PreAuthorization, payload_json([start]))
        if given.payment_id != payment_id:
            raise InvalidMessage({"payment_id": "must be the id in the workflow id"})
        return given

    def _opened(self, known: OpenedAuthorization, claimed: PreAuthorization) -> AuthorizationTill:
        now = workflow.now()
        self._keeper.start_from(known.revision)
        auth = known.known
        if auth is None and known.terms is not None:
            auth = authorization.opened(claimed, known.terms, now)
            self._keeper.changed()
        if auth is None:
            raise RuntimeError("an authorization was opened without its terms")
        for operation in known.operations:
            auth = authorization.reported(auth, operation, now)
        # What was planned by a run that was lost, and never came to the books, may be asked again.
        booked = {op.key for op in known.operations} | {plan.key for plan in known.unfinished}
        asked = tuple(it for it in auth.asked if it.operation_key in booked)
        auth = auth.model_copy(update={"asked": asked})
        work = AuthorizationTill(auth, known.unfinished)
        for name, args in self._inbox:
            self._receive(work, name, args)
        return work

    def _file(self, revision: int) -> PaymentFile:
        auth = self._carried().auth
        due = next_due(auth)
        return PaymentFile(
            workflow_id=workflow.info().workflow_id,
            kind="preauthorization",
            merchant_id=auth.start.merchant_id,
            payment_id=auth.start.payment_id,
            state=auth.state.value,
            next_moment=due.due if due else None,
            needs_attention=bool(auth.flags),
            revision=revision,
            content=auth.model_dump_json(),
            status=status_of(auth).model_dump_json(),
            at=workflow.now(),
        )

    def _publish(self, auth: Authorization) -> None:
        """Search attributes, when they changed: one upsert for all."""
        start = auth.start
        updates = attributes.payment_updates(
            workflow.info().typed_search_attributes,
            state=auth.state.value,
            merchant_id=start.merchant_id,
            network=start.network,
            amount=start.amount,
            attention=bool(auth.flags),
            respond_by=auth.expires_at,
        )
        if updates:
            workflow.upsert_search_attributes(updates)

    def _idle(self, work: AuthorizationTill) -> bool:
        return work.idle and self._keeper.idle and not self._news

    def _over(self, work: AuthorizationTill) -> bool:
        waits = resolutions.next_expiry(work.auth) is not None
        open_ = work.auth.open_minor > 0 or work.auth.doubtful or waits
        return not open_ and self._idle(work)

    async def _wait(self, work: AuthorizationTill) -> None:
        """Until there is news or the next moment has come; one timer at a time."""
        due = next_due(work.auth)
        moments = [due.due] if due else []
        later = (work.hold_until, resolutions.next_expiry(work.auth))
        moments += [it for it in later if it is not None]
        self._alarm.set(min(moments, default=None))
        await workflow.wait_condition(lambda: self._woken(work))
        # All that have come at once: after an outage nothing is begun that is too late by now.
        while self._alarm.rang and due is not None and due.due <= workflow.now():
            self._fire(work, due)
            due = next_due(work.auth)

    def _woken(self, work: AuthorizationTill) -> bool:
        ended = self._over(work) and workflow.all_handlers_finished()
        return self._news or self._keeper.done or work.done or self._alarm.rang or ended

    def _fire(self, work: AuthorizationTill, due: Due) -> None:
        """A moment has come, however late; before the end the gateway is asked once more."""
        work.auth, notice = fire(work.auth, due, workflow.now())
        work.stale = work.stale or due.kind is AuthorizationTimer.EXPIRY
        if due.kind is not AuthorizationTimer.LADDER:
            work.hurry()
        self._keeper.changed(notice)

    @workflow.signal(dynamic=True)
    def fact(self, name: str, args: Sequence[RawValue]) -> None:
        """Facts are never refused; what cannot be read is noted with the reason."""
        self._news = True
        if self._work is None:
            self._inbox.append((name, args))
        else:
            self._receive(self._work, name, args)

    def _receive(self, work: AuthorizationTill, name: str, args: Sequence[RawValue]) -> None:
        now, auth = workflow.now(), work.auth
        try:
            message = read_one_of(_SIGNALS, name, args, "a signal of a pre-authorization")
        except InvalidMessage as fault:
            told = not_taken(name, args, fault)
            work.auth = auth.noted(now, "sender", told).flagged("message_not_taken")
            self._keeper.changed()
            return
        if isinstance(message, ConditionMet):
            if all(it.condition is not message.condition for it in auth.met):
                told = f"{message.condition.value} since {message.occurred_at:%Y-%m-%d %H:%MZ}"
                met = auth.model_copy(update={"met": (*auth.met, message)})
                work.auth = met.noted(now, "merchant", told)
                self._keeper.changed()
        else:
            work.told(message)

    @workflow.update(dynamic=True)
    async def command(self, name: str, args: Sequence[RawValue]) -> dict[str, object]:
        """Commands are carried out in turn; the answer says what became of the operation."""
        refusal: Refusal | None = None
        try:
            command = read_one_of(_COMMANDS, name, args, "an update of a pre-authorization")
            await workflow.wait_condition(
                lambda: self._work is not None or self._refusal is not None
            )
            work = self._carried()
            self._news = True
            if isinstance(command, ResolveOperation | Decide):
                answer = await self._settle_doubt(work, name, command)
                self._keeper.changed()
                self._news = True
                return {"state": work.auth.state.value} | answer
            return await self._carry_out(work, name, command)
        except Refusal as error:
            refusal = error
        raise as_application_error(refusal)

    @command.validator
    def _check_command(self, name: str, args: Sequence[RawValue]) -> None:
        refusal: Refusal | None = None
        try:
            command = read_one_of(_COMMANDS, name, args, "an update of a pre-authorization")
            if self._work is not None and not isinstance(command, ResolveOperation | Decide):
                known = self._work.auth.payment is not None
                first = self._work.repeated(command)
                if known and not self._work.asks and first is None:
                    check_open(self._work.auth, name, workflow.now())
        except Refusal as error:
            refusal = error
        if refusal is not None:
            raise as_application_error(refusal)

    def _carried(self) -> AuthorizationTill:
        if self._refusal is not None:
            raise self._refusal
        if self._work is None:
            raise RuntimeError("the authorization is not open yet")
        return self._work

    async def _settle_doubt(
        self, work: AuthorizationTill, name: str, command: ResolveOperation | Decide
    ) -> dict[str, object]:
        """A person's word on what is in doubt, or a second person's on that."""
        if isinstance(command, Decide):
            work.auth, word = resolutions.decided(
                work.auth, command, workflow.now(), approved=name == "approve"
            )
            work.resolutions += [word] if word else []
            return {}
        undoing: tuple[Operation, ...] = ()
        if TWIN in command.operation_key:
            ask = OpenAuthorization(workflow_id=workflow.info().workflow_id)
            undoing = (await store_step(PaymentCaseActivities.open_authorization, ask)).undoing
        work.auth, waits = resolutions.resolve(work.auth, command, workflow.now(), undoing=undoing)
        if waits is not None:
            return {"request_id": waits.request_id}
        work.resolutions.append(command)
        return {}

    async def _carry_out(
        self, work: AuthorizationTill, name: str, command: AuthorizationCommand
    ) -> dict[str, object]:
        """Wait for the command's turn; the answer says what became of it."""
        first = work.repeated(command)
        ask = first or Ask(command)
        if first is None:
            self._note_asked(work, name, ask)
        await workflow.wait_condition(lambda: ask.answered)
        if ask.refusal is not None:
            if first is None:
                told = f"{name} refused: {ask.refusal.message}"
                work.auth = work.auth.noted(workflow.now(), "engine", told)
                self._keeper.changed()
                self._news = True
            raise ask.refusal
        operation = operation_status(ask.operation) if ask.operation else None
        return {
            "state": work.auth.state.value,
            "operation": operation.model_dump(mode="json") if operation else None,
            "waiting": ask.waiting.value if ask.waiting else None,
        }

    def _note_asked(self, work: AuthorizationTill, name: str, ask: Ask) -> None:
        why = f" ({ask.command.reason.value})" if isinstance(ask.command, Reverse) else ""
        by = ask.command.requested_by
        work.auth = work.auth.noted(workflow.now(), by, f"{name}{why} asked for")
        self._keeper.changed()
        work.asks.append(ask)

    @workflow.query
    def status(self) -> PreAuthorizationStatus:
        """All that may be asked of the authorization."""
        refusal: Refusal = NotFound("the pre-authorization is not open yet")
        if self._work is not None:
            return status_of(self._work.auth)
        raise as_application_error(refusal)
