"""The operations of the crash matrix: how a case comes to each, and what must follow."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from disputes.chain import ADOPTED
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
#: In the key of what undoes a second entry of an operation.
_TWIN = ":twin:"
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

    def settled_types(self) -> list[str]:
        """What the case's own operations have booked, by payment type."""
        own = (it for it in self.operations() if not it.key.startswith(ADOPTED))
        settled = (it for it in own if it.state is OperationState.SETTLED)
        return sorted(it.payment_type for it in settled if _TWIN not in it.key)

    async def rests(self, status: str, types: str) -> None:
        """Wait until the case has this status, and has booked these types and waits for none."""

        def there() -> bool:
            shown = self.shown()
            at_rest = all(line.state not in _UNKNOWN for line in self.operations())
            right = shown is not None and shown.status == status
            return right and at_rest and self.settled_types() == sorted(types.split())

        await until(there, within_s=PATIENCE_S)


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
    await case.rests("collecting", "CB")


async def _win(case: Case) -> None:
    await case.rule("merchant_won")


async def _win_a_part(case: Case) -> None:
    await case.rule("partial", merchant_amount=_PART)


async def _lose(case: Case) -> None:
    await case.rule("cardholder_won")


async def _won(case: Case) -> None:
    await _booked(case)
    await _win(case)
    await case.rests("won", "CB CR")


async def _lost(case: Case) -> None:
    await _booked(case)
    await _lose(case)
    await case.rests("lost", "CB")


async def _rebilled(case: Case) -> None:
    await _lost(case)
    await case.request_rebill()
    await case.rests("lost", "CB RB")


async def _rebill(case: Case) -> None:
    await case.request_rebill()


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
}


def purpose_of(operation: str) -> str:
    """The purpose of a row's operation; a part of a reinstatement is one too."""
    return operation.removesuffix("_part")
