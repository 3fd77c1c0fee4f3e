"""A payment's own operations in the crash matrix, each called by the smallest workflow there is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from temporalio.client import WorkflowHandle

from disputes.ledger import Account
from disputes.operations import STANDALONE, Operation, Plan, business_key, payment_of_its_own
from disputes.steps import MoneyMoved, MoveMoney, ResolveDoubt
from disputes.store.ledger import LedgerBook
from disputes.store.reads import OperationLine, Reads
from disputes.terms import Capabilities
from disputes.vocabulary import OperationState, Purpose
from tests.proof.crash_call import Call, OneCall
from tests.proof.crash_rows import UNENDED
from tests.support.engine import Engine, Json

#: A shopper's token, as confidential as a card.
_REGISTRATION = "5a1f" * 8
_EVERYTHING: Final = Capabilities(
    credit=True, rebill=True, multiple_capture=True, partial_reversal=True, increase=True
)
_STEPS = {
    Purpose.AUTHORIZE: "authorize",
    Purpose.INCREASE: "authorize",
    Purpose.DEBIT: "debit",
    Purpose.CAPTURE: "capture",
    Purpose.REVERSE: "reverse",
    Purpose.REFUND: "refund",
    Purpose.CREDIT: "credit",
    Purpose.GOODWILL: "credit",
    Purpose.REBILL_DIFFERENCE: "rebill_payment",
}


@dataclass(frozen=True)
class PaymentRow:
    """One operation: on what it acts, how much of 92.00 it moves, and what must go on after it.

    ``follow`` acts on the entry that ``on_own`` says: the operation's own, else the first one.
    """

    purpose: Purpose
    first: Purpose | None = None
    minor: int = 92_00
    whole: bool = True
    follow: Purpose = Purpose.DEBIT
    follow_minor: int = 92_00
    on_own: bool = False


PAYMENT_ROWS = {
    "authorize": PaymentRow(Purpose.AUTHORIZE, follow=Purpose.CAPTURE, on_own=True),
    "increase": PaymentRow(
        Purpose.INCREASE, Purpose.AUTHORIZE, 8_00, follow=Purpose.CAPTURE, follow_minor=92_00
    ),
    "debit": PaymentRow(Purpose.DEBIT, follow=Purpose.REFUND, on_own=True),
    "capture": PaymentRow(Purpose.CAPTURE, Purpose.AUTHORIZE, follow=Purpose.REFUND, on_own=True),
    "reverse": PaymentRow(Purpose.REVERSE, Purpose.AUTHORIZE),
    "refund": PaymentRow(Purpose.REFUND, Purpose.DEBIT),
    "refund_part": PaymentRow(
        Purpose.REFUND, Purpose.DEBIT, 40_00, whole=False, follow=Purpose.REFUND, follow_minor=52_00
    ),
    "credit": PaymentRow(Purpose.CREDIT, Purpose.DEBIT),
    "goodwill": PaymentRow(Purpose.GOODWILL),
    "rebill_difference": PaymentRow(Purpose.REBILL_DIFFERENCE, Purpose.DEBIT, 8_00),
}


class Purse:
    """The payments of one shopper; a ``Subject``."""

    worker = "tests.proof.crash_worker"

    def __init__(self, engine: Engine, operation: str) -> None:
        self.engine = engine
        self._row = PAYMENT_ROWS[operation]
        self._first: str | None = None
        self._plan = self._planned(self._row.purpose, self._row.minor, None)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.engine.client.get_workflow_handle(self._plan.key)

    @property
    def match(self) -> Json:
        return {"merchant_transaction_id": self._plan.merchant_transaction_id}

    async def prepare(self) -> None:
        if self._row.first is not None:
            first = await self._made(self._planned(self._row.first, 92_00, None))
            self._first = first.gateway_id
        self._plan = self._planned(self._row.purpose, self._row.minor, self._first)

    async def strike(self) -> None:
        await self._call(self._plan)

    def lines(self) -> list[OperationLine]:
        return [line for line in self._all() if line.key == self._plan.key]

    def done(self) -> bool:
        return any(line.state not in UNENDED for line in self.lines())

    async def rests(self) -> None:
        moved: MoneyMoved = await self._result(self.handle)
        assert [it.key for it in moved.operations][:1] == [self._plan.key], moved

    async def decide(self, *, happened: bool) -> None:
        doubt = ResolveDoubt(
            operation_key=self._plan.key, happened=happened, proof="by hand", at=datetime.now(UTC)
        )
        await self._result(await self._start(f"{self._plan.key}:word", "resolve_doubt", doubt))

    async def follow(self) -> None:
        row = self._row
        [line] = self.lines()
        gone = line.state is not OperationState.SETTLED
        on = line.gateway_id if row.on_own and not gone else self._first
        minor = row.follow_minor
        await self._made(self._planned(row.follow, minor, on, place=2))

    async def entries(self) -> list[Json]:
        own = {line.merchant_transaction_id for line in self._all()} - {None}
        book = await self.engine.sandbox.book()
        return [entry for entry in book if entry["merchant_transaction_id"] in own]

    def mirrored_minor(self) -> int:
        positions = LedgerBook(self.engine.store).positions(Account.ACQUIRER)
        return sum(positions.values())

    def _all(self) -> tuple[OperationLine, ...]:
        return Reads(self.engine.store).operations()

    def _planned(self, purpose: Purpose, minor: int, on: str | None, place: int = 1) -> Plan:
        key = business_key("payout", self.engine.name, purpose, place)
        alone = purpose in STANDALONE
        return Plan(
            key=key,
            purpose=purpose,
            merchant_id="M-1",
            payment_id=(None if alone and purpose is not Purpose.CREDIT else on)
            or payment_of_its_own(key),
            referenced_id=None if alone else on,
            registration_id=_REGISTRATION if alone else None,
            amount_minor=minor,
            currency="EUR",
            whole=self._row.whole,
            capabilities=_EVERYTHING,
            limit_minor=9_20 if purpose is Purpose.REBILL_DIFFERENCE else None,
        )

    async def _made(self, plan: Plan) -> Operation:
        moved: MoneyMoved = await self._result(await self._call(plan))
        operation = moved.operations[0]
        assert operation.state is OperationState.SETTLED, operation
        return operation

    async def _call(self, plan: Plan) -> WorkflowHandle[Any, Any]:
        return await self._start(plan.key, _STEPS[plan.purpose], plan)

    async def _start(
        self, name: str, step: str, what: Plan | ResolveDoubt
    ) -> WorkflowHandle[Any, Any]:
        now = datetime.now(UTC)
        if isinstance(what, Plan):
            call = Call(step=step, move=MoveMoney(plan=what, at=now))
        else:
            call = Call(step=step, doubt=what)
        queue = self.engine.settings.task_queue
        return await self.engine.client.start_workflow(OneCall.run, call, id=name, task_queue=queue)

    async def _result(self, handle: WorkflowHandle[Any, Any]) -> MoneyMoved:
        typed = self.engine.client.get_workflow_handle(handle.id, result_type=MoneyMoved)
        moved: MoneyMoved = await typed.result()
        return moved
