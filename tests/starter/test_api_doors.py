"""Who may come in, what is refused before any case hears of it, and in which words."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from disputes.errors import ConfigurationError
from starter.api.guard import MAX_BODY_BYTES, Guard
from starter.api.keys import KeyRing, Role, entry_of
from starter.api.metrics import Metrics
from tests.support.api import Api, key_of, run_api
from tests.support.command import disputes
from tests.support.engine import Engine

CARD = "4111 1111 1111 1111"


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API with one key more that has few requests."""
    slow = key_of("slow", (Role.VIEWER,), per_minute=2)
    async with run_api(engine_process.env, tmp_path_factory.mktemp("api"), slow) as api:
        yield api


def _is_problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["status"], told["type"]) == (status, status, kind)
    return told


async def test_nobody_comes_in_without_a_known_key(api: Api) -> None:
    client = await api.as_(None)
    for headers in ({}, {"Authorization": "Bearer dk_guess"}, {"Authorization": "Basic YTpi"}):
        answer = await client.get("/v1/disputes", headers=headers)
        _is_problem(answer, 401, "Unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("name", "method", "path", "allowed"),
    [
        ("eve", "GET", "/v1/disputes", True),
        ("ann", "GET", "/v1/disputes", True),
        ("door", "GET", "/v1/disputes", False),
        ("bank", "GET", "/v1/ledger/entries", False),
        ("eve", "POST", "/v1/disputes/D-none/notes", False),
        ("ann", "POST", "/v1/disputes/D-none/notes", True),
        ("ann", "POST", "/v1/disputes/D-none/approvals/D-none-A1", False),
        ("bob", "POST", "/v1/disputes/D-none/approvals/D-none-A1", True),
        ("ann", "POST", "/v1/disputes/D-none/rulings", False),
        ("bank", "POST", "/v1/disputes/D-none/rulings", True),
        ("ann", "POST", "/v1/disputes", False),
        ("door", "POST", "/v1/disputes", True),
        ("bob", "POST", "/v1/disputes/D-none/operations/k/resolution", False),
        ("root", "POST", "/v1/disputes/D-none/operations/k/resolution", True),
        ("root", "GET", "/v1/disputes", True),
    ],
)
async def test_a_key_does_what_its_roles_allow(
    api: Api,
    name: str,
    method: str,
    path: str,
    allowed: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    client = await api.as_(name)
    answer = await client.request(method, path, json={} if method == "POST" else None)
    assert (answer.status_code != 403) is allowed
    if not allowed:
        _is_problem(answer, 403, "Forbidden")


async def test_a_key_that_knocks_too_often_is_told_when_to_come_again(api: Api) -> None:
    client = await api.as_("slow")
    answers = [await client.get("/v1/disputes?limit=1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    _is_problem(answers[-1], 429, "TooManyRequests")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 30


@pytest.mark.parametrize(
    ("content", "status", "kind", "said"),
    [
        (b"{", 400, "MalformedJson", "not valid JSON"),
        (b"\xff", 400, "MalformedJson", "not valid JSON"),
        (b'{"text": NaN}', 400, "MalformedJson", "not valid JSON"),
        (b'{"text": 1e999}', 400, "MalformedJson", "not valid JSON"),
        (b"[" * 100_000, 400, "MalformedJson", "nested too deeply"),
        (b'{"text": "a", "text": "b"}', 422, "InvalidMessage", "twice"),
        (b"[]", 422, "InvalidMessage", "one JSON object"),
        (b'{"text": 5}', 422, "InvalidMessage", "text"),
        (b'{"text": "a", "txet": "b"}', 422, "InvalidMessage", "txet"),
        (f'{{"text": "card {CARD}"}}'.encode(), 422, "InvalidMessage", "card number"),
        (f'{{"\\ud800": "{CARD}"}}'.encode(), 422, "InvalidMessage", "card number"),
        (b'{"text": "' + b"a" * MAX_BODY_BYTES + b'"}', 413, "TooLarge", "bytes"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_the_field_and_never_the_value(
    api: Api, content: bytes, status: int, kind: str, said: str
) -> None:
    client = await api.as_("ann")
    headers = {"content-type": "application/json"}
    answer = await client.post("/v1/disputes/D-1/notes", content=content, headers=headers)
    told = _is_problem(answer, status, kind)
    assert said in told["detail"]
    assert CARD not in answer.text


@pytest.mark.parametrize(
    ("charset", "status", "kind"),
    [
        (None, 422, "InvalidMessage"),
        ("utf-8", 422, "InvalidMessage"),
        ("utf-7", 422, "InvalidMessage"),
        ("raw_unicode_escape", 422, "InvalidMessage"),
        ("undefined", 400, "MalformedForm"),
    ],
)
async def test_evidence_that_is_no_text_is_refused_before_it_gets_an_id(
    api: Api, charset: str | None, status: int, kind: str
) -> None:
    """Half of a pair (U+D83D), in JSON, and in forms that say to be written in a strange way."""
    client = await api.as_("ann")
    content, media_type = rb'{"evidence_type": "invoice", "text": "\ud83d"}', "application/json"
    if charset:
        # Whatever the charset, one of the two is no field's name.
        parts = (("evidence_type", "invoice"), ("+2AA-", "x"), (r"\ud83d", "x"))
        form = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in parts
        )
        content = f"{form}--x--\r\n".encode()
        media_type = f"multipart/form-data; boundary=x; charset={charset}"
    headers = {"content-type": media_type}
    answer = await client.post("/v1/disputes/D-1/evidence", content=content, headers=headers)
    _is_problem(answer, status, kind)


@pytest.mark.parametrize(
    "of", ["disputes/D-1", f"preauthorizations/{'a' * 32}", "refunds/R-1", "payouts/P-1"]
)
async def test_a_proof_with_a_nul_is_refused_by_name(api: Api, of: str) -> None:
    """The books could not keep it; its line breaks they can."""
    where, word = f"/v1/{of}/operations/K/resolution", {"resolution": "happened"}
    client = await api.as_("root")
    told = await client.post(where, json=word | {"proof": "seen\0"})
    assert list(_is_problem(told, 422, "InvalidMessage")["fields"]) == ["proof"]
    _is_problem(await client.post(where, json=word | {"proof": "seen\ntwice"}), 404, "NotFound")


@pytest.mark.parametrize("order", [("file", "text"), ("text", "file")])
async def test_a_form_with_a_file_and_a_text_loses_neither(api: Api, order: Sequence[str]) -> None:
    parts = {"file": ("a.txt", b"of the file"), "text": (None, b"of the form")}
    files = {"evidence_type": (None, b"invoice"), **{name: parts[name] for name in order}}
    client = await api.as_("ann")
    answer = await client.post("/v1/disputes/D-1/evidence", files=files)
    told = _is_problem(answer, 422, "InvalidMessage")
    assert list(told["fields"]) == ["text"]


async def test_a_body_that_says_nothing_of_its_length_is_bounded_too(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(40):
            yield b"a" * 65_536

    client = await api.as_("ann")
    headers = {"content-type": "application/json"}
    answer = await client.post("/v1/disputes/D-1/notes", content=endless(), headers=headers)
    _is_problem(answer, 413, "TooLarge")


async def test_a_wrong_query_names_its_field(api: Api) -> None:
    client = await api.as_("eve")
    queries = {
        "status=lots": "status",
        "limit=0": "limit",
        "statsu=won": "statsu",
        "q=%00": "q",
        "due_before=yesterday": "due_before",
        "cursor=abc": "cursor",
        "cursor=WyJhbW91bnQiLDEsIkQiXQ": "cursor",  # another list's
        "merchant_id=a%20b": "merchant_id",
    }
    for query, field in queries.items():
        told = _is_problem(await client.get(f"/v1/disputes?{query}"), 422, "InvalidMessage")
        assert list(told["fields"]) == [field]
    for path in ("/v1/disputes/a%20b", "/v1/payments/x", "/v1/reconciliations/today"):
        _is_problem(await client.get(path), 422, "InvalidMessage")
    _is_problem(await client.get("/v1/nothing"), 404, "NotFound")


async def test_a_method_that_is_not_taken_is_told_all_that_are(api: Api) -> None:
    """Of every route with the address (RFC 9110), and with or without a key."""
    addresses = {
        "/v1/disputes": "GET, POST",
        "/v1/disputes/D-1": "GET",
        "/v1/disputes/feed": "GET, POST",  # a case may be called so
        "/v1/disputes/D-1/evidence/EV-1": "DELETE",
        "/healthz": "GET",
    }
    for path, allowed in addresses.items():
        for name in ("eve", None):
            answer = await (await api.as_(name)).put(path)
            _is_problem(answer, 405, "MethodNotAllowed")
            assert answer.headers["allow"] == allowed
    head = await (await api.as_("eve")).head("/v1/disputes")
    assert (head.status_code, head.headers["allow"]) == (405, "GET, POST")


async def test_answers_keep_browsers_and_caches_out(api: Api) -> None:
    client = await api.as_("eve")
    for path in ("/v1/disputes", "/v1/nothing", "/healthz"):
        headers = (await client.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers or "uvicorn" in headers["server"]


async def test_health_needs_no_key_and_counts_name_no_case(api: Api) -> None:
    client = await api.as_(None)
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"database": "ok", "temporal": "ok"}
    await (await api.as_("eve")).get("/v1/disputes/D-never-seen")
    counted = (await client.get("/metrics")).text
    line = (
        'disputes_api_requests_total{method="GET",route="/v1/disputes/{dispute_id}",status="404"}'
    )
    assert line in counted
    assert "D-never-seen" not in counted


async def test_a_fault_of_ours_is_not_known_and_its_text_stays_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError(CARD)

    transport = httpx.ASGITransport(Guard(broken, Metrics()))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get("/")
    _is_problem(answer, 503, "Unreachable")
    assert "ValueError at" in caplog.text
    assert CARD not in caplog.text + answer.text


def test_a_file_of_keys_is_refused_with_the_place_and_never_the_value(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    ann = entry_of(key_of("ann", (Role.VIEWER,)))
    wrong = {
        "": "keys",
        "[[keys": "no TOML",
        ann + entry_of(key_of("Ann", (Role.VIEWER,))): "same name",
        ann.replace("viewer", "emperor"): "keys.0.roles",
        ann + "secret = 'hunter2'": "keys.0.secret",
        ann.replace('name = "ann"', 'name = "hunter2 !"'): "keys.0.name",
    }
    for text, said in wrong.items():
        file.write_text(text)
        with pytest.raises(ConfigurationError, match=said) as refused:
            KeyRing.load(file)
        assert "hunter2" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="No such file"):
        KeyRing.load(tmp_path / "none.toml")


async def test_a_new_key_is_shown_once_and_its_lines_open_the_door(
    tmp_path: Path, engine: Engine
) -> None:
    made = await disputes("api-key", "carol", "--role", "viewer", env=engine.env)
    secret = next(word for word in made.err.split() if word.startswith("dk_"))
    assert secret not in made.out
    file = tmp_path / "keys.toml"
    file.write_text(made.out)
    found = KeyRing.load(file).find(secret)
    assert found is not None
    assert (found.name, found.roles) == ("carol", frozenset({Role.VIEWER}))
    assert KeyRing.load(file).find(secret + "x") is None
    refused = await disputes("api-key", "a b", "--role", "viewer", env=engine.env)
    assert (refused.code, "name" in refused.err) == (1, True)
    no_file = await disputes("api", env=engine.env)
    assert (no_file.code, "DISPUTES_API_KEYS_FILE" in no_file.err) == (2, True)
