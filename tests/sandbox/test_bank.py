"""The issuing bank behind the sandbox: what it says it will send is what the contract reads."""

import json
from typing import Any

import pytest

from disputes.decode import decode
from disputes.fields import Durable
from disputes.messages import AddEvidence, BankRuling, NetworkEvent
from disputes.notice import DisputeNotice
from tests.sandbox.machine import Machine

MESSAGES: dict[str, type[Durable]] = {
    "dispute.opened": DisputeNotice,
    "dispute.evidence": AddEvidence,
    "dispute.ruling": BankRuling,
    "dispute.network_event": NetworkEvent,
}


def ask(machine: Machine, scenario: str, **more: object) -> dict[str, list[dict[str, Any]]]:
    asked = {
        "scenario": scenario,
        "payment_id": machine.pay(),
        "dispute_id": "D-1",
        "network": "visa",
        "reason_code": "13.1",
        "received_at": "2026-11-02T09:30:00Z",
    }
    answer = machine.http.post("/_sandbox/bank/disputes", json=asked | more)
    assert answer.status_code == 200, answer.text
    story: dict[str, list[dict[str, Any]]] = answer.json()
    return story


def test_every_scenario_speaks_the_contract(machine: Machine) -> None:
    scenarios = machine.http.get("/_sandbox/bank/scenarios").json()
    assert {"won", "won_lost_won", "ruling_before_notice", "rebill_then_late_win"} <= set(scenarios)
    for scenario in scenarios:
        lines = ask(machine, scenario)["feed"]
        assert lines[0]["type"] == "dispute.opened"
        for line in lines:
            decode(MESSAGES[line["type"]], json.dumps(line["data"]), edge=True)


def test_won_scenario_from_notice_to_ruling(machine: Machine) -> None:
    story = ask(machine, "won")
    kinds = [line["type"].removeprefix("dispute.") for line in story["feed"]]
    assert kinds == ["opened", "evidence", "evidence", "ruling"]
    assert story["feed"][0]["data"]["amount"] == {"amount": "92.00", "currency": "EUR"}
    assert story["feed"][-1]["data"]["decided_at"] == "2026-12-10T09:30:00Z"
    assert [line["command"] for line in story["desk"]] == ["submit_representment"]


def test_partial_win_names_the_merchants_share(machine: Machine) -> None:
    ruling = ask(machine, "partial_win")["feed"][-1]["data"]
    assert ruling["merchant_amount"] == {"amount": "36.80", "currency": "EUR"}


def test_repeated_ruling_is_the_same_line(machine: Machine) -> None:
    first, second = ask(machine, "duplicate_ruling")["feed"][-2:]
    assert first == second


def test_two_disputes_share_one_payment(machine: Machine) -> None:
    feed = ask(machine, "two_disputes_one_payment")["feed"]
    notices = [line["data"] for line in feed if line["type"] == "dispute.opened"]
    assert [notice["dispute_id"] for notice in notices] == ["D-1", "D-1-B"]
    assert [notice["amount"]["amount"] for notice in notices] == ["27.60", "36.80"]
    assert len({notice["payment_id"] for notice in notices}) == 1
    assert len({line["event_id"] for line in feed}) == len(feed)


@pytest.mark.parametrize(
    "wrong",
    [{"scenario": "no such"}, {"payment_id": "0" * 32}, {"network": "maestro"}, {"more": 1}],
)
def test_bank_says_what_it_cannot_read(machine: Machine, wrong: dict[str, object]) -> None:
    asked = {
        "scenario": "won",
        "payment_id": machine.pay(),
        "dispute_id": "D-1",
        "network": "visa",
        "reason_code": "13.1",
        "received_at": "2026-11-02T09:30:00Z",
    }
    answer = machine.http.post("/_sandbox/bank/disputes", json=asked | wrong)
    assert answer.status_code == 400
    assert next(iter(wrong)) in answer.json()["error"]
