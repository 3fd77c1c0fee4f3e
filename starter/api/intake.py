"""What came in and went nowhere yet: rejected lines, and news that wait for their case."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.status import CaseStatus
from disputes.store.inbox import Inbox, InboxLine
from disputes.store.listing import CaseFilter, Place
from disputes.store.rejected import RejectedBook, RejectedEntry
from disputes.vocabulary import Status
from starter.api import documents
from starter.api.access import Viewer
from starter.api.keys import ApiKey
from starter.api.office import ApiOffice, office_of
from starter.api.once import json_answer
from starter.api.paging import Page, cursor_of, moment_of, no_cursor, place_of, text_of
from starter.api.problems import HttpRefusal

router = APIRouter(tags=["intake"])


class RejectedList(BaseModel):
    """A page of rejected lines, the newest first; ``next_cursor`` is null on the last one."""

    items: list[RejectedEntry]
    next_cursor: str | None


class WaitingNotification(InboxLine):
    """A notification of the gateway of which nobody could be told yet; ``reason`` says why."""

    kind: Literal["notification"] = "notification"


class WaitingCase(BaseModel):
    """A case of which there are facts and no notice; ``attention`` once it has waited too long."""

    kind: Literal["case"] = "case"
    dispute_id: str
    merchant_id: str | None
    payment_id: str | None
    attention: tuple[str, ...]


class WaitingList(BaseModel):
    """Notifications, the oldest first, then cases; ``next_cursor`` is null on the last page."""

    items: list[WaitingNotification | WaitingCase]
    next_cursor: str | None


@router.get(
    "/v1/intake/rejected",
    summary="Lines of feeds that could not be taken",
    responses=documents.reads(RejectedList, "A page of lines, without card numbers and CVVs."),
)
def list_rejected(request: Request, key: Viewer, asked: Annotated[Page, Query()]) -> Response:
    """List them with their reasons, by whatever door they came; `feed` names a file."""
    if key.merchants is not None:
        raise HttpRefusal(403, "Forbidden", "the lines are of all merchants, and the key's are few")
    after = _place(asked.cursor)
    found = RejectedBook(office_of(request).store).page(after, asked.limit + 1)
    shown = list(found[: asked.limit])
    more = len(found) > asked.limit
    cursor = cursor_of(shown[-1].rejected_at, shown[-1].sha256) if more else None
    return json_answer(RejectedList(items=shown, next_cursor=cursor))


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    moment, name = place_of(cursor, 2)
    return moment_of(moment), text_of(name)


@router.get(
    "/v1/intake/waiting",
    summary="Notifications and facts that wait for their case or its notice",
    responses=documents.reads(WaitingList, "A page of what waits; nothing of it is lost."),
)
def list_waiting(request: Request, key: Viewer, asked: Annotated[Page, Query()]) -> Response:
    """List both. Notifications name no merchant: a key of a few merchants sees its cases only."""
    kind, value, name = place_of(asked.cursor, 3) if asked.cursor else ("notification", None, None)
    office, items = office_of(request), list[WaitingNotification | WaitingCase]()
    cursor = None
    if kind == "notification":
        after = None if name is None else (moment_of(value), text_of(name))
        notes = _notifications(office, key, after, asked.limit + 1)
        items += notes[: asked.limit]
        if len(notes) > asked.limit:
            last = notes[asked.limit - 1]
            cursor = cursor_of("notification", last.received_at, last.sha256)
    elif kind != "case":
        raise no_cursor()
    if cursor is None:
        begun = kind == "case" and name is not None
        moment = moment_of(value) if begun and value is not None else None
        place = Place(moment, text_of(name)) if begun else None
        cases, cursor = _cases(office, key, place, asked.limit - len(items))
        items += cases
    return json_answer(WaitingList(items=items, next_cursor=cursor))


def _notifications(
    office: ApiOffice, key: ApiKey, after: tuple[datetime, str] | None, limit: int
) -> list[WaitingNotification]:
    if key.merchants is not None:
        return []
    found = Inbox(office.store).waiting(after, limit)
    return [WaitingNotification.model_validate(line.model_dump()) for line in found]


def _cases(
    office: ApiOffice, key: ApiKey, place: Place | None, limit: int
) -> tuple[list[WaitingCase], str | None]:
    """Cases that fit on the page; where none fits any more, the next page begins with them."""
    if limit == 0:
        return [], cursor_of("case", None, None)
    wanted = CaseFilter(
        status=Status.AWAITING_NOTICE.value, merchants=key.merchants, limit=limit, after=place
    )
    page = office.reads.page(wanted)
    statuses = map(CaseStatus.model_validate_json, page.statuses)
    cases = [
        WaitingCase(
            dispute_id=it.dispute_id,
            merchant_id=it.merchant_id,
            payment_id=it.payment_id,
            attention=it.attention,
        )
        for it in statuses
    ]
    return cases, cursor_of("case", page.next.value, page.next.case_id) if page.next else None
