"""The nightly comparison with the gateway, as a Temporal Schedule."""

from dataclasses import replace
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows.ids import RECONCILIATION, RECONCILIATION_WORKFLOW

SCHEDULE_ID: Final = "disputes-reconciliation"
#: When the day before is over in every time zone's books but the westernmost; UTC.
_HOUR: Final = 2


async def prepare_schedule(client: Client, task_queue: str) -> None:
    """Have the day before compared every night; safe to repeat.

    One that is there keeps its hours and whether it is paused: an operator may have set both.
    """
    action = ScheduleActionStartWorkflow(
        RECONCILIATION_WORKFLOW, id=RECONCILIATION, task_queue=task_queue
    )
    nightly = Schedule(
        action=action,
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(_HOUR)])]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
    try:
        await client.create_schedule(SCHEDULE_ID, nightly)
    except ScheduleAlreadyRunningError:

        def same_hours(known: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(schedule=replace(known.description.schedule, action=action))

        await client.get_schedule_handle(SCHEDULE_ID).update(same_hours)
