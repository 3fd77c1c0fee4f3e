"""One experiment: a case comes to a step, the fault strikes, and the gateway's book judges."""

import asyncio
import signal
import time
from dataclasses import dataclass, field

from disputes.reconciliation import DifferenceType
from disputes.store.ledger import LedgerBook
from disputes.store.reads import Reads
from disputes.vocabulary import OperationState
from starter.processes import Child
from tests.proof.crash_lane import SETTLE_WINDOW_S, Lane, Site, strike
from tests.proof.crash_payments import PAYMENT_ROWS, Purse
from tests.proof.crash_plan import Cell, Fault, Seen, Step
from tests.proof.crash_rows import ROWS, Case, purpose_of
from tests.proof.crash_subject import PATIENCE_S, Subject
from tests.support import reconciliation
from tests.support.engine import Engine
from tests.support.waiting import until

#: How long the Temporal server is away while the worker goes on, unless it is done before.
_OUTAGE_S = 3.0
#: How long a worker that was frozen goes on before it is asked to end.
_AWAKE_S = 3.0
_LONGEST_S = 3 * PATIENCE_S
_HANG = {
    Step.MID_REQUEST: ("hang", 0.8),
    Step.AFTER_BOOKED: ("timeout_after_booking", 30.0),
}


def operations() -> dict[str, tuple[Step, ...]]:
    """Every operation of the matrix, with the steps that it has."""
    steps = {name: row.steps for name, row in ROWS.items()}
    return steps | dict.fromkeys(PAYMENT_ROWS, tuple(Step))


async def subject_of(engine: Engine, operation: str) -> Subject:
    """A fresh dispute or payment for an operation."""
    if operation in PAYMENT_ROWS:
        return Purse(engine, operation)
    return Case(engine, await engine.notice(), operation)


async def run_cell(lane: Lane, cell: Cell) -> Seen:
    """Carry one cell out; what is wrong is told in its ``faults``, never raised."""
    began = time.monotonic()
    seen = Seen(cell)
    try:
        async with lane.site() as site:
            subject = await subject_of(site.engine, cell.operation)
            async with asyncio.timeout(_LONGEST_S):
                await _Experiment(site, cell, subject, seen).run()
    except Exception as error:  # noqa: BLE001 - the other cells go on, and this one is told
        seen.faults += (f"{type(error).__name__}: {error}",)
    seen.seconds = time.monotonic() - began
    return seen


@dataclass
class _Experiment:
    site: Site
    cell: Cell
    subject: Subject
    seen: Seen
    victim: Child = field(init=False)

    async def run(self) -> None:
        self.victim = await self.site.start_worker("tests.proof.crash_worker", self._hold())
        await self.subject.prepare()
        await self._arm()
        await self.subject.strike()
        await until((self.site.folder / "reached").exists, within_s=PATIENCE_S)
        match self.cell.fault:
            case Fault.KILLED:
                await self._kill()
            case Fault.FROZEN:
                await self._freeze()
            case Fault.DATABASE:
                await self._cut_database()
            case Fault.TEMPORAL:
                await self._cut_temporal()
        await until(self.subject.done, within_s=PATIENCE_S)
        await self._judge()

    def _hold(self) -> dict[str, str]:
        return {
            "CRASH_FOLDER": str(self.site.folder),
            "CRASH_OPERATION": purpose_of(self.cell.operation),
            "CRASH_STEP": self.cell.step.value,
        }

    async def _arm(self) -> None:
        if self.cell.step in _HANG:
            kind, delay_s = _HANG[self.cell.step]
            sandbox = self.site.engine.sandbox
            await sandbox.arm(kind, match=self.subject.match, delay_s=delay_s)

    def _go(self) -> None:
        (self.site.folder / "go").touch()

    async def _another(self) -> None:
        """A worker that holds nowhere."""
        await self.site.start_worker(self.subject.worker, self._hold() | {"CRASH_STEP": ""})

    async def _kill(self) -> None:
        """The worker ends in this moment, and another one starts."""
        strike(self.victim, signal.SIGKILL)
        await self.victim.process.wait()
        await self._another()

    async def _freeze(self) -> None:
        """The worker stands still until another one has done its work and the window is over."""
        strike(self.victim, signal.SIGSTOP)
        since = time.monotonic()
        self._go()
        await self._another()
        await until(self.subject.done, within_s=PATIENCE_S)
        await until(lambda: time.monotonic() - since > SETTLE_WINDOW_S)
        strike(self.victim, signal.SIGCONT)
        awake = time.monotonic()
        await until(lambda: time.monotonic() - awake > _AWAKE_S)
        await self.victim.stop()

    async def _cut_database(self) -> None:
        """The database is away until the step has failed for it, or was through with it."""
        await asyncio.to_thread(self.site.lane.postgres.kill)
        self._go()
        try:
            await self._tried()
        finally:
            await asyncio.to_thread(self.site.lane.postgres.start)

    async def _cut_temporal(self) -> None:
        """The server is away while the worker goes on."""
        await self.site.lane.kill_temporal()
        self._go()
        since = time.monotonic()
        await until(lambda: self.subject.done() or time.monotonic() - since > _OUTAGE_S)
        await self.site.lane.start_temporal()

    async def _tried(self) -> None:
        """Until no step of the case is on its first attempt."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                description = await self.subject.handle.describe()
                pending = description.raw_description.pending_activities
                if all(step.attempt > 1 for step in pending):
                    return
                await asyncio.sleep(0.05)

    async def _judge(self) -> None:
        """Once, balanced, and the next thing goes on."""
        await self._once()
        if any(line.state is OperationState.IN_DOUBT for line in self.subject.lines()):
            await self.subject.decide(happened=self.seen.booked > 0)
            self.seen.told = "a person is asked"
        else:
            await self.subject.rests()
        await self._books("after the fault")
        await self.subject.follow()
        await self._books("after the next step")

    async def _once(self) -> None:
        """The gateway's own book shows the operation once; where twice, it is told."""
        lines = self.subject.lines()
        if not lines:
            self.seen.state = "recorded"
            return
        [line] = lines
        named = line.merchant_transaction_id
        entries = await self.subject.entries()
        own = [entry for entry in entries if entry["merchant_transaction_id"] == named]
        requests = await self.site.engine.sandbox.requests(named)
        self.seen.calls = sum(request["method"] == "POST" for request in requests)
        self.seen.booked, self.seen.state = len(own), line.state.value
        if len(own) > 1:
            await self._twin({str(entry["id"]) for entry in own})
        settled = line.state is OperationState.SETTLED
        # In doubt, a person decides by what the book shows.
        if settled != bool(own) and line.state is not OperationState.IN_DOUBT:
            self._wrong(f"{len(own)} entries of an operation that is {line.state}")

    async def _twin(self, entries: set[str]) -> None:
        """Booked twice: the comparison with the gateway takes it over, or tells of it."""
        engine = self.site.engine
        compared = await reconciliation.start(engine, "twins", reconciliation.window())
        differences = {item.type for item in (await compared.result()).differences}
        known = {line.gateway_id for line in Reads(engine.store).operations()}
        told = ["on the books"] if entries <= known else []
        told += ["flagged"] if DifferenceType.TWIN in differences else []
        self.seen.told = " and ".join(told)
        if not told:
            self._wrong("booked twice, and nobody is told")

    async def _books(self, when: str) -> None:
        """The ledger balances, and its mirror is the gateway's own book to the cent."""
        found = await asyncio.to_thread(LedgerBook(self.site.engine.store).verify)
        if found:
            self._wrong(f"{when} the ledger says: {'; '.join(found)}")
        ours = await asyncio.to_thread(self.subject.mirrored_minor)
        entries = await self.subject.entries()
        theirs = sum(int(str(it["sign"])) * int(str(it["amount_minor"])) for it in entries)
        # Where a second entry is only flagged, the books wait for a person.
        flagged_only = self.seen.told == "flagged"
        if ours != theirs and not flagged_only:
            self._wrong(f"{when} the gateway's book says {theirs}, the ledger {ours}")

    def _wrong(self, sentence: str) -> None:
        self.seen.faults += (sentence,)
