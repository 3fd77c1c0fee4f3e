"""Cases: opened, listed, shown."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from disputes.consequences import Consequences
from disputes.errors import InvalidMessage, InvalidNotice, NotFound
from disputes.fields import Identifier, Moment, Name
from disputes.messages import BankRuling, NetworkEvent
from disputes.notice import DisputeNotice
from disputes.status import CaseStatus, TimelineEntry
from disputes.store.listing import CaseFilter, Place, Sort
from disputes.vocabulary import Network, Stage, Status
from starter.api import documents, examples
from starter.api.access import Analyst, IntakeKey, Viewer
from starter.api.bodies import message, read_object
from starter.api.keys import ApiKey
from starter.api.office import ApiOffice, office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.paging import (
    Page,
    Word,
    cursor_of,
    moment_of,
    no_cursor,
    number_of,
    place_of,
    text_of,
)
from starter.client import OpenResult
from workflows.messages import notice_faults

router = APIRouter(tags=["disputes"])
_JSON = "application/json"


class CaseQuery(Page):
    """Which cases to list, and in which order."""

    status: Status | None = None
    stage: Stage | None = None
    merchant_id: Identifier | None = None
    network: Network | None = None
    assignee: Name | None = None
    due_before: Moment | None = Field(
        default=None, description="Whose next deadline is earlier (RFC 3339)."
    )
    q: Word | None = Field(
        default=None,
        description="What a dispute id begins with, or a whole payment id, ARN or reason code; of"
        " each kind the first 1,000 that fit the other filters are found.",
    )
    sort: Sort = "next_deadline"


class CaseList(BaseModel):
    """A page of cases; ``next_cursor`` is null on the last one."""

    items: list[CaseStatus]
    next_cursor: str | None


class Timeline(BaseModel):
    """A case's history in the order of acceptance."""

    items: list[TimelineEntry]


class Hypothetical(BaseModel):
    """What may happen: a ruling or a network event; neither: nothing by the deadline."""

    ruling: BankRuling | None = None
    network_event: NetworkEvent | None = None


@router.post(
    "/v1/disputes",
    status_code=201,
    summary="Open a case by the bank's notice",
    responses=documents.writes(
        OpenResult, "Open; 200 if the same notice had opened it before.", 200, 201
    ),
    openapi_extra=documents.body(DisputeNotice, examples.NOTICE),
)
async def open_case(
    request: Request, key: IntakeKey, idempotency: IdempotencyKey = None
) -> Response:
    """Open a case. The same notice again finds it; other content under its id is a Conflict."""
    notice = _notice(await read_object(request), key)
    await asyncio.to_thread(_check_scope, office_of(request), key, notice)
    command = Command(request, key, idempotency, notice)

    async def work() -> Response:
        async with office_of(request).temporal.desk() as desk:
            opened = await desk.open(notice)
        return json_answer(opened, 200 if opened.known else 201)

    return await command.once("open", work)


def _notice(given: dict[str, object], key: ApiKey) -> DisputeNotice:
    fields: dict[str, str] = {}
    try:
        notice = message(DisputeNotice, given)
    except InvalidMessage as error:
        fields = error.fields
    else:
        fields = notice_faults(notice, notice.dispute_id, datetime.now(UTC))
    if fields:
        raise InvalidNotice(fields)
    if not key.sees(notice.merchant_id):
        raise NotFound("the key has no merchant with this id")
    return notice


def _check_scope(office: ApiOffice, key: ApiKey, notice: DisputeNotice) -> None:
    """Refuse another merchant's case or payment as if it did not exist; blocks.

    Else a Conflict would tell what stands in another's case, and a dispute hold another's money.
    """
    if key.merchants is None:
        return
    holder = office.reads.merchant(notice.dispute_id)
    if holder is None:
        office.see_books(key, notice.payment_id)
    elif not key.sees(holder):
        raise NotFound("there is no case with this id")


@router.get(
    "/v1/disputes",
    summary="List cases, the next deadline first",
    responses=documents.reads(CaseList, "A page of cases."),
)
def list_cases(request: Request, key: Viewer, asked: Annotated[CaseQuery, Query()]) -> Response:
    """List the cases that fit all filters, page by page, from the database."""
    wanted = CaseFilter(
        status=asked.status,
        stage=asked.stage,
        merchant_id=asked.merchant_id,
        merchants=key.merchants,
        network=asked.network,
        assignee=asked.assignee,
        due_before=asked.due_before,
        q=asked.q,
        sort=asked.sort,
        limit=asked.limit,
        after=_after(asked),
    )
    page = office_of(request).reads.page(wanted)
    cursor = cursor_of(asked.sort, page.next.value, page.next.case_id) if page.next else None
    # The stored JSON is the answer: to read and write it again would take longer than to find it.
    following = f'"{cursor}"' if cursor else "null"
    content = f'{{"items":[{",".join(page.statuses)}],"next_cursor":{following}}}'
    return Response(content, media_type=_JSON)


def _after(asked: CaseQuery) -> Place | None:
    if asked.cursor is None:
        return None
    sort, value, case_id = place_of(asked.cursor, 3)
    if sort != asked.sort:
        raise no_cursor()
    if asked.sort == "amount":
        return Place(number_of(value), text_of(case_id))
    dated = value is not None or asked.sort == "updated_at"
    return Place(moment_of(value) if dated else None, text_of(case_id))


@router.get(
    "/v1/disputes/{dispute_id}",
    summary="Show a case",
    responses=documents.reads(CaseStatus, "The whole status."),
)
async def show(
    request: Request,
    key: Viewer,
    dispute_id: Identifier,
    *,
    live: Annotated[bool, Query(description="Ask the case itself, not the database.")] = False,
) -> Response:
    """Show a case from the database, or as it says of itself in this moment (``live``)."""
    office = office_of(request)
    stored = await asyncio.to_thread(_stored, office, key, dispute_id)
    if stored is not None and not live:
        return Response(stored, media_type=_JSON)
    if stored is None and not await asyncio.to_thread(office.reads.known, dispute_id):
        raise NotFound("there is no case with this id")
    # One that was opened a moment ago is not in the database yet: it can say so itself.
    async with office.temporal.desk() as desk:
        return json_answer(await desk.status(dispute_id))


def _stored(office: ApiOffice, key: ApiKey, dispute_id: str) -> str | None:
    office.see(key, dispute_id)
    return office.reads.status_json(dispute_id)


@router.get(
    "/v1/disputes/{dispute_id}/timeline",
    summary="All that happened to a case",
    responses=documents.reads(Timeline, "Every event, the ignored ones with the reason."),
)
async def timeline(
    request: Request,
    key: Viewer,
    dispute_id: Identifier,
    *,
    live: Annotated[bool, Query(description="Ask the case itself, not the database.")] = False,
) -> Response:
    """Show a case's history, also what changed nothing."""
    office = office_of(request)
    await asyncio.to_thread(office.see, key, dispute_id)
    entries = await asyncio.to_thread(office.reads.timeline, dispute_id)
    # A chargeback that is listed without a notice has a status, and nothing has happened to it.
    unlisted = not entries and not await asyncio.to_thread(office.reads.status_json, dispute_id)
    if live or unlisted:
        if not live and not await asyncio.to_thread(office.reads.known, dispute_id):
            raise NotFound("there is no case with this id")
        async with office.temporal.desk() as desk:
            entries = tuple(await desk.timeline(dispute_id))
    return json_answer(Timeline(items=list(entries)))


@router.post(
    "/v1/disputes/{dispute_id}/consequences",
    summary="What would follow, without changing anything",
    responses=documents.writes(Consequences, "The calls and ledger entries that would follow."),
    openapi_extra=documents.body(Hypothetical, examples.HYPOTHETICAL, required=False),
)
async def consequences(request: Request, key: Analyst, dispute_id: Identifier) -> Response:
    """Tell what a ruling, a network event, or nothing by the deadline would do."""
    asked = message(Hypothetical, await read_object(request))
    if asked.ruling and asked.network_event:
        raise InvalidMessage({"network_event": "not together with ruling"})
    office = office_of(request)
    await asyncio.to_thread(office.see, key, dispute_id)
    async with office.temporal.desk() as desk:
        told = await desk.consequences(
            dispute_id, asked.ruling or asked.network_event, datetime.now(UTC)
        )
    return json_answer(told)
