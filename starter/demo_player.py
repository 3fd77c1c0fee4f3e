"""Plays a script: each case lives by its own clock, which runs ahead between what happens to it."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from temporalio.client import Client
from temporalio.service import RPCError

from disputes.decode import canonical, decode
from disputes.errors import Refusal, Unreachable
from starter.client import DisputeDesk
from starter.demo_clock import Clocks
from starter.demo_script import DeskLine, FeedLine, Script
from starter.intake import Intake, Outcome
from starter.progress import RejectedLine
from workflows.ids import dispute_workflow_id
from workflows.messages import COMMANDS

#: Cases that live side by side: more keep nobody busier on two cores.
_AT_ONCE = 12
#: Longer than the longest tail: what is open after it does not end by itself.
_TO_THE_END = timedelta(days=730)


@dataclass(slots=True)
class Played:
    """What came of a script.

    Attributes:
        outcomes: number of feed lines by what became of them.
        rejected: the rejected ones.
        commands: number of commands carried out.
        problems: what should not have happened, a sentence each.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    rejected: list[RejectedLine] = field(default_factory=list)
    commands: int = 0
    problems: list[str] = field(default_factory=list)


class Watcher(Protocol):
    """Whoever looks on while a script is played."""

    def told(self, case_id: str, what: str) -> None:
        """A line or command reached a case."""

    def closed(self, case_id: str) -> None:
        """A case has ended."""


class Player:
    """Gives each case its lines and commands when its clock has come to their moments.

    One driver per case, strictly in turn: a message during a fast-forward would come at an
    unforeseeable moment of the case.
    """

    def __init__(self, client: Client, desk: DisputeDesk, intake: Intake, watcher: Watcher) -> None:
        self._client = client
        self._clocks = Clocks(client)
        self._desk = desk
        self._intake = intake
        self._watcher = watcher
        self._played = Played()

    async def play(self, script: Script) -> Played:
        """Play every case to its end.

        Raises:
            Unreachable: a part of the stack is away.
        """
        places = asyncio.Semaphore(_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                for line in script.unreadable:
                    group.create_task(self._line(line, line.at))
                for case_id, acts in script.acts.items():
                    group.create_task(self._in_place(places, case_id, acts))
        except ExceptionGroup as failed:
            first = failed.exceptions[0]
            if isinstance(first, RPCError):
                raise Unreachable(f"the Temporal server failed: {first}") from failed
            raise first from failed
        return self._played

    async def _in_place(
        self, places: asyncio.Semaphore, case_id: str, acts: tuple[FeedLine | DeskLine, ...]
    ) -> None:
        async with places:
            await self._case(case_id, acts)

    async def _case(self, case_id: str, acts: tuple[FeedLine | DeskLine, ...]) -> None:
        handle = self._client.get_workflow_handle(dispute_workflow_id(case_id))
        try:
            for act in acts:
                await self._clocks.reach(handle, act.at)
                if isinstance(act, FeedLine):
                    await self._line(act, act.at)
                else:
                    await self._command(act)
                    self._watcher.told(case_id, act.command)
            if await self._clocks.reach(handle, max(act.at for act in acts) + _TO_THE_END):
                self._played.problems.append(f"{case_id} does not end by itself")
        except TimeoutError:
            self._played.problems.append(f"{case_id} did not come to rest")
        self._watcher.closed(case_id)

    async def _line(self, line: FeedLine, now: datetime) -> None:
        result = await self._intake.take_line(line.text, now)
        self._watcher.told(result.dispute_id or f"line {line.number}", line.what or "rejected")
        self._played.outcomes[result.outcome] += 1
        if result.outcome is Outcome.REJECTED:
            self._played.rejected.append(
                RejectedLine(line_number=line.number, reasons=result.reasons)
            )

    async def _command(self, act: DeskLine) -> None:
        try:
            data = act.data
            if act.command in ("approve", "decline"):
                data = data | {"request_id": await self._open_request(act.dispute_id)}
            message = decode(COMMANDS[act.command], canonical(data), edge=True)
            await self._desk.command(act.dispute_id, act.command, message)
        except Refusal as refusal:
            self._played.problems.append(
                f"{act.dispute_id} refused {act.command}: {refusal.message}"
            )
        else:
            self._played.commands += 1

    async def _open_request(self, case_id: str) -> str:
        """The id of the case's open request: the script cannot know it before."""
        waiting = (await self._desk.status(case_id)).approvals
        return waiting[0].request_id if waiting else "none"
