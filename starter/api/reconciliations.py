"""Comparisons with the gateway: the report of a day."""

from datetime import UTC, date, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from disputes.errors import NotFound
from disputes.fields import Day
from disputes.reconciliation import ReconciliationReport
from starter.api import documents
from starter.api.access import Viewer
from starter.api.office import office_of
from starter.api.once import json_answer
from starter.api.problems import HttpRefusal
from starter.refusals import translated
from workflows.ids import RECONCILIATION, RECONCILIATION_WORKFLOW

router = APIRouter(tags=["reconciliations"])
_DAY = timedelta(days=1)
#: Comparisons started in the two days after the one that is asked for.
_LOOKED_AT = 20


@router.get(
    "/v1/reconciliations/{day}",
    summary="What the comparison of a day with the gateway found",
    responses=documents.reads(ReconciliationReport, "The report, or what there is of it so far."),
)
async def show(request: Request, key: Viewer, day: Day) -> Response:
    """Show a day's report: of the comparison by hand if there is one, else of the nightly one."""
    if key.merchants is not None:
        raise HttpRefusal(403, "Forbidden", "a report is of all merchants, and the key's are few")
    client = await office_of(request).temporal.client()
    async with translated():
        report = await _report(client, f"{RECONCILIATION}/{day}", day)
        if report is None:
            report = await _nightly(client, day)
    if report is None:
        raise NotFound("there was no comparison of this day, or it is no longer kept")
    return json_answer(report)


async def _nightly(client: Client, day: date) -> ReconciliationReport | None:
    night = datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY
    started = (
        f"WorkflowType = '{RECONCILIATION_WORKFLOW}'"
        f" AND StartTime BETWEEN '{night.isoformat()}' AND '{(night + 2 * _DAY).isoformat()}'"
    )
    async for found in client.list_workflows(started, limit=_LOOKED_AT):
        report = await _report(client, found.id, day)
        if report is not None:
            return report
    return None


async def _report(client: Client, workflow_id: str, day: date) -> ReconciliationReport | None:
    """The report of a comparison if it is of this day; ``None`` for one that is not, or failed."""
    handle = client.get_workflow_handle(workflow_id)
    timeout = timedelta(seconds=5)
    try:
        described = await handle.describe(rpc_timeout=timeout)
        if described.close_time is None:
            told = await handle.query("progress", rpc_timeout=timeout)
        else:
            told = await handle.result(rpc_timeout=timeout)
    except WorkflowFailureError:
        return None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if told is None:
        return None
    report = ReconciliationReport.model_validate(told)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    whole_day = report.window.since == start and report.window.until == start + _DAY
    return report if whole_day else None
