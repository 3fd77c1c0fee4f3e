"""What merchants and shoppers are to be told, for whoever delivers it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from disputes.fields import Name
from disputes.notices import Audience, Notice
from starter.api import documents
from starter.api.access import Viewer
from starter.api.office import office_of
from starter.api.once import json_answer
from starter.api.paging import MOST

router = APIRouter(tags=["notices"])


class NoticeQuery(BaseModel):
    """Which notices to read."""

    model_config = ConfigDict(extra="forbid")

    audience: Audience | None = Field(default=None, description="Only for these.")
    after: Name | None = Field(
        default=None, description="`notice_id` of the last one that was read."
    )
    limit: int = Field(default=50, ge=1, le=MOST, description="How many at most.")


class NoticeList(BaseModel):
    """Notices in the order in which they were told; go on after the last one's ``notice_id``."""

    items: list[Notice]


@router.get(
    "/v1/notices",
    summary="Read what merchants and shoppers are to be told, oldest first",
    responses=documents.reads(NoticeList, "Notices; none: nothing new."),
)
def list_notices(request: Request, key: Viewer, asked: Annotated[NoticeQuery, Query()]) -> Response:
    """Read the outbox: each notice is told once, and stays."""
    found = office_of(request).notices.told(
        audience=asked.audience, merchants=key.merchants, after=asked.after, limit=asked.limit
    )
    return json_answer(NoticeList(items=found))
