"""The operations of the crash matrix: how a case comes to each, and what must follow."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from disputes.status import CaseStatus
from disputes.store.reads import OperationLine, Reads
from disputes.vocabulary import OperationState, PaymentType
from starter.client import TASK_TIMEOUT
from tests.proof.crash_plan import Step
from tests.support.waiting import until
from tests.workflows.hands import Dispute
from workflows.ids import DISPUTE_WORKFLOW

#: Longest wait for anything: a machine may be slow, and a lost task is missed after ten seconds.
PATIENCE_S = 120.0
_UNKNOWN = (OperationState.INTENDED, OperationState.SENT)
_PART = {"amount": "40.00", "currency": "EUR"}


class Case(Dispute):
    """A dispute of 92.00 EUR; waits look at the database, for its worker may be dead."""

    async def now(self) -> datetime:
        """The wall clock: nobody skips time here."""
        return datetime.now(UTC)

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

    def known(self, operation: str) -> list[OperationLine]:
        """The rows of one purpose."""
        return [line for line in self.operations() if line.purpose == operation]

    def mirrored_minor(self) -> int:
        """What the ledger says that the gateway's book shows of the payment."""
        return self._positions()["acquirer"]

    async def rests(self, status: str, net_minor: int) -> None:
        """Wait until the case has this status and its operations moved so much at the gateway."""

        def there() -> bool:
            shown = self.shown()
            at_rest = all(line.state not in _UNKNOWN for line in self.operations())
            right = shown is not None and shown.status == status
            return right and at_rest and moved() == net_minor

        def moved() -> int:
            return sum(_signed(line) for line in self._lines())

        await until(there, within_s=PATIENCE_S)

    def _lines(self) -> list[OperationLine]:
        return [line for line in self.operations() if line.state is OperationState.SETTLED]


def _signed(line: OperationLine) -> int:
    """What a settled operation moved, from the merchant's side, in minor units."""
    signs = {PaymentType.CB: -1, PaymentType.RB: 1, PaymentType.RF: -1}
    if line.payment_type == PaymentType.CR:
        return line.amount_minor * (-1 if line.purpose == "undo" else 1)
    return line.amount_minor * signs[PaymentType(line.payment_type)]


_Act = Callable[[Case], Awaitable[Any]]


@dataclass(frozen=True)
class Row:
    """One operation.

    Attributes:
        prepare: brings a new case to just before it.
        strike: the fact or command that makes it due.
        status: of the case afterwards.
        net_minor: what the case's operations have moved at the gateway afterwards.
        follow: the next fact.
        then: status and net after that.
        payment_type: on the wire; ``None`` for a row that calls nothing.
        purpose: of the operation; the row's name where it is the same.
        steps: that exist for it.
    """

    prepare: _Act
    strike: _Act
    status: str
    net_minor: int
    follow: _Act
    then: tuple[str, int]
    payment_type: PaymentType | None = None
    steps: tuple[Step, ...] = tuple(Step)


async def _nothing(_case: Case) -> None:
    return None


async def _open(case: Case) -> None:
    await case.open()


async def _booked(case: Case) -> None:
    await case.open()
    await case.rests("collecting", -92_00)


async def _win(case: Case) -> None:
    await case.rule("merchant_won")


async def _win_a_part(case: Case) -> None:
    await case.rule("partial", merchant_amount=_PART)


async def _lose(case: Case) -> None:
    await case.rule("cardholder_won")


async def _won(case: Case) -> None:
    await _booked(case)
    await _win(case)
    await case.rests("won", 0)


async def _lost(case: Case) -> None:
    await _booked(case)
    await _lose(case)
    await case.rests("lost", -92_00)


async def _rebilled(case: Case) -> None:
    await _lost(case)
    await case.request_rebill()
    await case.rests("lost", 0)


async def _rebill(case: Case) -> None:
    await case.request_rebill()


_WRITE = (Step.BEFORE_SETTLE, Step.AFTER_SETTLE)

ROWS = {
    "take_over": Row(_nothing, _open, "collecting", -92_00, _win, ("won", 0), steps=_WRITE),
    "record": Row(_booked, _lose, "lost", -92_00, _win, ("won", 0), steps=_WRITE),
    "book": Row(_nothing, _open, "collecting", -92_00, _win, ("won", 0), PaymentType.CB),
    "reinstate": Row(_booked, _win, "won", 0, _lose, ("lost", -92_00), PaymentType.CR),
    "reinstate_part": Row(
        _booked, _win_a_part, "partially_won", -52_00, _win, ("won", 0), PaymentType.CR
    ),
    "undo": Row(_won, _lose, "lost", -92_00, _win, ("won", 0), PaymentType.CR),
    "rebill": Row(_lost, _rebill, "lost", 0, _win, ("won", 0), PaymentType.RB),
    "give_back": Row(_rebilled, _win, "won", 0, _lose, ("lost", -92_00), PaymentType.RF),
}


def purpose_of(operation: str) -> str:
    """The purpose of a row's operation; a part of a reinstatement is one too."""
    return operation.removesuffix("_part")
