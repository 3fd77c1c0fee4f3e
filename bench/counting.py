"""Counts what one unhurried case costs: each message comes when the case is at rest."""

import asyncio
from dataclasses import dataclass

from temporalio.api.history.v1 import HistoryEvent
from temporalio.testing import TimeSkipper

from bench.history import Cost, cost_of
from bench.lives import EVIDENCE, SUBMISSION, Handle, Side, end_of_tail, won
from disputes.notice import DisputeNotice

_LOOK_EVERY_S = 0.1
#: Looks in a row that must find the case at rest.
_LOOKS = 3


@dataclass(frozen=True)
class Counted:
    """One case of one side.

    Attributes:
        to_tail: up to the wait for the tail, counted before any clock was moved.
        whole: with the end of the tail, reached by moving the case's clock; the events of the
            move itself are left out.
    """

    side: str
    to_tail: Cost
    whole: Cost


async def count(side: Side, skipper: TimeSkipper, notice: DisputeNotice) -> Counted:
    """Let one case live at the pace of real life, and count its history."""
    case = await side.open(notice)
    await _at_rest(case)
    await side.command(notice.dispute_id, "add_evidence", EVIDENCE)
    await _at_rest(case)
    await side.command(notice.dispute_id, "submit_representment", SUBMISSION)
    await _at_rest(case)
    await side.fact(notice.dispute_id, "bank_ruling", won())
    await _at_rest(case)
    to_tail = cost_of(await _history(case))
    await end_of_tail(skipper, case)
    return Counted(side.name, to_tail, cost_of(await _history(case)))


async def _history(case: Handle) -> list[HistoryEvent]:
    return [event async for event in case.fetch_history_events()]


async def _at_rest(case: Handle) -> None:
    """Wait until nothing is under way and nothing has come for a while."""
    length, looks = -1, 0
    while looks < _LOOKS:
        await asyncio.sleep(_LOOK_EVERY_S)
        described = await case.describe()
        raw = described.raw_description
        busy = raw.pending_activities or raw.HasField("pending_workflow_task")
        looks = 0 if busy or described.history_length != length else looks + 1
        length = described.history_length
