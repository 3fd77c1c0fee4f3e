"""The packet as PDF: what a person reads in it, and what an auditor checks."""

import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pypdf
import pytest
import pytest_asyncio

from starter.api.keys import Role
from tests.support.api import Api, key_of, run_api
from tests.support.engine import Engine

#: Marks of the typesetter's own language, which are only text here, and three scripts.
TYPED = '#panic("no") *x* $y$ `z`\n= Zażółć gęślą jaźń, Ελλάδα, Доставка\n  two spaces'


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API on the engine; ``other`` sees another merchant's cases only."""
    other = key_of("other", (Role.VIEWER,), merchants=("M-9",))
    async with run_api(engine_process.env, tmp_path_factory.mktemp("api"), other) as api:
        yield api


async def _opened(api: Api, engine: Engine, **changes: object) -> str:
    notice = await engine.notice(**changes)
    await (await api.as_("door")).post("/v1/disputes", json=notice)
    await engine.settled(engine.handle(notice["dispute_id"]), 1)
    return f"/v1/disputes/{notice['dispute_id']}"


async def _pdf(client: httpx.AsyncClient, path: str) -> pypdf.PdfReader:
    answer = await client.get(f"{path}/packet.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert f'filename="{path.rpartition("/")[2]}.pdf"' in answer.headers["content-disposition"]
    return pypdf.PdfReader(io.BytesIO(answer.content))


def _text(pdf: pypdf.PdfReader) -> str:
    return "\n".join(page.extract_text() for page in pdf.pages)


async def _represented(api: Api, path: str, **more: object) -> dict[str, Any]:
    """Add what is missing and submit; gives the case's status."""
    ann = await api.as_("ann")
    missing = (await ann.post(f"{path}/representment", json={})).json()["missing"]
    for kind in missing:
        await ann.post(f"{path}/evidence", json={"evidence_type": kind, "text": TYPED, **more})
    sent = await ann.post(f"{path}/representment", json={"narrative": "It was delivered."})
    assert sent.status_code == 200
    status: dict[str, Any] = (await ann.get(f"{path}?live=true")).json()
    return status


async def test_a_draft_says_that_it_is_one(api: Api, engine: Engine) -> None:
    path = await _opened(api, engine)
    text = _text(await _pdf(await api.as_("eve"), path))
    for told in ("Draft", "92.00 EUR", "visa", "None."):
        assert told in text
    assert "Submitted" not in text


async def test_a_submitted_packet_reads_as_it_was_written_and_proves_itself(
    api: Api, engine: Engine
) -> None:
    path = await _opened(api, engine)
    status = await _represented(api, path)
    eve = await api.as_("eve")
    pdf = await _pdf(eve, path)
    text = _text(pdf)
    for told in ("It was delivered.", *TYPED.splitlines(), status["packet_sha256"]):
        assert told.strip() in text
    assert "Draft" not in text
    (content,) = pdf.attachments["packet.json"]
    assert hashlib.sha256(content).hexdigest() == status["packet_sha256"]
    once, again = [(await eve.get(f"{path}/packet.pdf")).content for _ in range(2)]
    assert once == again
    # Tomorrow too: what time it bears is that of the submission.
    submitted = datetime.fromisoformat(status["submitted_at"]).replace(microsecond=0)
    assert pdf.metadata is not None
    assert pdf.metadata.creation_date == submitted


async def test_a_word_without_end_stays_on_the_paper(api: Api, engine: Engine) -> None:
    path = await _opened(api, engine)
    await _represented(api, path, text="W" * 5_000 + "THE-END")
    lines = _text(await _pdf(await api.as_("eve"), path)).splitlines()
    # So many of the widest letter are as wide as the page between its margins.
    assert max(line.count("W") for line in lines) < 50
    assert sum(line.count("W") for line in lines) >= 5_000
    assert "THE-END" in "".join(lines)


@pytest.mark.parametrize("text", ["\u202e\x1f\u0323\u0171", "\u202e\x1f\u0323\u0171" * 5_000])
async def test_text_that_stops_the_typesetter_is_told_by_its_numbers(
    api: Api, engine: Engine, text: str
) -> None:
    """A change of direction, a control character and a mark without its letter: it panics."""
    path = await _opened(api, engine)
    status = await _represented(api, path, text=text)
    pdf = await _pdf(await api.as_("eve"), path)
    told = _text(pdf)
    for number in ("202e", "1f", "323", "171"):
        assert f"\\u{{{number}}}" in told
    assert "92.00 EUR" in told
    (content,) = pdf.attachments["packet.json"]
    assert hashlib.sha256(content).hexdigest() == status["packet_sha256"]


async def test_who_may_not_see_the_case_sees_no_packet(api: Api, engine: Engine) -> None:
    path = await _opened(api, engine)
    hidden = await (await api.as_("other")).get(f"{path}/packet.pdf")
    assert (hidden.status_code, hidden.json()["type"]) == (404, "NotFound")
    assert (await (await api.as_("door")).get(f"{path}/packet.pdf")).status_code == 403
    unknown = await (await api.as_("eve")).get("/v1/disputes/D-nobody/packet.pdf")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "NotFound")


async def test_a_case_without_its_notice_has_nothing_to_answer(api: Api) -> None:
    bank, eve = await api.as_("bank"), await api.as_("eve")
    ruling = {"ruling_id": "R-1", "outcome": "merchant_won"}
    told = ruling | {"decided_at": datetime.now(UTC).isoformat()}
    assert (await bank.post("/v1/disputes/D-unseen/rulings", json=told)).status_code == 202
    # Until the worker has written the ruling down, nobody knows the case.
    while (refused := await eve.get("/v1/disputes/D-unseen/packet.pdf")).status_code == 404:
        pass
    assert (refused.status_code, refused.json()["type"]) == (409, "IllegalTransition")
    assert "awaiting_notice" in refused.json()["detail"]
