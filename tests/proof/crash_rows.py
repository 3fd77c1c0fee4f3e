"""The operations of a dispute in the crash matrix: how it comes to each, and what must follow."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowHandle

from disputes.chain import ADOPTED
from disputes.ledger import Account
from disputes.status import CaseStatus
from disputes.store.ledger import LedgerBook
from disputes.store.reads import OperationLine, Reads
from disputes.vocabulary import OperationState, PaymentType
from starter.client import TASK_TIMEOUT
from tests.proof.crash_plan import Step
from tests.proof.crash_subject import PATIENCE_S
from tests.support.engine import Engine, Json
from tests.support.waiting import until
from tests.workflows.hands import Dispute
from workflows.ids import DISPUTE_WORKFLOW

UNENDED = (OperationState.INTENDED, OperationState.SENT)
#: In the key of what undoes a second entry of an operation.
_TWIN = ":twin:"
_PART = {"amount": "40.00", "currency": "EUR"}


class Case(Dispute):
    """A dispute of 92.00 EUR at one operation; a ``Subject``."""

    worker = "worker"

    def __init__(self, engine: Engine, notice: Json, operation: str) -> None:
        super().__init__(engine, notice)
        self._row = ROWS[operation]
        self._operation = operation

    async def now(self) -> datetime:
        """The wall clock: nobody skips time here."""
        return datetime.now(UTC)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.case

    @property
    def match(self) -> Json:
        return {"payment_type": self._row.payment_type, "payment_id": self.payment}

    async def prepare(self) -> None:
        await self._row.prepare(self)

    async def strike(self) -> None:
        await self._row.strike(self)

    async def open(self) -> None:
        """Start it by its notice, as the desk does."""
        await self.engine.client.start_workflow(
            DISPUTE_WORKFLOW,
            self.notice,
            id=self.case.id,
            task_queue=self.engine.settings.task_queue,
            task_timeout=TASK_TIMEOUT,
        )

    def shown(self) -> CaseStatus | None:
        """The case as the database shows it."""
        return Reads(self.engine.store).status(self.id)

    def lines(self) -> list[OperationLine]:
        if self._row.payment_type is None:
            return []
        wanted = purpose_of(self._operation)
        return [line for line in self.operations() if line.purpose == wanted][:1]

    def done(self) -> bool:
        if self._row.payment_type is None:
            shown = self.shown()
            return shown is not None and shown.status == self._row.status
        return any(line.state not in UNENDED for line in self.lines())

    async def rests(self) -> None:
        await self.rests_as(self._row.status, self._row.types)

    async def rests_as(self, status: str, types: str) -> None:
        """Wait until the case has this status, and has booked these types and waits for none."""

        def there() -> bool:
            shown = self.shown()
            at_rest = all(line.state not in UNENDED for line in self.operations())
            right = shown is not None and shown.status == status
            return right and at_rest and self._booked() == sorted(types.split())

        await until(there, within_s=PATIENCE_S)

    def _booked(self) -> list[str]:
        """What the case's own operations have booked, by payment type."""
        own = (it for it in self.operations() if not it.key.startswith(ADOPTED))
        settled = (it for it in own if it.state is OperationState.SETTLED)
        return sorted(it.payment_type for it in settled if _TWIN not in it.key)

    async def decide(self, *, happened: bool) -> None:
        await self.until(lambda status: "operation_in_doubt" in status.attention)
        [line] = self.lines()
        resolution = "happened" if happened else "did_not_happen"
        word = {"operation_key": line.key, "resolution": resolution, "resolved_by": "ana"}
        await self.update("resolve_operation", word | {"proof": "looked up by hand"})
        doubt = OperationState.IN_DOUBT
        await until(lambda: all(it.state is not doubt for it in self.lines()), within_s=PATIENCE_S)

    async def follow(self) -> None:
        await self._row.follow(self)
        status, types = self._row.then
        if any(line.state is OperationState.REFUSED for line in self.lines()):
            # A person found that it had not happened.
            types = types.replace(f" {self._row.payment_type}", "", 1)
        await self.rests_as(status, types)
        # Not only by its register: the case itself says so.
        await self.until(status=status)

    async def entries(self) -> list[Json]:
        return await self.book()

    def mirrored_minor(self) -> int:
        positions = LedgerBook(self.engine.store).positions(Account.ACQUIRER)
        return positions.get((self.payment, "EUR"), 0)


_Act = Callable[[Case], Awaitable[Any]]


@dataclass(frozen=True)
class Row:
    """One operation.

    Attributes:
        prepare: brings a new case to just before it.
        strike: the fact or command that makes it due.
        status: of the case afterwards.
        types: what the case's own operations have booked by then.
        follow: the next fact.
        then: status and types after that.
        payment_type: on the wire; ``None`` for a row that calls nothing.
        steps: that exist for it.
    """

    prepare: _Act
    strike: _Act
    status: str
    types: str
    follow: _Act
    then: tuple[str, str]
    payment_type: PaymentType | None = None
    steps: tuple[Step, ...] = tuple(Step)


async def _nothing(_case: Case) -> None:
    return None


async def _open(case: Case) -> None:
    await case.open()


async def _booked(case: Case) -> None:
    await case.open()
    await case.rests_as("collecting", "CB")


async def _win(case: Case) -> None:
    await case.rule("merchant_won")


async def _win_a_part(case: Case) -> None:
    await case.rule("partial", merchant_amount=_PART)


async def _lose(case: Case) -> None:
    await case.rule("cardholder_won")


async def _won(case: Case) -> None:
    await _booked(case)
    await _win(case)
    await case.rests_as("won", "CB CR")


async def _lost(case: Case) -> None:
    await _booked(case)
    await _lose(case)
    await case.rests_as("lost", "CB")


async def _rebilled(case: Case) -> None:
    await _lost(case)
    await case.request_rebill()
    await case.rests_as("lost", "CB RB")


async def _rebill(case: Case) -> None:
    await case.request_rebill()


async def _inquired(case: Case) -> None:
    case.notice |= {"stage": "inquiry"}
    await case.open()

    def payment_known() -> bool:
        events = Reads(case.engine.store).events(case.id)
        return any(event.body.kind == "payment_known" for event in events)

    await until(payment_known, within_s=PATIENCE_S)


async def _refund(case: Case) -> None:
    await case.update("resolve_by_refund", {"requested_by": "ana"})


async def _escalate(case: Case) -> None:
    await case.event("escalated")


_WRITE = (Step.BEFORE_SETTLE, Step.AFTER_SETTLE)

ROWS = {
    "take_over": Row(_nothing, _open, "collecting", "CB", _win, ("won", "CB CR"), steps=_WRITE),
    "record": Row(_booked, _lose, "lost", "CB", _win, ("won", "CB CR"), steps=_WRITE),
    "book": Row(_nothing, _open, "collecting", "CB", _win, ("won", "CB CR"), PaymentType.CB),
    "reinstate": Row(_booked, _win, "won", "CB CR", _lose, ("lost", "CB CR CR"), PaymentType.CR),
    "reinstate_part": Row(
        _booked, _win_a_part, "partially_won", "CB CR", _win, ("won", "CB CR CR"), PaymentType.CR
    ),
    "undo": Row(_won, _lose, "lost", "CB CR CR", _win, ("won", "CB CR CR CR"), PaymentType.CR),
    "rebill": Row(_lost, _rebill, "lost", "CB RB", _win, ("won", "CB RB CR RF"), PaymentType.RB),
    "give_back": Row(
        _rebilled, _win, "won", "CB RB CR RF", _lose, ("lost", "CB RB CR RF CR"), PaymentType.RF
    ),
    # The chargeback comes all the same: never both.
    "inquiry_refund": Row(
        prepare=_inquired,
        strike=_refund,
        status="deflected",
        types="RF",
        follow=_escalate,
        then=("collecting", "RF"),
        payment_type=PaymentType.RF,
    ),
}


def purpose_of(operation: str) -> str:
    """The purpose of a row's operation, whatever else its name tells."""
    return operation.removesuffix("_part").removeprefix("inquiry_")
