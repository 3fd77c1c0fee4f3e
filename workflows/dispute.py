"""The story of one dispute, from the bank's chargeback to the end of its tail.

Handlers only append events; ``run`` does the work: it saves, moves money, waits, and acts on the
moments of the case. Every rule is the core's.
"""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes import commands
    from disputes.consequences import Consequences, consequences
    from disputes.deadlines import Timer, next_question, next_timer
    from disputes.decode import decode, differing, json_of
    from disputes.errors import Conflict, InvalidNotice, NotFound, Refusal
    from disputes.events import Opened, TimerFired, TimerKind
    from disputes.notice import DisputeNotice
    from disputes.status import (
        CaseStatus,
        CaseSummary,
        TimelineEntry,
        result_of,
        status_of,
        summary_of,
        timeline_of,
    )
    from disputes.steps import OpenedCase
    from disputes.vocabulary import Finality, Status
    from workflows.alarm import Alarm
    from workflows.docket import Docket
    from workflows.ids import DISPUTE_WORKFLOW, dispute_id_of
    from workflows.messages import (
        NOTHING,
        notice_faults,
        payload_json,
        read_command,
        read_hypothetical,
        read_notice,
    )
    from workflows.money import Money
    from workflows.refusals import as_application_error
    from workflows.registrar import Registrar
    from workflows.search_attributes import changes


@workflow.defn(name=DISPUTE_WORKFLOW)
class DisputeWorkflow:
    """One case; see ``docs/changing-workflows.md`` before changing what it does when."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:  # noqa: ARG002 - as run takes it
        case_id = dispute_id_of(workflow.info().workflow_id)
        self._docket = Docket(case_id)
        self._registrar = Registrar(self._docket)
        self._money = Money(self._docket)
        self._inbox: list[tuple[str, Sequence[RawValue]]] = []
        self._loaded = False
        self._refusal: Refusal | None = None
        self._unfit: Refusal | None = None
        self._notice_wait = timedelta()
        self._asked_to_open = False
        self._alarm = Alarm()
        self._news = False

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> CaseSummary:
        """Carry the case to its end."""
        await self._open(start)
        while True:
            self._news = False
            await self._take_notices()
            self._money.go_on()
            moves_on = workflow.info().is_continue_as_new_suggested()
            final = self._docket.case.finality is Finality.FINAL
            self._registrar.save(everything=final or moves_on)
            self._publish()
            if self._over() and workflow.all_handlers_finished():
                return summary_of(self._docket.case)
            if moves_on and self._idle():
                workflow.continue_as_new()
            await self._wait()

    async def _open(self, start: RawValue) -> None:
        """Ask the register first: a known case goes on with its whole past."""
        docket = self._docket
        if not docket.case.case_id:
            await self._end_as(InvalidNotice({"dispute_id": "is no id that a dispute can have"}))
        notice = await self._started_with(start)
        known = await self._registrar.ask(notice)
        self._notice_wait = timedelta(days=known.notice_wait_days)
        docket.load(known.events)
        self._money.unfinished = list(known.unfinished)
        if known.differing:
            await self._unfit_start(Conflict("the case", known.differing))
        if self._unfit is not None:
            docket.unfit("start", [start], self._unfit.message, workflow.now())
        self._open_with(known)
        for name, args in self._inbox:
            docket.receive(name, args, workflow.now())
        waited_for = docket.case.events or docket.notices or docket.bookings or self._asked_to_open
        self._loaded = True
        if not waited_for:
            await self._end_as(NotFound("there is no case with this id"))

    async def _started_with(self, start: RawValue) -> DisputeNotice | None:
        fault: Refusal | None = None
        try:
            return read_notice(start, self._docket.case.case_id, workflow.now())
        except InvalidNotice as error:
            fault = error
        await self._unfit_start(fault)
        return None

    async def _unfit_start(self, refusal: Refusal) -> None:
        """A start that brings no case ends the run, unless facts came with it: none is lost."""
        if not self._inbox:
            await self._end_as(refusal)
        self._unfit = refusal

    async def _end_as(self, refusal: Refusal) -> None:
        """End a run that is no case: its callers get the refusal too, the id stays free."""
        self._refusal = refusal
        self._loaded = True
        await workflow.wait_condition(workflow.all_handlers_finished)
        raise as_application_error(refusal)

    def _open_with(self, known: OpenedCase) -> None:
        """Open the case with the notice that holds its claim, unless it is open."""
        docket = self._docket
        if docket.case.notice is None and known.claimed and known.terms:
            opened = Opened(notice=known.claimed, terms=known.terms)
            at = known.claimed.received_at
            docket.append(opened, workflow.now(), actor="intake", event_id="notice", at=at)
            docket.policy(commands.policy_at_opening(docket.case), workflow.now())

    async def _take_notices(self) -> None:
        """Notices that came by signal or by the update ``open`` while facts waited."""
        docket = self._docket
        while docket.notices:
            notice = docket.notices[0]
            if docket.case.notice is None:
                self._open_with(await self._registrar.ask(notice))
            docket.notices.pop(0)

    def _publish(self) -> None:
        """Search attributes, when they changed: one upsert for all."""
        updates = changes(workflow.info().typed_search_attributes, status_of(self._docket.case))
        if updates:
            workflow.upsert_search_attributes(updates)

    def _idle(self) -> bool:
        docket = self._docket
        # Neither is in the register before it is carried out: a new run would not know of it.
        waiting = docket.notices or docket.bookings or docket.resolutions
        return not (waiting or self._news or self._money.busy) and self._registrar.idle

    def _over(self) -> bool:
        case = self._docket.case
        return (
            case.finality is Finality.FINAL
            and self._idle()
            and self._money.idle
            and not case.doubtful
            and not case.open_approvals
        )

    async def _wait(self) -> None:
        """Until there is news or the case's next moment has come; one timer at a time."""
        timer = self._next_timer()
        # What is to be asked already is asked as soon as it can be.
        question = None if self._docket.payment_stale else next_question(self._docket.case)
        moments = [timer.due if timer else None, self._money.hold_until, question]
        self._alarm.set(min((it for it in moments if it is not None), default=None))
        await workflow.wait_condition(self._woken)
        if timer is not None and self._alarm.rang and timer.due <= workflow.now():
            self._fire(timer)
        if question is not None and self._alarm.rang and question <= workflow.now():
            self._docket.payment_stale = True

    def _woken(self) -> bool:
        ended = self._over() and workflow.all_handlers_finished()
        stepped = self._registrar.done or self._money.done
        return self._news or stepped or self._alarm.rang or ended

    def _next_timer(self) -> Timer | None:
        case = self._docket.case
        if case.status is not Status.AWAITING_NOTICE or not case.events:
            return next_timer(case)
        due = case.events[0].recorded_at + self._notice_wait
        fired = (TimerKind.NOTICE_WAIT, due, "") in case.fired
        return None if fired else Timer(due, TimerKind.NOTICE_WAIT)

    def _fire(self, timer: Timer) -> None:
        """A moment of the case has come, however late."""
        docket, now = self._docket, workflow.now()
        fired = TimerFired(timer=timer.kind, due=timer.due, detail=timer.detail)
        docket.append(fired, now, actor="clock", at=timer.due)
        if timer.kind is TimerKind.LAST_CALL:
            docket.policy(commands.policy_at_last_call(docket.case, now), now)

    @workflow.signal(dynamic=True)
    def fact(self, name: str, args: Sequence[RawValue]) -> None:
        """Facts are never refused; what cannot be read is recorded with the reason."""
        self._news = True
        if self._loaded:
            self._docket.receive(name, args, workflow.now())
        else:
            self._inbox.append((name, args))

    @workflow.update(dynamic=True)
    async def command(self, name: str, args: Sequence[RawValue]) -> dict[str, object]:
        """Commands are checked and carried out, or refused with a typed reason."""
        refusal: Refusal | None = None
        try:
            if name == "open":
                return await self._command_open(args)
            command = read_command(name, args)
            await workflow.wait_condition(lambda: self._loaded)
            self._check_alive()
            self._docket.command(name, command, workflow.now())
            self._news = True
            return result_of(name, self._docket.case)
        except Refusal as error:
            refusal = error
        # Outside the except: no input may leak as the refusal's cause.
        raise as_application_error(refusal)

    @command.validator
    def _check_command(self, name: str, args: Sequence[RawValue]) -> None:
        refusal: Refusal | None = None
        try:
            if name == "open":
                self._read_open(args)
            else:
                command = read_command(name, args)
                if self._loaded and self._refusal is None:
                    now = self._docket.case_time(workflow.now())
                    commands.decide(self._docket.case, name, command, now)
        except Refusal as error:
            refusal = error
        if refusal is not None:
            raise as_application_error(refusal)

    def _check_alive(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _read_open(self, args: Sequence[RawValue]) -> DisputeNotice:
        notice = decode(DisputeNotice, payload_json(args))
        fault = notice_faults(notice, self._docket.case.case_id, workflow.now())
        if fault:
            raise InvalidNotice(fault)
        return notice

    async def _command_open(self, args: Sequence[RawValue]) -> dict[str, object]:
        notice = self._read_open(args)
        self._asked_to_open = True
        await workflow.wait_condition(lambda: self._loaded)
        self._check_alive()
        docket = self._docket
        if docket.case.notice is None:
            docket.notices.append(notice)
            self._news = True
            await workflow.wait_condition(lambda: notice not in docket.notices)
        known = docket.case.notice
        if known is None:
            raise Conflict("the case", ["notice"])
        fields = differing(json_of(known), json_of(notice))
        if fields:
            raise Conflict("the case", fields)
        return {"dispute_id": docket.case.case_id, "status": docket.case.status.value}

    @workflow.query
    def status(self) -> CaseStatus:
        """All that may be asked of the case."""
        return status_of(self._docket.case)

    @workflow.query
    def timeline(self) -> list[TimelineEntry]:
        """Every event in the order of acceptance, the ignored ones with the reason."""
        return list(timeline_of(self._docket.case))

    @workflow.query
    def consequences(self, hypothetical: RawValue = NOTHING) -> Consequences:
        """What a ruling, a network event or silence would bring; changes nothing."""
        return consequences(self._docket.case, read_hypothetical(hypothetical), workflow.now())
