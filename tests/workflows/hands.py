"""One dispute in a test's hands: its bank, its desk, its clock and its books."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any, Self

from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from disputes.ledger import Account
from disputes.status import CaseStatus
from disputes.store.ledger import LedgerBook
from disputes.store.reads import OperationLine, Reads
from disputes.vocabulary import OperationState
from tests.support.engine import Engine, Json
from workflows.ids import DISPUTE_WORKFLOW

_numbers = count(1)
#: Accounts on which a dispute's money stands; the others only explain them.
_POSITIONS = ("acquirer", "unmirrored", "disputed", "dispute_loss", "recovered", "giveback_due")
CONSENT = {"given_at": "2026-01-01T00:00:00Z", "evidence_id": "E-consent"}


class Dispute:
    """A case of the engine, spoken to as the contract says; amounts in minor units."""

    def __init__(self, engine: Engine, notice: Json) -> None:
        self.engine = engine
        self.notice = notice
        self.id: str = notice["dispute_id"]
        self.payment: str = notice["payment_id"]
        self.case = engine.handle(self.id)

    @classmethod
    async def opened(cls, engine: Engine, **changes: object) -> Self:
        """Started by its notice."""
        dispute = cls(engine, await engine.notice(**changes))
        await engine.open(dispute.notice)
        return dispute

    @classmethod
    async def booked(cls, engine: Engine, **changes: object) -> Self:
        """Started by its notice, its chargeback booked at the gateway."""
        dispute = await cls.opened(engine, **changes)
        await engine.settled(dispute.case, 1)
        return dispute

    @classmethod
    async def lost(cls, engine: Engine, **changes: object) -> Self:
        """Booked, and lost by a ruling."""
        dispute = await cls.booked(engine, **changes)
        await dispute.rule("cardholder_won")
        await dispute.until(status="lost")
        return dispute

    # The clock

    async def now(self) -> datetime:
        """This moment on the case's clock; the wall clock's before it has one."""
        try:
            return await self.engine.skipper.get_current_time(self.case)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return datetime.now(UTC)

    async def days_pass(self, days: float) -> bool:
        """Let days go by; true unless the case ended on the way."""
        return await self.engine.fast_forward(self.case, days=days)

    async def ends(self) -> Json:
        """Let the case go to its end, and give its summary."""
        assert not await self.days_pass(900)
        return await self.result()

    async def result(self) -> Json:
        """The summary with which the newest run ends."""
        summary: Json = await self.case.result()
        return summary

    # The bank and the gateway

    async def tell(self, name: str, *payloads: object) -> None:
        """A fact as doors tell it: it reaches the case, whether that runs, closed, or is new."""
        await self.engine.client.start_workflow(
            DISPUTE_WORKFLOW,
            id=self.case.id,
            task_queue=self.engine.settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=name,
            start_signal_args=payloads,
        )

    async def rule(self, outcome: str, **more: object) -> Json:
        """The bank rules, at this moment if no other is given; gives the ruling."""
        moment = (await self.now()).isoformat()
        base = {"ruling_id": f"R-{next(_numbers)}", "outcome": outcome, "decided_at": moment}
        await self.tell("bank_ruling", base | more)
        return base | more

    async def event(self, kind: str, **more: object) -> Json:
        """The network does something, at this moment if no other is given; gives the event."""
        moment = (await self.now()).isoformat()
        base = {"event_id": f"N-{next(_numbers)}", "kind": kind, "occurred_at": moment}
        await self.tell("network_event", base | more)
        return base | more

    async def gateway_books(self, payment_type: str, referenced_id: str, minor: int) -> str:
        """The gateway books something by itself; gives the entry's id."""
        await self.engine.sandbox.own_booking(payment_type, referenced_id, amount_minor=minor)
        return str((await self.book())[-1]["id"])

    async def booking(self, payment_type: str, gateway_id: str, referenced_id: str) -> None:
        """The gateway's notification of one of its entries."""
        entry = next(item for item in await self.book() if item["id"] == gateway_id)
        amount = {"amount": f"{int(str(entry['amount_minor'])) / 100:.2f}", "currency": "EUR"}
        base: Json = {"gateway_id": gateway_id, "payment_type": payment_type, "amount": amount}
        moment = (await self.now()).isoformat()
        await self.tell("booking", base | {"referenced_id": referenced_id, "occurred_at": moment})

    # The desk

    async def update(self, name: str, message: Json) -> Json:
        """A command; raises what ``refusal`` expects."""
        answer: Json = await self.case.execute_update(name, message)
        return answer

    async def reopening_update(self, name: str, message: Json) -> Json:
        """A command to a case that may be closed: update-with-start without input."""
        start = WithStartWorkflowOperation[object, Json](
            DISPUTE_WORKFLOW,
            id=self.case.id,
            task_queue=self.engine.settings.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        answer: Json = await self.engine.client.execute_update_with_start_workflow(
            name, message, start_workflow_operation=start
        )
        return answer

    async def add_evidence(self, kind: str = "refund_proof") -> Json:
        """Evidence; ``refund_proof`` alone completes a path of most Visa codes."""
        number = next(_numbers)
        item = {"evidence_id": f"E-{number}", "evidence_type": kind, "submitted_by": "ana"}
        return await self.update("add_evidence", item | {"text": "as agreed"})

    async def represent(self) -> None:
        """Complete evidence, submitted."""
        await self.add_evidence()
        await self.update("submit_representment", {"submitted_by": "ana"})

    async def request_rebill(self, **more: object) -> Json:
        """Ask to charge the shopper again."""
        asked = {"requested_by": "ana", "reason": "the goods were kept", "consent": CONSENT}
        return await self.update("request_rebill", asked | more)

    # What can be seen

    async def status(self) -> CaseStatus:
        """The case's own word on itself."""
        return await self.engine.status(self.case)

    async def until(
        self, condition: Callable[[CaseStatus], bool] | None = None, **fields: object
    ) -> CaseStatus:
        """Wait until a condition holds and the named fields of the status are as given."""

        def fits(status: CaseStatus) -> bool:
            named = all(getattr(status, name) == value for name, value in fields.items())
            return named and (condition is None or condition(status))

        return await self.engine.until(self.case, fits)

    async def timeline(self) -> list[Json]:
        """Every entry of the case's history."""
        entries: list[Json] = await self.case.query("timeline")
        return entries

    async def book(self) -> list[dict[str, object]]:
        """What the gateway has booked on the payment, oldest first."""
        return await self.engine.sandbox.book(self.payment)

    async def booked_types(self) -> list[str]:
        """The same, by payment type."""
        return [str(entry["payment_type"]) for entry in await self.book()]

    def operations(self) -> tuple[OperationLine, ...]:
        """The case's gateway operations in the database."""
        return Reads(self.engine.store).operations(dispute_id=self.id)

    def is_sent(self) -> bool:
        """Whether a call of the case is on its way, its outcome not known yet."""
        return any(op.state is OperationState.SENT for op in self.operations())

    async def money_is(self, **accounts: int) -> None:
        """Wait for a position; accounts that are not named must be at zero.

        The books must add up, and ``acquirer`` be the gateway's own book to the cent.
        """
        wanted = dict.fromkeys(_POSITIONS, 0) | accounts
        found: dict[str, int] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                while found != wanted:
                    await asyncio.sleep(0.05)
                    # In a thread, for the worker may share this loop.
                    found = await asyncio.to_thread(self._positions)
        assert found == wanted, (found, self.operations(), await self.status())
        entries = await self.book()
        signed = sum(int(str(it["sign"])) * int(str(it["amount_minor"])) for it in entries)
        assert found["acquirer"] == signed, entries
        assert await asyncio.to_thread(LedgerBook(self.engine.store).verify) == []

    def _positions(self) -> dict[str, int]:
        if self.is_sent():
            # A position can be passed through while a call is under way.
            return {}
        sums: Counter[Account] = Counter()
        for line in LedgerBook(self.engine.store).show(self.payment):
            sums[line.debit] += line.amount_minor
            sums[line.credit] -= line.amount_minor
        signs = {"recovered": -1, "giveback_due": -1}
        return {name: signs.get(name, 1) * sums[Account(name)] for name in _POSITIONS}


def refusal_of(failed: WorkflowUpdateFailedError | WorkflowFailureError) -> tuple[str, Json]:
    """Type and details of the application error behind a refused update or a failed start."""
    error = failed.cause
    assert isinstance(error, ApplicationError), error
    assert error.cause is None
    details: Any = error.details[0]
    return error.type or "", details


async def refused(told: Any) -> tuple[str, Json]:  # noqa: ANN401 - any awaitable of the client
    """Type and details with which a command is refused."""
    try:
        answer = await told
    except (WorkflowUpdateFailedError, WorkflowFailureError) as failed:
        return refusal_of(failed)
    raise AssertionError(f"not refused: {answer}")
