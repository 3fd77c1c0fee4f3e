"""Mistakes put into the engine on purpose: a proof that never fails proves nothing."""

from datetime import datetime

from activities.operation import OperationRunner
from disputes.operations import Operation, OperationRecord
from disputes.ports import Said, Word


class ResendsWithoutAsking(OperationRunner):
    """After a lost answer it sends again, and never asks what became of the first."""

    async def _ask(
        self, record: OperationRecord, at: datetime
    ) -> tuple[tuple[Operation, ...], bool]:
        return await self._send(record, at)


class BelievesADenialAtOnce(OperationRunner):
    """One "not found" is enough, although the gateway may still be at it."""

    async def _ask(
        self, record: OperationRecord, at: datetime
    ) -> tuple[tuple[Operation, ...], bool]:
        lookup = await self._gateway.find(record.plan)
        if lookup.absent:
            return await self._send(record, at)
        return await super()._ask(record, at)


class TakesUncertainForDeclined(OperationRunner):
    """An answer that proves nothing is taken for a refusal."""

    async def _end(
        self, record: OperationRecord, said: Said, at: datetime
    ) -> tuple[Operation, ...]:
        if said.word is Word.UNKNOWN:
            said = Said(word=Word.REFUSED, result_code=said.result_code)
        return await super()._end(record, said, at)


class TakesUncertainForBooked(OperationRunner):
    """An answer that proves nothing is taken for a success."""

    async def _end(
        self, record: OperationRecord, said: Said, at: datetime
    ) -> tuple[Operation, ...]:
        if said.word is Word.UNKNOWN:
            said = Said(word=Word.BOOKED, result_code=said.result_code)
        return await super()._end(record, said, at)


BUGS: dict[str, type[OperationRunner]] = {
    "resend_without_asking": ResendsWithoutAsking,
    "believe_a_denial_at_once": BelievesADenialAtOnce,
    "uncertain_is_declined": TakesUncertainForDeclined,
    "uncertain_is_booked": TakesUncertainForBooked,
}
