import csv
import json
import re
from importlib.resources import files

import pytest

from disputes.gateway.codes import Verdict, classify, explain
from disputes.vocabulary import PaymentType

DATA = files("disputes.gateway") / "data"
ROWS = list(csv.DictReader((DATA / "result_codes.csv").read_text("utf-8").splitlines()))
GROUPS = json.loads((DATA / "result_code_groups.json").read_text("utf-8"))["groups"]

#: Codes after which anything may have happened: none of them may ever read as a decline.
UNCERTAIN = """900.100.100 900.100.200 900.100.201 900.100.203 900.100.204 900.100.205 900.100.300
900.100.400 900.100.500 900.100.600 900.100.700 900.200.100 900.300.600 900.400.100 999.999.888
999.999.999 600.100.100 800.500.110 800.600.100 800.700.100 800.120.402 100.396.104 100.400.065
100.400.085 100.400.045 100.380.501 100.395.502""".split()
SPECIAL = {
    "900.100.310": Verdict.NOT_SENT,
    "900.100.301": Verdict.REVERSED,
    "800.120.100": Verdict.THROTTLED,
    "800.800.400": Verdict.BACK_OFF,
    "800.800.800": Verdict.BACK_OFF,
    "800.800.801": Verdict.BACK_OFF,
    "000.400.030": Verdict.MANUAL,
    "800.110.100": Verdict.DUPLICATE,
    "800.130.100": Verdict.DUPLICATE,
    "200.200.106": Verdict.DUPLICATE,
    "200.300.405": Verdict.DUPLICATE,
    **dict.fromkeys(UNCERTAIN, Verdict.UNKNOWN),
}
MOVED = {"success", "success_manual_review"}
OPEN = {"pending", "pending_long"}


def _expected(code: str, group: str, description: str) -> Verdict:
    if code in SPECIAL:
        return SPECIAL[code]
    if group in MOVED or description.startswith("Transaction succeeded"):
        return Verdict.SUCCESS
    if group in OPEN:
        return Verdict.PENDING
    return Verdict.UNKNOWN if group == "chargeback" else Verdict.REFUSED


def test_every_listed_code_has_the_verdict_of_its_group_or_its_own() -> None:
    assert len(ROWS) == 671
    wrong = {
        row["code"]: classify(row["code"], PaymentType.RF)
        for row in ROWS
        if classify(row["code"], PaymentType.RF)
        is not _expected(row["code"], row["group"], row["description"])
    }
    assert wrong == {}


def test_only_two_listed_codes_allow_to_send_again_without_asking() -> None:
    safe = {Verdict.NOT_SENT, Verdict.REVERSED}
    assert {row["code"] for row in ROWS if classify(row["code"], PaymentType.CB) in safe} == {
        "900.100.301",
        "900.100.310",
    }


def test_texts_that_speak_of_a_timeout_are_no_decline_unless_a_session_ended() -> None:
    ended = {"100.395.501", "100.396.103", "800.100.303"}
    speaks = re.compile(r"time[d ]?-?out|uncertain|ambiguous|unexpected|UNDEFINED")
    declined = {
        row["code"]
        for row in ROWS
        if speaks.search(row["description"])
        and classify(row["code"], PaymentType.RB) is Verdict.REFUSED
    }
    assert declined <= ended


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r["group"] == "chargeback"], ids=lambda r: r["code"]
)
def test_a_chargeback_that_answers_with_its_reason_is_booked(row: dict[str, str]) -> None:
    assert classify(row["code"], PaymentType.CB) is Verdict.SUCCESS


@pytest.mark.parametrize("payment_type", sorted(set(PaymentType) - {PaymentType.CB}))
def test_a_chargeback_reason_proves_nothing_on_another_type(payment_type: PaymentType) -> None:
    assert classify("000.100.220", payment_type) is Verdict.UNKNOWN


@pytest.mark.parametrize("code", ["000.100.211", "000.100.212"])
def test_a_success_in_the_chargeback_group_is_a_success_on_every_type(code: str) -> None:
    assert {classify(code, payment_type) for payment_type in PaymentType} == {Verdict.SUCCESS}


@pytest.mark.parametrize("code", ["000.400.101", "000.400.103", "000.400.113", "000.400.107"])
def test_rejections_that_look_like_successes_are_never_successes(code: str) -> None:
    assert classify(code, PaymentType.DB) is not Verdict.SUCCESS


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("000.100.113", Verdict.SUCCESS),
        ("000.200.777", Verdict.PENDING),
        ("000.100.277", Verdict.UNKNOWN),
        ("800.100.999", Verdict.UNKNOWN),
        ("700.400.999", Verdict.UNKNOWN),
        ("900.100.999", Verdict.UNKNOWN),
        ("555.555.555", Verdict.UNKNOWN),
    ],
)
def test_a_code_outside_the_list_is_never_a_decline(code: str, verdict: Verdict) -> None:
    assert classify(code, PaymentType.RF) is verdict


@pytest.mark.parametrize(
    "code",
    [
        "",
        "000.100.1",
        "000.100.110\n",
        " 000.100.110",
        "000.100.1100",
        "\u0660\u0660\u0660.100.110",
        "OK",
    ],
)
def test_what_is_no_code_is_unknown(code: str) -> None:
    assert classify(code, PaymentType.CB) is Verdict.UNKNOWN


def test_listed_groups_are_those_of_the_published_patterns() -> None:
    for row in ROWS:
        matching = [g["group"] for g in GROUPS if re.match(g["regex"], row["code"])]
        assert matching == ([] if row["group"] == "unlisted" else [row["group"]]), row["code"]


def test_an_explanation_names_text_group_and_next_step() -> None:
    assert explain("900.100.300") == {
        "code": "900.100.300",
        "description": "timeout, uncertain result",
        "group": "rejected_communication",
        "action": "ask the gateway what happened before anything else is sent",
    }
    assert "chargeback (CB)" in explain("000.100.220")["action"]
    assert explain("000.100.211")["action"] == explain("000.100.110")["action"]
    assert explain("123.456.789")["group"] == "unlisted"
    assert "not in the list" in explain("nonsense")["description"]
