"""One gateway operation, exactly once in effect (architecture, steps 1-8).

Intend before send, ask before sending again, and where nobody can know, say so.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from disputes import twins
from disputes.errors import MoneyHeld, NotSupported
from disputes.events import CaseEvent
from disputes.operations import GatewayEntry, Operation, OperationRecord, Plan
from disputes.ports import GatewayPort, OperationBook, Said, Word
from disputes.refusals import reason_of
from disputes.steps import Hold, MoneyMoved
from disputes.vocabulary import CHAIN_TYPES, OperationState

_ENDED = (OperationState.SETTLED, OperationState.REFUSED, OperationState.IN_DOUBT)
#: Denials by every entity that make an absence credible (architecture, step 4).
_DENIALS = 2
#: Questions before a person is asked, however long ago it was sent: after an outage of ours one
#: unlucky answer is no reason to trouble anybody.
_QUESTIONS = 3
_TOO_LONG = "the outcome could not be learned in time"
_OWED_NO_MORE = "the gateway denies it, and the case owes it no longer: it is not sent again"
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
#: The operation once it has ended, with twins of it, and whether nothing could be sent.
_Step = tuple[tuple[Operation, ...], bool]


@dataclass(frozen=True)
class Patience:
    """Seconds of wire time: until a sent request can no longer be booked, until a person is asked.

    Questions are spaced by the gateway's throttle, for all workers.
    """

    settle_window_s: float
    doubt_after_s: float

    @property
    def send_within_s(self) -> float:
        """A request leaves within half the settle window, or never."""
        return self.settle_window_s / 2


class Stopwatch:
    """Runs from its making, on both clocks: one stands still with the machine, one may be set."""

    def __init__(self) -> None:
        self._monotonic, self._wall = time.monotonic(), time.time()

    @property
    def passed_s(self) -> float:
        """Seconds so far, by the clock that saw more of them."""
        return max(time.monotonic() - self._monotonic, time.time() - self._wall)


class OperationRunner:
    """Runs plans against the book and the gateway; safe to run twice, or beside itself."""

    def __init__(self, book: OperationBook, gateway: GatewayPort, patience: Patience) -> None:
        self._book = book
        self._gateway = gateway
        self._patience = patience

    async def run(self, plan: Plan, events: Sequence[CaseEvent], at: datetime) -> MoneyMoved:
        """Carry a plan to its end; ``at`` is case time for the ledger."""
        try:
            record = await self._intend(plan, events)
        except MoneyHeld:
            return MoneyMoved(hold=Hold.MONEY_HELD)
        failures = questions = 0
        while record.operation.state not in _ENDED:
            if record.superseded:
                return MoneyMoved(operations=record.superseded_by)
            if record.operation.state is OperationState.INTENDED:
                ended, unsent = await self._send(record, at)
            elif questions >= _QUESTIONS and _waited_s(record) >= self._patience.doubt_after_s:
                ended, unsent = await self._doubt(record, _TOO_LONG, at), False
            else:
                ended, unsent = await self._ask(record, at)
                questions += 1
            if ended:
                return MoneyMoved(operations=ended)
            if unsent:
                if failures == len(_BACKOFF_S):
                    return MoneyMoved(hold=Hold.GATEWAY_UNREACHABLE)
                await asyncio.sleep(_BACKOFF_S[failures])
                failures += 1
            record = await asyncio.to_thread(self._book.intend, plan, ())
        return MoneyMoved(operations=(record.operation,))

    async def _intend(self, plan: Plan, events: Sequence[CaseEvent]) -> OperationRecord:
        """Step 2; while another operation holds the payment, wait a while for it to end."""
        waited_s = 0.0
        while True:
            try:
                return await asyncio.to_thread(self._book.intend, plan, events)
            except MoneyHeld:
                if waited_s >= self._patience.settle_window_s:
                    raise
            await asyncio.sleep(_BACKOFF_S[0])
            waited_s += _BACKOFF_S[0]

    async def _send(self, record: OperationRecord, at: datetime) -> _Step:
        """Step 5, then 6 where the answer proves anything; else the row stays sent."""
        key = record.plan.key
        began = Stopwatch()
        try:
            sent = await asyncio.to_thread(self._book.mark_sent, key, attempts=record.attempts)
        except MoneyHeld:
            return (), False
        # The window counts from the mark: a process may stand still between it and the call.
        left_s = max(self._patience.send_within_s - began.passed_s, 0.0)
        said = await self._gateway.send(sent.plan, left_s)
        if said.word is Word.NOTHING:
            await asyncio.to_thread(self._book.mark_unsent, key, attempts=sent.attempts)
            return (), True
        return await self._end(record, said, at), False

    async def _end(
        self, record: OperationRecord, said: Said, at: datetime
    ) -> tuple[Operation, ...]:
        """Step 6."""
        match said.word:
            case Word.BOOKED:
                state, reason = OperationState.SETTLED, None
            case Word.REFUSED:
                state, reason = OperationState.REFUSED, _refused_because(said)
            case Word.MANUAL:
                state, reason = OperationState.IN_DOUBT, "the gateway asks for a person"
            case Word.UNKNOWN | Word.NOTHING:
                return ()

        def settle() -> tuple[Operation, ...]:
            """In one thread: an attempt that is given up meanwhile notes both all the same."""
            ended = self._book.settle(
                record.plan.key,
                state,
                gateway_id=said.gateway_id if state is OperationState.SETTLED else None,
                amount_minor=said.amount_minor if state is OperationState.SETTLED else None,
                result_code=said.result_code,
                reason=reason,
                at=at,
            )
            twin = _twin_of(ended, record.plan, said)
            if twin is None:
                return (ended,)
            adopted = self._book.adopt_entry(None, twin, at)
            marked = ended.model_copy(update={"twins": (twin.gateway_id,)})
            return (marked, adopted) if adopted else (marked,)

        return await asyncio.to_thread(settle)

    async def _ask(self, record: OperationRecord, at: datetime) -> _Step:
        """Step 4: what was sent, or may have been, is looked for before anything else.

        Whatever is live under our own reference is what became of it, and nothing is sent again.
        """
        plan = record.plan
        lookup = await self._gateway.find(plan, record.intended_at)
        live = [entry for entry in lookup.entries if entry.succeeded]
        if live:
            strange = next((entry for entry in live if not _is_of(entry, plan)), None)
            if strange is None:
                return await self._adopt(record, live, at), False
            reason = (
                f"the gateway shows another transaction under our reference: {strange.gateway_id}"
            )
            return await self._doubt(record, reason, at), False
        ours = [entry for entry in lookup.entries if _is_of(entry, plan)]
        late = _waited_s(record) >= self._patience.settle_window_s
        pending = any(entry.pending for entry in lookup.entries)
        if ours and not pending and (late or len(ours) >= record.attempts):
            said = Said(word=Word.REFUSED, result_code=ours[-1].result_code)
            return await self._end(record, said, at), False
        if lookup.absent and late:
            return await self._denied(record, at)
        return (), False

    async def _adopt(
        self, record: OperationRecord, live: Sequence[GatewayEntry], at: datetime
    ) -> tuple[Operation, ...]:
        """Step 7: one entry is ours; its twins are undone where they can be, the ledger shows all.

        An amount that is not ours is believed once a question about the entry itself shows it.
        """
        plan = record.plan
        linked: list[GatewayEntry] = []
        if len(live) > 1 or live[0].amount_minor not in (plan.amount_minor, None):
            for entry in live:
                # Two debits hang under nothing: one does not show the other.
                if not _shown([entry]) <= _shown(linked):
                    shown = await self._gateway.linked(plan.merchant_id, entry.gateway_id)
                    linked += shown.entries
            if not _shown(live) <= _shown(linked):
                return ()
        built_on = twins.built_on(linked)
        kept = twins.kept(live, built_on)
        settled = await asyncio.to_thread(
            self._book.settle,
            plan.key,
            OperationState.SETTLED,
            gateway_id=kept.gateway_id,
            amount_minor=kept.amount_minor,
            result_code=kept.result_code,
            at=at,
        )
        # Another worker may have settled it meanwhile, with another entry: by its word we go.
        others = [entry for entry in live if entry.gateway_id != settled.gateway_id]
        if len(others) == len(live):
            return (settled,)
        adopted = [await self._put_on_books(plan, twin, at) for twin in others]
        left = [
            twin.gateway_id
            for twin in others
            if twin.gateway_id in built_on
            or not await self.undo(
                twins.undoing(plan.key, plan.purpose, plan.merchant_id, twin), at
            )
        ]
        marked = settled.model_copy(update={"twins": tuple(left)})
        return marked, *(operation for operation in adopted if operation)

    async def _put_on_books(self, plan: Plan, twin: GatewayEntry, at: datetime) -> Operation | None:
        """A twin in a chain is the dispute's as well; any other is nobody's."""
        dispute_id = plan.dispute_id if twin.payment_type in CHAIN_TYPES else None
        return await asyncio.to_thread(self._book.adopt_entry, dispute_id, twin, at)

    async def undo(self, plans: Sequence[Plan], at: datetime) -> bool:
        """Whether one of ``plans`` is booked now; the next is tried where one was refused."""
        for plan in plans:
            try:
                moved = await self.run(plan, (), at)
            except NotSupported:
                continue
            states = {operation.state for operation in moved.operations}
            if states != {OperationState.REFUSED}:
                return states == {OperationState.SETTLED}
        return False

    async def _denied(self, record: OperationRecord, at: datetime) -> _Step:
        """A credible denial; after the second it goes out again, where a twin does no harm."""
        noted = await asyncio.to_thread(self._book.note_absent, record.plan.key)
        if noted.absent_count < _DENIALS:
            return (), False
        if noted.superseded:
            return await self._doubt(noted, _OWED_NO_MORE, at), False
        if record.plan.resendable:
            return await self._send(noted, at)
        return await self._doubt(noted, "a partial operation may not be sent twice", at), False

    async def _doubt(
        self, record: OperationRecord, reason: str, at: datetime
    ) -> tuple[Operation, ...]:
        doubted = await asyncio.to_thread(
            self._book.settle, record.plan.key, OperationState.IN_DOUBT, reason=reason, at=at
        )
        return (doubted,)


def _is_of(entry: GatewayEntry, plan: Plan) -> bool:
    """Whether an entry under our id is this operation, of whatever amount (protocol, section 5)."""
    return (
        entry.payment_type is plan.payment_type
        and entry.currency in (plan.currency, None)
        and entry.referenced_id in (plan.referenced_id, None)
    )


def _shown(entries: Sequence[GatewayEntry]) -> set[tuple[str, int | None]]:
    return {(entry.gateway_id, entry.amount_minor) for entry in entries if entry.succeeded}


def _waited_s(record: OperationRecord) -> float:
    return (record.wire_now - (record.sent_at or record.intended_at)).total_seconds()


def _twin_of(ended: Operation, plan: Plan, said: Said) -> GatewayEntry | None:
    """The entry just booked, where the operation has one: its sender stood still before it wrote.

    Others took the request for lost by then, and sent it again.
    """
    if said.word is not Word.BOOKED or said.gateway_id is None:
        return None
    if ended.gateway_id in (None, said.gateway_id):
        return None
    return GatewayEntry(
        gateway_id=said.gateway_id,
        payment_type=plan.payment_type,
        succeeded=True,
        amount_minor=plan.amount_minor if said.amount_minor is None else said.amount_minor,
        currency=plan.currency,
        referenced_id=plan.referenced_id,
        merchant_transaction_id=plan.merchant_transaction_id,
        result_code=said.result_code,
    )


def _refused_because(said: Said) -> str:
    if said.unwritable:
        return "the gateway's two decimals cannot carry this amount; it must be booked by hand"
    return reason_of(said.result_code)
