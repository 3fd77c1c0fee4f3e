"""The example files: what the demo plays is complete, readable and reproducible."""

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from disputes.decode import decode
from disputes.errors import InvalidMessage
from disputes.fields import Durable
from disputes.messages import (
    AcceptLiability,
    AddEvidence,
    BankRuling,
    FileArbitration,
    NetworkEvent,
    RequestRebill,
    SubmitRepresentment,
)
from disputes.notice import DisputeNotice
from disputes.rulebook import load
from disputes.terms import Checklist
from disputes.vocabulary import Network
from tests.sandbox.machine import Machine

EXAMPLES = Path(__file__).parents[2] / "examples"
MESSAGES: dict[str, type[Durable]] = {
    "dispute.opened": DisputeNotice,
    "dispute.evidence": AddEvidence,
    "dispute.ruling": BankRuling,
    "dispute.network_event": NetworkEvent,
}
COMMANDS: dict[str, type[Durable]] = {
    "submit_representment": SubmitRepresentment,
    "accept_liability": AcceptLiability,
    "file_arbitration": FileArbitration,
    "request_rebill": RequestRebill,
}
Line = dict[str, Any]


def lines(name: str) -> list[str]:
    return (EXAMPLES / name).read_text("utf-8").splitlines()


def readable() -> list[Line]:
    """The feed's good lines; the bad ones have dispute ids of their own."""
    return [json.loads(line) for line in lines("feed.jsonl") if "D-900" not in line]


def notices() -> dict[str, Line]:
    return {
        line["data"]["dispute_id"]: line["data"]
        for line in readable()
        if line["type"] == "dispute.opened"
    }


def desk() -> list[Line]:
    return [json.loads(line) for line in lines("desk.jsonl")]


def moment(line: Line) -> str:
    known: dict[str, str] = line["data"] | line
    return next(
        known[name] for name in ("received_at", "decided_at", "occurred_at") if name in known
    )


def test_generator_gives_the_committed_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "sandbox.examples", str(tmp_path)], check=True)
    for name in ("payments.jsonl", "feed.jsonl", "desk.jsonl"):
        assert (tmp_path / name).read_bytes() == (EXAMPLES / name).read_bytes()


def test_feed_covers_networks_and_currencies() -> None:
    known = notices()
    assert len(known) >= 80
    assert {n["network"] for n in known.values()} == {
        "visa",
        "mastercard",
        "amex",
        "discover",
        "sepa_dd",
    }
    currencies = {n["amount"]["currency"] for n in known.values()}
    assert currencies >= {"EUR", "USD", "GBP", "JPY", "KWD"}


def test_every_scenario_is_played(machine: Machine) -> None:
    cast = (EXAMPLES.parent / "sandbox" / "cast.txt").read_text("utf-8").splitlines()
    played = {row.split()[2] for row in cast if not row.startswith("#")}
    assert played == set(machine.http.get("/_sandbox/bank/scenarios").json())


def test_every_good_line_can_be_taken() -> None:
    for line in readable():
        decode(MESSAGES[line["type"]], json.dumps(line["data"]), edge=True)
    for line in desk():
        if line["command"] != "approve":  # its request id is known only once the case asked
            decode(COMMANDS[line["command"]], json.dumps(line["data"]), edge=True)


def test_exactly_three_lines_cannot_be_taken() -> None:
    bad = [line for line in lines("feed.jsonl") if "D-900" in line]
    card, amount, broken = bad
    for line, field in [(card, "facts.description"), (amount, "amount")]:
        with pytest.raises(InvalidMessage) as refused:
            decode(DisputeNotice, json.dumps(json.loads(line)["data"]), edge=True)
        assert list(refused.value.fields) == [field]
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)


def test_feed_repeats_lines_and_is_out_of_order() -> None:
    repeated = [n for n in Counter(lines("feed.jsonl")).values() if n > 1]
    assert len(repeated) >= 10
    moments = [moment(line) for line in readable()]
    assert sum(a > b for a, b in pairwise(moments)) >= 20


def test_one_id_never_has_two_contents() -> None:
    contents: dict[str, Line] = {}
    for line in readable():
        assert contents.setdefault(line["event_id"], line) == line


def test_notices_arrive_within_an_hour() -> None:
    received = sorted(datetime.fromisoformat(n["received_at"]) for n in notices().values())
    assert received[-1] - received[0] < timedelta(hours=1)


def test_every_notice_gives_a_deadline_or_a_day_to_count_from() -> None:
    given = [("respond_by" in n, "processed_at" in n) for n in notices().values()]
    assert all(any(pair) for pair in given)
    assert {(True, True), (True, False), (False, True)} == set(given)


def test_every_payment_can_be_set_up_and_carries_its_disputes(machine: Machine) -> None:
    payments = [json.loads(line) for line in lines("payments.jsonl")]
    for payment in payments:
        answer = machine.http.post("/_sandbox/payments", json=payment)
        assert answer.status_code == 200, answer.text
        assert answer.json()["id"] == payment["payment_id"]
    by_id = {payment["payment_id"]: payment for payment in payments}
    for notice in notices().values():
        payment = by_id[notice["payment_id"]]
        assert payment["currency"] == notice["amount"]["currency"]
        assert payment["merchant_id"] == notice["merchant_id"]


def test_evidence_of_a_ruled_code_completes_its_checklist() -> None:
    given: dict[str, set[str]] = {}
    for line in readable():
        if line["type"] == "dispute.evidence" and ".evidence." in line["event_id"]:
            kinds = given.setdefault(line["dispute_id"], set())
            kinds.add(line["data"]["evidence_type"])
    known = notices()
    for dispute_id, kinds in given.items():
        notice = known[dispute_id]
        rules = load().checklist(Network(notice["network"]), notice["reason_code"])
        assert complete(rules, kinds), (notice["network"], notice["reason_code"])


def complete(rules: Checklist, kinds: set[str]) -> bool:
    return rules.ruled and any(
        set(path.all_of) <= kinds
        and all(kinds & set(group.types) for group in path.any_of)
        and (path.all_of or path.any_of)
        for path in rules.paths
    )


def test_rebills_are_of_debits_under_codes_that_are_no_fraud() -> None:
    kinds = {p["payment_id"]: p["payment_type"] for p in map(json.loads, lines("payments.jsonl"))}
    rebilled = [line for line in desk() if line["command"] == "request_rebill"]
    assert len(rebilled) >= 5
    known = notices()
    consents = {
        line["data"]["evidence_id"] for line in readable() if line["type"] == "dispute.evidence"
    }
    for line in rebilled:
        notice = known[line["dispute_id"]]
        reason = load().reason(Network(notice["network"]), notice["reason_code"])
        assert kinds[notice["payment_id"]] == "DB"
        assert reason is not None
        assert reason.category != "fraud"
        assert line["data"]["consent"]["evidence_id"] in consents
