"""The portfolio over HTTP: whose cases, and in which words; on both databases."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from disputes.store.engine import Store, open_store
from disputes.store.migrations import migrate
from disputes.store.tables import CaseRow
from starter.api.keys import Role
from tests.support.api import Api, key_of, run_api

Json = dict[str, Any]
PATH = "/v1/portfolio"
SOON = datetime.now(UTC) + timedelta(hours=5)


@pytest_asyncio.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """Cases of two merchants in three currencies, and one of which nothing is known yet."""
    migrate(database_url)
    store = open_store(database_url)
    _put(store, "D-1", "M-1", "collecting", charged_back_minor=92_00, at_risk_minor=92_00)
    _put(store, "D-2", "M-1", "collecting", stage="pre_arbitration", respond_by=SOON)
    _put(store, "D-3", "M-2", "lost", written_off_minor=92_00, recovered_minor=-5)
    _put(store, "D-4", "M-2", "ready", currency="JPY", amount_minor=5000, respond_by=SOON)
    _put(store, "D-5", "M-2", "ready", currency="KWD", give_back_due_minor=1250)
    _put(store, "D-6", None, "awaiting_notice", currency="", amount_minor=0, needs_attention=True)
    store.close()
    env = {"DISPUTES_DATABASE_URL": database_url, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    fewer = key_of("fewer", (Role.VIEWER,), merchants=("M-2",))
    async with run_api(env, tmp_path, fewer) as api:
        yield api


def _put(store: Store, case_id: str, merchant: str | None, status: str, **more: object) -> None:
    base = {"stage": "chargeback", "currency": "EUR", "amount_minor": 92_00}
    shown = json.dumps({"dispute_id": case_id})
    row = CaseRow.model_validate(
        {"case_id": case_id, "merchant_id": merchant, "status": status, "status_json": shown}
        | base
        | more
    )
    with store.write() as session:
        session.add(row)


async def _portfolio(api: Api, name: str = "eve", query: str = "") -> Json:
    answer = await (await api.as_(name)).get(PATH + query)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


async def test_every_currency_is_told_in_its_own_decimals(api: Api) -> None:
    told = await _portfolio(api)
    assert (told["cases"], told["needs_attention"]) == (6, 1)
    by_currency = {it.pop("currency"): it for it in told["currencies"]}
    euro = by_currency["EUR"]
    assert euro.pop("by_status") == [
        {"status": "collecting", "stage": "chargeback", "cases": 1, "amount": "92.00"},
        {"status": "collecting", "stage": "pre_arbitration", "cases": 1, "amount": "92.00"},
        {"status": "lost", "stage": "chargeback", "cases": 1, "amount": "92.00"},
    ]
    assert euro == {
        "cases": 3,
        "amount": "276.00",
        "charged_back": "92.00",
        "at_risk": "92.00",
        "give_back_due": "0.00",
        "written_off": "92.00",
        "recovered": "-0.05",
    }
    assert by_currency["JPY"]["amount"] == "5000"
    assert by_currency["KWD"]["give_back_due"] == "1.250"
    assert (by_currency[None]["cases"], by_currency[None]["amount"]) == (1, "0")
    assert told["deadlines"] == {"overdue": 0, "within_24_h": 2, "within_3_d": 2, "within_7_d": 2}
    assert (told["operations_in_doubt"], told["approvals_waiting"]) == ([], 0)


async def test_a_key_sees_its_merchants_and_may_ask_for_one(api: Api) -> None:
    assert (await _portfolio(api, "fewer"))["cases"] == 3
    assert (await _portfolio(api, "eve", "?merchant_id=M-1"))["cases"] == 2
    nothing = await _portfolio(api, "fewer", "?merchant_id=M-1")
    assert (nothing["cases"], nothing["currencies"]) == (0, [])
    for name, status in (("door", 403), ("bank", 403), (None, 401)):
        assert (await (await api.as_(name)).get(PATH)).status_code == status
    for field, value in (("merchant_id", "no/id"), ("merchant", "M-1")):
        wrong = await (await api.as_("eve")).get(PATH, params={field: value})
        assert (wrong.status_code, list(wrong.json()["fields"])) == (422, [field])
