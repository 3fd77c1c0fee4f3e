"""What one case costs in history and in billable actions, counted event by event."""

from collections import Counter
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

#: Events that exist only because the bench moves a case's clock.
SKIP_EVENTS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
    }
)
#: One billable action each (Temporal Cloud, actions).
_BILLED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signal",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "update",
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: "activity",
    EventType.EVENT_TYPE_TIMER_STARTED: "timer",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
}
_LOCAL_ACTIVITY = "core_local_activity"


@dataclass(frozen=True)
class Cost:
    """What a case's history holds, without the events of a moved clock.

    Attributes:
        events: how many.
        size: their serialised size in bytes.
        kinds: how many of each kind.
        actions: billable actions by what they are for; queries and heartbeats leave no event.
    """

    events: int
    size: int
    kinds: Counter[str]
    actions: Counter[str]


def cost_of(history: list[HistoryEvent]) -> Cost:
    """The cost of a whole history."""
    events = [event for event in history if event.event_type not in SKIP_EVENTS]
    return Cost(
        events=len(events),
        size=sum(event.ByteSize() for event in events),
        kinds=Counter(_kind(event) for event in events),
        actions=_actions(events),
    )


def _kind(event: HistoryEvent) -> str:
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower().replace("_", " ")


def _actions(events: list[HistoryEvent]) -> Counter[str]:
    actions = Counter(_BILLED[event.event_type] for event in events if event.event_type in _BILLED)
    # All local activities of one workflow task are billed as one.
    tasks = {
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in events
        if event.marker_recorded_event_attributes.marker_name == _LOCAL_ACTIVITY
    }
    retries = sum(
        max(event.activity_task_started_event_attributes.attempt - 1, 0) for event in events
    )
    actions += Counter({"local activities": len(tasks), "activity retries": retries})
    return actions
