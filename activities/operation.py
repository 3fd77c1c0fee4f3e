"""One gateway operation, exactly once in effect (architecture, steps 1-8).

Intend before send, ask before sending again, and where nobody can know, say so.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from disputes.errors import MoneyHeld
from disputes.events import CaseEvent
from disputes.operations import GatewayEntry, Operation, OperationRecord, Plan
from disputes.ports import GatewayPort, OperationBook, Said, Word
from disputes.refusals import reason_of
from disputes.steps import Hold, MoneyMoved
from disputes.vocabulary import OperationState

_ENDED = (OperationState.SETTLED, OperationState.REFUSED, OperationState.IN_DOUBT)
#: Denials by every entity that make an absence credible (architecture, step 4).
_DENIALS = 2
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0)
#: The operation once it has ended, with twins of it, and whether nothing could be sent.
_Step = tuple[tuple[Operation, ...], bool]


@dataclass(frozen=True)
class Patience:
    """Seconds of wire time.

    Between two questions, until a sent request can no longer be booked, until a person is asked.
    """

    query_interval_s: float
    settle_window_s: float
    doubt_after_s: float

    @property
    def send_within_s(self) -> float:
        """A request leaves within half the settle window, or never."""
        return self.settle_window_s / 2


class _Moment:
    """A moment on both clocks: one stands still with the machine, the other may be set back."""

    def __init__(self) -> None:
        self._monotonic, self._wall = time.monotonic(), time.time()

    @property
    def passed_s(self) -> float:
        """Seconds since then, by the clock that saw more of them."""
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
        failures = 0
        while record.operation.state not in _ENDED:
            if record.superseded:
                return MoneyMoved(operations=record.superseded_by)
            if record.operation.state is OperationState.INTENDED:
                ended, unsent = await self._send(record, at)
            else:
                ended, unsent = await self._ask(record, at)
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
        began = _Moment()
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
        ended = await asyncio.to_thread(
            self._book.settle,
            record.plan.key,
            state,
            gateway_id=said.gateway_id if state is OperationState.SETTLED else None,
            amount_minor=said.amount_minor if state is OperationState.SETTLED else None,
            result_code=said.result_code,
            reason=reason,
            at=at,
        )
        return (ended,)

    async def _ask(self, record: OperationRecord, at: datetime) -> _Step:
        """Step 4: what was sent, or may have been, is looked for before anything else."""
        lookup = await self._gateway.find(record.plan)
        matches = [entry for entry in lookup.entries if _is_of(entry, record.plan)]
        live = [entry for entry in matches if entry.succeeded]
        waited = record.wire_now - (record.sent_at or record.intended_at)
        late = waited >= timedelta(seconds=self._patience.settle_window_s)
        if live:
            return await self._adopt(record, live, at), False
        if (
            matches
            and not any(entry.pending for entry in matches)
            and (late or len(matches) >= record.attempts)
        ):
            said = Said(word=Word.REFUSED, result_code=matches[-1].result_code)
            return await self._end(record, said, at), False
        if lookup.absent and late and self._spaced(record):
            return await self._denied(record, at)
        if waited >= timedelta(seconds=self._patience.doubt_after_s):
            return await self._doubt(record, "the outcome could not be learned in time", at), False
        await asyncio.sleep(self._patience.query_interval_s)
        return (), False

    async def _adopt(
        self, record: OperationRecord, live: Sequence[GatewayEntry], at: datetime
    ) -> tuple[Operation, ...]:
        """Step 7: the oldest entry is ours; the ledger shows its twins too."""
        kept, *twins = live
        settled = await asyncio.to_thread(
            self._book.settle,
            record.plan.key,
            OperationState.SETTLED,
            gateway_id=kept.gateway_id,
            amount_minor=kept.amount_minor,
            result_code=kept.result_code,
            at=at,
        )
        dispute_id = record.plan.dispute_id
        adopted = [
            await asyncio.to_thread(self._book.adopt_entry, dispute_id, twin, at) for twin in twins
        ]
        marked = settled.model_copy(update={"twins": tuple(twin.gateway_id for twin in twins)})
        return marked, *(operation for operation in adopted if operation)

    def _spaced(self, record: OperationRecord) -> bool:
        interval = timedelta(seconds=self._patience.query_interval_s)
        return record.absent_at is None or record.wire_now - record.absent_at >= interval

    async def _denied(self, record: OperationRecord, at: datetime) -> _Step:
        """A credible denial; after the second it goes out again, where a twin does no harm."""
        noted = await asyncio.to_thread(self._book.note_absent, record.plan.key)
        if noted.absent_count < _DENIALS:
            await asyncio.sleep(self._patience.query_interval_s)
            return (), False
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
    """Whether an entry under our id is this operation: several may share it (protocol, 5)."""
    return (
        entry.payment_type is plan.payment_type
        and entry.amount_minor in (plan.amount_minor, None)
        and entry.referenced_id in (plan.referenced_id, None)
    )


def _refused_because(said: Said) -> str:
    if said.unwritable:
        return "the gateway's two decimals cannot carry this amount; it must be booked by hand"
    return reason_of(said.result_code)
