"""Mistakes put into the engine on purpose: a proof that never fails proves nothing."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from unittest.mock import patch

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


def _yes(*_args: object) -> bool:
    return True


def _none_yet(*_args: object) -> list[object]:
    return []


_RUNNER = "activities.gateway.OperationRunner"
_BOOK = "disputes.store.operations"
#: By name, what takes the place of what in the engine.
BUGS: dict[str, Mapping[str, object]] = {
    "resend_without_asking": {_RUNNER: ResendsWithoutAsking},
    "believe_a_denial_at_once": {_RUNNER: BelievesADenialAtOnce},
    "uncertain_is_declined": {_RUNNER: TakesUncertainForDeclined},
    "uncertain_is_booked": {_RUNNER: TakesUncertainForBooked},
    "settle_twice": {f"{_BOOK}._yields": _yes, "disputes.store.postings.posted": _none_yet},
}


@contextmanager
def planted(bug: str | None) -> Iterator[None]:
    """The engine with a mistake of ``BUGS`` in it, or as it is."""
    with ExitStack() as places:
        for target, mistake in BUGS[bug].items() if bug else ():
            places.enter_context(patch(target, mistake))
        yield
