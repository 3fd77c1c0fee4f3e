"""One experiment: a case comes to a step, the fault strikes, and the gateway's book judges."""

import asyncio
import signal
import time
from dataclasses import dataclass, field

from disputes.ledger import Account
from disputes.reconciliation import DifferenceType
from disputes.store.ledger import LedgerBook
from disputes.store.reads import OperationLine
from disputes.vocabulary import OperationState
from starter.processes import Child
from tests.proof.crash_lane import SETTLE_WINDOW_S, Lane, Site, strike
from tests.proof.crash_plan import Cell, Fault, Seen, Step
from tests.proof.crash_rows import PATIENCE_S, ROWS, Case, Row, purpose_of
from tests.support.reconciliation import reconcile
from tests.support.waiting import until

_MIRROR = Account.ACQUIRER
_ENDED = (OperationState.SETTLED, OperationState.REFUSED, OperationState.IN_DOUBT)
#: How long the Temporal server is away while the worker goes on, unless it is done before.
_OUTAGE_S = 3.0
_HANG = {
    Step.MID_REQUEST: ("hang", 0.8),
    Step.AFTER_BOOKED: ("timeout_after_booking", 30.0),
}


async def run_cell(lane: Lane, cell: Cell) -> Seen:
    """Carry one cell out; what is wrong is told in its ``faults``, never raised."""
    began = time.monotonic()
    seen = Seen(cell)
    try:
        async with lane.site() as site:
            await _Experiment(site, cell, ROWS[cell.operation], seen).run()
    except Exception as error:  # noqa: BLE001 - the other cells go on, and this one is told
        seen.faults += (f"{type(error).__name__}: {error}",)
    seen.seconds = time.monotonic() - began
    return seen


@dataclass
class _Experiment:
    site: Site
    cell: Cell
    row: Row
    seen: Seen
    case: Case = field(init=False)
    victim: Child = field(init=False)

    async def run(self) -> None:
        self.case = Case(self.site.engine, await self.site.engine.notice())
        self.victim = await self.site.start_worker("tests.proof.crash_worker", self._hold())
        await self.row.prepare(self.case)
        await self._arm()
        await self.row.strike(self.case)
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
        await self._judge()

    def _hold(self) -> dict[str, str]:
        return {
            "CRASH_FOLDER": str(self.site.folder),
            "CRASH_OPERATION": purpose_of(self.cell.operation),
            "CRASH_STEP": self.cell.step.value,
        }

    async def _arm(self) -> None:
        if self.cell.step in _HANG and self.row.payment_type is not None:
            kind, delay_s = _HANG[self.cell.step]
            match = {"payment_type": self.row.payment_type, "payment_id": self.case.payment}
            await self.site.engine.sandbox.arm(kind, match=match, delay_s=delay_s)

    def _go(self) -> None:
        (self.site.folder / "go").touch()

    async def _kill(self) -> None:
        """The worker ends in this moment, and another one starts."""
        strike(self.victim, signal.SIGKILL)
        await self.victim.process.wait()
        await self.site.start_worker()

    async def _freeze(self) -> None:
        """The worker stands still until another one has done its work and the window is over."""
        strike(self.victim, signal.SIGSTOP)
        since = time.monotonic()
        self._go()
        await self.site.start_worker()
        await until(self._done, within_s=PATIENCE_S)
        await until(lambda: time.monotonic() - since > SETTLE_WINDOW_S)
        strike(self.victim, signal.SIGCONT)
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
        await until(lambda: self._done() or time.monotonic() - since > _OUTAGE_S)
        await self.site.lane.start_temporal()

    async def _tried(self) -> None:
        """Until no step of the case is on its first attempt."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                description = await self.case.case.describe()
                pending = description.raw_description.pending_activities
                if all(step.attempt > 1 for step in pending):
                    return
                await asyncio.sleep(0.05)

    def _lines(self) -> list[OperationLine]:
        """The operation's row: the first of its purpose that this case sent after the strike."""
        return self.case.known(purpose_of(self.cell.operation))[:1]

    def _done(self) -> bool:
        if self.row.payment_type is None:
            shown = self.case.shown()
            return shown is not None and shown.status == self.row.status
        return any(line.state in _ENDED for line in self._lines())

    # What must hold afterwards

    async def _judge(self) -> None:
        await until(self._done, within_s=PATIENCE_S)
        await self._once()
        status, types = self.row.then
        if any(line.state is OperationState.IN_DOUBT for line in self._lines()):
            await self._person_decides()
            if not self.seen.booked:
                types = types.replace(f" {self.row.payment_type}", "", 1)
        else:
            await self.case.rests(self.row.status, self.row.types)
        await self._books("after the fault")
        await self.row.follow(self.case)
        await self.case.rests(status, types)
        await self._books("after the next fact")
        live = await self.case.until(status=self.row.then[0])
        if live.status != self.row.then[0]:
            self._wrong(f"the case says {live.status}")

    async def _once(self) -> None:
        """The gateway's own book shows the operation once; where twice, it is told."""
        if self.row.payment_type is None:
            self.seen.state = "recorded"
            return
        [line] = self._lines()
        named = line.merchant_transaction_id
        entries = [it for it in await self.case.book() if it["merchant_transaction_id"] == named]
        requests = await self.case.engine.sandbox.requests(named)
        self.seen.calls = sum(request["method"] == "POST" for request in requests)
        self.seen.booked, self.seen.state = len(entries), line.state.value
        if len(entries) > 1:
            report = await reconcile(self.case.engine, self.case.payment)
            told = {item.type for item in report.differences}
            self.seen.told = "twin told" if DifferenceType.TWIN in told else ""
            if not self.seen.told:
                self._wrong("booked twice, and nobody is told")
        settled = line.state is OperationState.SETTLED
        # In doubt, a person decides by what the book shows.
        if settled != bool(entries) and line.state is not OperationState.IN_DOUBT:
            self._wrong(f"{len(entries)} entries of an operation that is {line.state}")

    async def _person_decides(self) -> None:
        """In doubt: the case asks for a person, who looks into the gateway's book."""
        await self.case.until(lambda status: "operation_in_doubt" in status.attention)
        [line] = self._lines()
        happened = "happened" if self.seen.booked else "did_not_happen"
        word = {"operation_key": line.key, "resolution": happened, "resolved_by": "ana"}
        await self.case.update("resolve_operation", word | {"proof": "looked up by hand"})
        doubt = OperationState.IN_DOUBT
        await until(lambda: all(it.state is not doubt for it in self._lines()), within_s=PATIENCE_S)
        self.seen.told = "a person is asked"

    async def _books(self, when: str) -> None:
        """The ledger balances, and its mirror is the gateway's own book to the cent."""
        found = await asyncio.to_thread(LedgerBook(self.case.engine.store).verify)
        if found:
            self._wrong(f"{when} the ledger says: {'; '.join(found)}")
        positions = await asyncio.to_thread(LedgerBook(self.case.engine.store).positions, _MIRROR)
        mirrored = positions.get((self.case.payment, "EUR"), 0)
        signed = [
            int(str(it["sign"])) * int(str(it["amount_minor"])) for it in await self.case.book()
        ]
        if mirrored != sum(signed):
            self._wrong(f"{when} the gateway's book says {sum(signed)}, the ledger {mirrored}")

    def _wrong(self, sentence: str) -> None:
        self.seen.faults += (sentence,)
