"""Whether the API lives, is ready, and what it counts; without a key, and without any case."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel
from sqlalchemy import text

from disputes.errors import ConfigurationError, Unreachable
from starter.api.metrics import MEDIA_TYPE
from starter.api.office import ApiOffice, office_of
from starter.api.once import json_answer

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What the API needs; without Temporal, reads go on and commands are answered by 503."""

    database: Literal["ok"] = "ok"
    temporal: Literal["ok", "away"]


@router.get("/healthz", summary="Whether the process lives", response_model=Health)
async def healthz() -> Response:
    """Answer."""
    return json_answer(Health())


@router.get(
    "/readyz",
    summary="Whether it can serve",
    response_model=Readiness,
    responses={503: {"description": "The database does not answer."}},
)
async def readyz(request: Request) -> Response:
    """Ask the database and Temporal; only the database must be there."""
    office = office_of(request)
    await asyncio.to_thread(_ask, office)
    try:
        async with asyncio.timeout(2):
            client = await office.temporal.client()
            there = await client.service_client.check_health()
    except (TimeoutError, Unreachable, ConfigurationError, RuntimeError):
        there = False
    return json_answer(Readiness(temporal="ok" if there else "away"))


def _ask(office: ApiOffice) -> None:
    with office.store.read() as session:
        session.connection().execute(text("SELECT 1"))


@router.get("/metrics", summary="Counts for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Tell what was counted since the process started."""
    return PlainTextResponse(office_of(request).metrics.text(), media_type=MEDIA_TYPE)
