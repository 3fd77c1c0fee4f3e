"""Whatever anybody sends by the OpenAPI document is answered as it says, and never by a fault."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from starter.api.problems import MEDIA_TYPE as PROBLEM
from starter.api.webhooks import PATH
from tests.support.api import Api, run_api, secret_of
from tests.support.engine import Engine
from tests.support.webhooks import KEY
from tests.workflows.payment_hands import PreAuth, Refund

# A feed is text to the generator: most of its lines are none that can be taken.
schemathesis.serializer.alias("application/jsonl", "text/plain")
Operation = APIOperation[Any, Any, Any, Any]
Request = Case[Any]
#: Requests to each route that fit the document, and as many that do not.
EACH = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API on the engine."""
    env = {**engine_process.env, "DISPUTES_WEBHOOK_KEYS": KEY}
    async with run_api(env, tmp_path_factory.mktemp("api")) as api:
        yield api


def _ask(url: str, known: Mapping[str, str], operation: Operation, mode: GenerationMode) -> int:
    """Send requests to one route, those that fit to what is ``known``; gives how many."""
    headers = {"Authorization": f"Bearer {secret_of('root')}"}
    sent = 0

    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def send(case: Request) -> None:
        nonlocal sent
        streams = operation.path.endswith("/events")  # of a case that is known they never end
        if mode is GenerationMode.POSITIVE and not streams:
            named = known.keys() & (case.path_parameters or {}).keys()
            case.path_parameters.update({name: known[name] for name in named})
        sent += 1
        with requests.Session() as session:
            answer = case.call(url, session=session, headers=headers, timeout=60)
            case.validate_response(answer, checks=CHECKS)

    with suppress(Unsatisfiable):  # nothing can be wrong with what takes nothing
        send()
    return sent


async def test_every_route_keeps_the_document(api: Api, engine: Engine) -> None:
    notice = await engine.notice()
    await engine.settled(await engine.open(notice), 1)
    refund, watched = await Refund.asked(engine), await PreAuth.opened(engine)
    await refund.result()
    known = {"dispute_id": notice["dispute_id"], "refund_id": refund.id, "payment_id": watched.id}
    schema = await asyncio.to_thread(schemathesis.openapi.from_url, f"{api.url}/openapi.json")
    sent = Counter[str]()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        for mode in GenerationMode:
            route = found.ok()
            asked = await asyncio.to_thread(_ask, api.url, known, route, mode)
            sent[f"{route.method} {route.path}"] += asked
    assert min(sent.values()) > 0
    assert sum(sent.values()) >= 500


async def test_the_document_is_whole(api: Api) -> None:
    """Each route says what it takes and gives, who may come in, and every POST shows an example."""
    document = (await (await api.as_(None)).get("/openapi.json")).json()
    open_doors = {"/healthz", "/readyz", "/metrics", PATH}
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert route["summary"]
            assert bool(route.get("security")) is (path not in open_doors)
            if method in ("post", "delete"):
                contents = route["requestBody"]["content"]
                assert any("example" in content for content in contents.values())
            if path == PATH:  # the envelope is the authentication
                assert {"200", "401", "413", "503"} <= set(route["responses"])
            elif path not in open_doors:
                assert {"401", "403", "422", "429", "503"} <= set(route["responses"])


async def test_the_document_tells_how_refusals_and_repeated_answers_look(api: Api) -> None:
    document = (await (await api.as_(None)).get("/openapi.json")).json()
    routes = [it for methods in document["paths"].values() for it in methods.values()]
    for route in routes:
        once = any(it["name"] == "Idempotency-Key" for it in route.get("parameters", []))
        for status, answer in route["responses"].items():
            headers = answer.get("headers", {})
            refused = answer.get("content", {}).keys() & {PROBLEM}
            assert not refused or list(answer["content"]) == [PROBLEM]
            assert not refused or ("Retry-After" in headers) is (status in ("409", "429", "503"))
            if status.startswith("2"):
                assert ("Idempotency-Replayed" in headers) is once
    assert "Problem" in document["components"]["schemas"]
