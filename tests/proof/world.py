"""One simulated case: a payment, its disputes, and the whole engine around them, on one seed."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

import temporalio.activity
from pydantic import BaseModel

import activities.operation
import disputes.gateway.calls
import workflows.alarm
import workflows.dispute
import workflows.money
import workflows.reconciliation
import workflows.registrar
import workflows.store_step
import workflows.till
from activities.case import CaseActivities
from activities.gateway import GatewayActivities
from activities.operation import Patience
from activities.reconciliation import ReconciliationActivities
from disputes.gateway.entities import one_entity
from disputes.gateway.payunity import PayUnity
from disputes.ledger import Account
from disputes.messages import BankRuling, Booking, ResolveOperation
from disputes.money import Money
from disputes.reconciliation import FIRST, LAST, ReconciliationReport, ReconciliationWindow
from disputes.requests import EntryTold
from disputes.store.ledger import LedgerBook
from disputes.store.operations import SqlOperationBook
from disputes.store.reads import OperationLine, Reads
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.store.register import SqlRegister
from disputes.store.throttle import SqlQueryThrottle
from disputes.terms import CaseTerms
from disputes.vocabulary import OperationState, PaymentType
from tests.proof.book import Book, Line
from tests.proof.clock import START, VirtualLoop
from tests.proof.faults import Faults
from tests.proof.memory import MemoryStore, cut
from tests.proof.script import DAY_S, Act, Script, draw
from tests.proof.stage import Stage, Worker
from tests.proof.wire import SETTLE_WINDOW_S, Wire
from workflows.ids import dispute_workflow_id

QUERY_INTERVAL_S = 30.0
PATIENCE = Patience(settle_window_s=SETTLE_WINDOW_S, doubt_after_s=600.0)
#: A life without anybody is short: what is held is tried again every few hours, for ever.
_UNATTENDED_DAYS = 3
_NOTIFIED = ("CB", "CR", "RF")
#: Nights after the last fault in which everything must have come to rest.
_MOST_NIGHTS = 12


class World:
    """Everything of one case; ``play`` runs it to its rest."""

    def __init__(
        self,
        faults: Faults,
        store: MemoryStore,
        workers: int,
        loop: VirtualLoop,
        theme: str | None = None,
    ) -> None:
        self.faults, self.store, self.loop = faults, store, loop
        self.book = Book(faults.random)
        self.stage = Stage(loop, faults)
        self.wire = Wire(
            loop,
            faults,
            self.book,
            self.stage.point,
            self._notify,
            duplicate_rule=faults.random.random() < 0.1,
        )
        store.begin(lambda: loop.now, self._cut)
        self.reads, self.ledger = Reads(store), LedgerBook(store)
        self.script: Script = draw(faults.random, self._present, theme)
        self.stage.workers = [self._worker(f"w{number}") for number in range(workers)]
        self._on_the_way = 0
        self.somebody_comes = faults.random.random() < 0.85
        self.rested = False
        self._seen: tuple[int, tuple[OperationLine, ...]] = (-1, ())
        self.report: ReconciliationReport | None = None
        #: the gateway's total and ours at rest, before anybody compared the books
        self.alone: tuple[int, int] | None = None

    async def play(self) -> None:
        """From the first act to the rest after the last fault."""
        end = 0.0
        for act in (*self.script.facts, *self.script.commands, *self.script.bookings):
            at = max(self._arrival(act), 0.0)
            told = act.name == "dispute_opened" or at < _UNATTENDED_DAYS * DAY_S
            if self.somebody_comes or told:
                self.loop.call_at(at, self._start, act)
                end = max(end, at)
        if self.somebody_comes:
            self.loop.apart(self._somebody_works())
        if self.faults.random.random() < 0.3:
            await asyncio.sleep(end * self.faults.random.random())
            await self._compare()
        await asyncio.sleep(end - self.loop.time() + self.faults.random.uniform(0, 3) * 3600)
        self.faults.calm = True
        self.faults.note("CALM")
        await self._rest()

    async def _rest(self) -> None:
        """Nights pass until one changes nothing: the books are compared, a person looks."""
        for _half_a_day in range(_MOST_NIGHTS):
            await asyncio.sleep(DAY_S / 2)
            if self._hopeless():
                break
            if self._quiet():
                self.alone = (self.book.total, self.acquirer)
                break
        for _night in range(_MOST_NIGHTS):
            self.report = await self._compare()
            await asyncio.sleep(DAY_S / 2)
            if self.somebody_comes:
                await self._somebody_looks()
            self.rested = self._quiet() and not self.report.adopted
            if self.rested or (self._hopeless() and _night):
                return

    @property
    def acquirer(self) -> int:
        """What the acquirer owes the merchant by the ledger, signed minor units."""
        return sum(self.ledger.positions(Account.ACQUIRER).values())

    async def _compare(self) -> ReconciliationReport:
        return await self.stage.reconcile(ReconciliationWindow(since=FIRST, until=LAST))

    # -- assembling --------------------------------------------------------------------------

    def _present(self, amount: int, captured: bool) -> str:  # noqa: FBT001 - one of two kinds
        """The payment as it was before anybody disputed it."""
        at = START - timedelta(days=20)
        if not captured:
            return self.book.add("DB", amount, at).id
        authorized = self.book.add("PA", amount, at)
        return self.book.add("CP", amount, at, under=authorized.id).id

    def _worker(self, name: str) -> Worker:
        register, book = SqlRegister(self.store), SqlOperationBook(self.store)
        entities = one_entity("http://127.0.0.1", "sandbox", "sandbox")
        gateway = PayUnity(self.wire, entities, SqlQueryThrottle(self.store, QUERY_INTERVAL_S))

        def terms_of(_notice: object) -> CaseTerms:
            return self.script.terms

        return Worker(
            name,
            CaseActivities(register, terms_of, dispute_workflow_id, 14),
            GatewayActivities(register, book, gateway, PATIENCE),
            ReconciliationActivities(
                register, SqlReconciliationBook(self.store), book, gateway, PATIENCE, self
            ),
        )

    async def booking(self, dispute_id: str, booking: Booking) -> None:
        """The comparison's way to a case (``ports.CaseNews``)."""
        self.stage.tell(dispute_id, "booking", booking)

    async def payment_booking(self, workflow_id: str, entry: EntryTold) -> None:
        """No payment has a workflow of its own here."""
        raise AssertionError(f"{workflow_id} was told of {entry.gateway_id}")

    def _cut(self, point: str) -> None:
        """A database that goes away, at whatever edge of a transaction."""
        kind = {
            "begin": "database_gone_at_begin",
            "commit": "database_gone_at_commit",
            "committed": "database_gone_after_commit",
            "read": "database_gone_at_read",
        }[point]
        if self.faults.chance(0.01):
            self.faults.struck(kind)
            raise cut()

    # -- acts --------------------------------------------------------------------------------

    def _arrival(self, act: Act) -> float:
        """When an act arrives: a fact may be late, and overtake or be overtaken."""
        late = act in self.script.facts and self.faults.chance(0.2)
        if not late:
            return act.at
        notice = act.name == "dispute_opened"
        self.faults.struck("fact_before_notice" if notice else "fact_late")
        return act.at + self.faults.random.uniform(0, 3) * DAY_S

    def _start(self, act: Act) -> None:
        if act.name in ("chargeback", "reversal", "undo", "refund"):
            self._acquirer(act)
        elif act in self.script.commands and act.message is not None:
            self.loop.apart(self._command(act.case_id, act.name, act.message))
        elif act.message is not None:
            self._tell(act, act.message)

    def _tell(self, act: Act, message: BaseModel) -> None:
        self.faults.note(f"{self.loop.time():.3f} FACT {act.case_id} {act.name} {message!r}")
        self.stage.tell(act.case_id, act.name, message)
        if self.faults.chance(0.1):
            self.faults.struck("fact_twice")
            self.loop.call_later(self._soon(), self.stage.tell, act.case_id, act.name, message)
        if isinstance(message, BankRuling) and self.faults.chance(0.1):
            self.faults.struck("fact_told_again_under_another_id")
            again = message.model_copy(update={"ruling_id": f"{message.ruling_id}-again"})
            self.loop.call_later(self._soon(), self.stage.tell, act.case_id, act.name, again)
        if self.faults.chance(0.05):
            self.stage.renew(act.case_id)

    def _soon(self) -> float:
        return self.faults.random.choice((0.0, 5.0, 3600.0)) * self.faults.random.random()

    async def _command(self, case_id: str, name: str, message: BaseModel) -> None:
        done = await self.stage.command(case_id, name, message)
        self.faults.note(f"{self.loop.time():.3f} COMMAND {case_id} {name} {done}")

    def _acquirer(self, act: Act) -> None:
        """The acquirer, or the merchant's own back office, books something by itself."""
        presented = next(line for line in self.book.lines if line.kind in ("DB", "CP"))
        if act.name in ("chargeback", "refund"):
            kind, under = ("CB" if act.name == "chargeback" else "RF"), presented
            minor = self.script.disputes[act.case_id]
            amount = minor if kind == "CB" else max(self.script.amount // 5, 1)
        else:
            tip = self._tip(0 if act.name == "reversal" else 1)
            if tip is None:
                return
            kind, under, amount = "CR", tip, tip.amount
        if self.book.refusal(kind, amount, under.id):
            return
        line = self.book.add(
            kind,
            amount,
            self.loop.now,
            under=under.id,
            code="000.100.221" if kind == "CB" else "000.100.110",
        )
        self.faults.struck(_OWN[act.name])
        self._notify(line)

    def _tip(self, parity: int) -> Line | None:
        """The chain's newest live entry of one direction that nothing was booked on."""
        for line in reversed(self.book.live()):
            depth, above = 0, line
            while above.kind == "CR":
                above, depth = self.book.get(above.referenced_id) or above, depth + 1
            taken = any(other.referenced_id == line.id for other in self.book.live())
            if line.kind in ("CB", "CR") and depth % 2 == parity and not taken:
                return line
        return None

    def _notify(self, line: Line) -> None:
        """The gateway's notification of a booking, ours or not, to every dispute of the payment."""
        if line.kind not in _NOTIFIED:
            return
        whole = not self.faults.chance(0.1)
        if not whole:
            self.faults.struck("notification_without_reference")
        booking = Booking.model_validate(
            {
                "gateway_id": line.id,
                "payment_type": PaymentType(line.kind),
                "occurred_at": self.loop.now,
                "referenced_id": line.referenced_id if whole else None,
                "amount": Money.of(line.amount, "EUR"),
                "result_code": line.code,
            }
        )
        delays = [self.faults.random.uniform(1, 60)]
        if self.faults.chance(0.15):
            self.faults.struck("notification_late")
            delays = [self.faults.random.uniform(0.1, 2) * DAY_S]
        if self.faults.chance(0.1):
            self.faults.struck("notification_twice")
            delays.append(delays[0] * self.faults.random.uniform(0.5, 2))
        for delay in delays:
            self._on_the_way += 1
            self.loop.call_later(delay, self._deliver, booking)

    def _deliver(self, booking: Booking) -> None:
        self._on_the_way -= 1
        for case_id in self.script.disputes:
            self.stage.tell(case_id, "booking", booking)

    # -- coming to rest ----------------------------------------------------------------------

    async def _somebody_works(self) -> None:
        """Every day but the last ones, for then the night decides when somebody looks."""
        while not self.faults.calm:
            await asyncio.sleep(DAY_S * self.faults.random.uniform(0.5, 1.5))
            await self._somebody_looks()

    async def _somebody_looks(self) -> None:
        """A person settles what is in doubt by what the gateway's portal shows."""
        for line in self._doubtful():
            shown = [
                it
                for it in self.book.lines
                if it.merchant_transaction_id == line.merchant_transaction_id
            ]
            if line.dispute_id is None or any(it.state == "pending" for it in shown):
                continue
            live = [it for it in shown if it.state == "live"]
            if any((it.kind, it.amount) != (line.payment_type, line.amount_minor) for it in live):
                continue
            word = ResolveOperation(
                operation_key=line.key,
                resolution="happened" if live else "did_not_happen",
                resolved_by="olga",
                proof="seen in the gateway's portal",
            )
            await self._command(line.dispute_id, "resolve_operation", word)

    def _quiet(self) -> bool:
        """Whether nothing is under way, on the way, or owed."""
        return not (
            self.stage.busy or self.wire.under_way or self._on_the_way or not self.stage.idle
        )

    def _hopeless(self) -> bool:
        """Whether an operation stays in doubt: nobody comes, or nobody can tell."""
        return bool(self._doubtful())

    def _doubtful(self) -> tuple[OperationLine, ...]:
        """Operations in doubt, read by somebody whose database is not cut."""
        writes, known = self._seen
        if writes == self.store.writes:
            return known
        cuts, self.store.fault = self.store.fault, _uncut
        try:
            known = self.reads.operations(state=OperationState.IN_DOUBT)
        finally:
            self.store.fault = cuts
        self._seen = self.store.writes, known
        return known


_OWN = {
    "chargeback": "chargeback_booked_by_acquirer",
    "reversal": "reversal_booked_by_acquirer",
    "undo": "undo_booked_by_acquirer",
    "refund": "refund_booked_by_merchant",
}


_STAGED = (
    workflows.alarm,
    workflows.dispute,
    workflows.money,
    workflows.reconciliation,
    workflows.registrar,
    workflows.store_step,
    workflows.till,
)


@contextmanager
def staged(loop: VirtualLoop, stage: Stage) -> Iterator[None]:
    """Temporal's, the clock's and the heartbeat's places taken for the time of one case."""
    clock = SimpleNamespace(monotonic=loop.time, time=loop.time)
    with ExitStack() as places:
        for module in _STAGED:
            places.enter_context(patch.object(module, "workflow", stage))
        for module in (activities.operation, disputes.gateway.calls):
            places.enter_context(patch.object(module, "time", clock))
        places.enter_context(patch.object(temporalio.activity, "heartbeat", _stop))
        yield


def _uncut(_point: str) -> None:
    return None


def _stop(*_details: object) -> None:
    """Ends the task that beats: the stage knows by itself which worker is alive."""
    raise asyncio.CancelledError
