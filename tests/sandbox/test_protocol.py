"""Credentials, forms, queries and limits, as the protocol says."""

import pytest

from tests.sandbox.machine import CARD, Machine, code, name

GOOD = {"paymentType": "DB", "amount": "92.00", "currency": "EUR", "card.number": CARD}


def test_wrong_token_or_entity(machine: Machine) -> None:
    for entity, token in [("sandbox", "wrong"), ("nobody", "sandbox"), ("", "sandbox")]:
        asked = {"entityId": entity, **GOOD}
        posted = machine.http.post(
            "/v1/payments", data=asked, headers={"Authorization": f"Bearer {token}"}
        )
        assert (posted.status_code, code(posted)) == (403, "800.900.300")
    assert machine.http.get("/v1/query", params={"entityId": "sandbox"}).status_code == 403


@pytest.mark.parametrize("amount", ["92.5", "92", "-1.00", "1,00", "1e2", "", "1234567890123.00"])
def test_malformed_amount_is_named(machine: Machine, amount: str) -> None:
    answer = machine.post("/v1/payments", **GOOD | {"amount": amount})
    assert (answer.status_code, code(answer)) == (400, "200.300.404")
    assert [e["name"] for e in answer.json()["result"]["parameterErrors"]] == ["amount"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"amount": "0.00"}, "100.550.300"),
        ({"amount": "99999999999.00"}, "100.550.301"),
        ({"amount": "5000.50", "currency": "JPY"}, "100.550.303"),
        ({"currency": "XXX"}, "100.550.401"),
        ({"card.number": "4444444444444444"}, "100.100.101"),
        ({"currency": "eur"}, "200.300.404"),
        ({"paymentType": "CB"}, "200.300.404"),
        ({"testMode": "LIVE"}, "200.300.404"),
        ({"merchantTransactionId": "x" * 256}, "200.300.404"),
    ],
)
def test_payment_refused_by_its_form(
    machine: Machine, change: dict[str, str], expected: str
) -> None:
    answer = machine.post("/v1/payments", **GOOD | change)
    assert (answer.status_code, code(answer)) == (400, expected)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("amount", "100.550.300"), ("currency", "200.300.404"), ("card.number", "100.150.100")],
)
def test_missing_field(machine: Machine, missing: str, expected: str) -> None:
    form = {key: value for key, value in GOOD.items() if key != missing}
    assert code(machine.post("/v1/payments", **form)) == expected


def test_registration_stands_in_for_a_card(machine: Machine) -> None:
    form = {key: value for key, value in GOOD.items() if key != "card.number"}
    answer = machine.post("/v1/payments", **form, registrationId="a" * 32)
    assert answer.json()["registrationId"] == "a" * 32


def test_card_number_is_never_shown_again(machine: Machine) -> None:
    debit = machine.pay()
    malformed = machine.post("/v1/payments", **GOOD | {"card.number": CARD + "x"})
    shown = [
        machine.get(f"/v1/query/{debit}").text,
        machine.http.get("/_sandbox/book").text,
        machine.http.get("/_sandbox/requests").text,
        malformed.text,
    ]
    assert machine.get(f"/v1/query/{debit}").json()["card"] == {
        "bin": CARD[:6],
        "last4Digits": CARD[-4:],
    }
    assert not any(CARD in text for text in shown)


def test_real_looking_card_number_is_refused_and_forgotten(machine: Machine) -> None:
    answer = machine.post("/v1/payments", **GOOD | {"card.number": "4539578763621486"})
    assert code(answer) == "100.100.101"
    assert "4539578763621486" not in answer.text


def test_success_code_follows_the_test_mode(machine: Machine) -> None:
    assert code(machine.post("/v1/payments", **GOOD)) == "000.100.110"
    external = machine.post("/v1/payments", **GOOD, testMode="EXTERNAL")
    assert code(external) == "000.100.112"


def test_chargeback_can_answer_with_its_reason(machine: Machine) -> None:
    machine.set(chargeback_answers_reason=True)
    debit = machine.pay()
    answer = machine.follow(debit, "CB", "92.00", **{"chargeback.reason": "000.100.220"})
    assert (answer.status_code, code(answer)) == (200, "000.100.220")
    assert machine.position(debit) == 0


def test_back_office_answer_names_its_reference_and_no_card(machine: Machine) -> None:
    debit, reference = machine.pay(), name()
    answer = machine.follow(debit, "CB", "92.00", merchantTransactionId=reference).json()
    assert answer["referencedId"] == debit
    assert answer["merchantTransactionId"] == reference
    assert answer["amount"] == "92.00"
    assert not {"card", "paymentBrand"} & answer.keys()


def test_query_by_reference_lists_all_that_share_it(machine: Machine) -> None:
    debit, reference = machine.pay(), name()
    for amount in ("10.00", "11.00"):
        machine.done(debit, "RF", amount, merchantTransactionId=reference)
    answer = machine.get("/v1/query", merchantTransactionId=reference)
    assert code(answer) == "000.000.100"
    assert [p["amount"] for p in answer.json()["payments"]] == ["10.00", "11.00"]


def test_query_shows_a_refusal_as_refused(machine: Machine) -> None:
    debit, reference = machine.pay(), name()
    machine.refused(debit, "RF", "93.00", merchantTransactionId=reference)
    found = machine.get("/v1/query", merchantTransactionId=reference).json()["payments"]
    assert [p["result"]["code"] for p in found] == ["700.400.200"]
    assert machine.kinds(debit) == ["DB"]


def test_query_with_linked_transactions_shows_the_whole_payment(machine: Machine) -> None:
    authorization = machine.pay("PA")
    capture = machine.done(authorization, "CP", "92.00")
    machine.done(capture, "CB", "92.00")
    answer = machine.get(f"/v1/query/{capture}", includeLinkedTransactions="true").json()
    assert [p["paymentType"] for p in answer["payments"]] == ["PA", "CP", "CB"]


def test_query_finds_nothing(machine: Machine) -> None:
    machine.set(entities={"sandbox": "sandbox", "other": "sandbox"})
    debit = machine.pay()
    for path, asked in [
        ("/v1/query/" + "0" * 32, {}),
        ("/v1/query", {"merchantTransactionId": name()}),
        (f"/v1/query/{debit}", {"entityId": "other"}),
    ]:
        answer = machine.get(path, **asked)
        assert (answer.status_code, code(answer)) == (400, "700.400.580")
    assert code(machine.get("/v1/query")) == "200.300.404"


def test_status_read_of_a_payment(machine: Machine) -> None:
    debit = machine.pay()
    assert machine.get(f"/v1/payments/{debit}").json()["id"] == debit
    assert code(machine.get("/v1/payments/" + "0" * 32)) == "200.300.404"


def test_third_query_of_a_minute_is_throttled_per_transaction(machine: Machine) -> None:
    machine.set(query_limit_per_minute=2, throttle_http_status=400)
    debit, other = machine.pay(), machine.pay()
    codes = [code(machine.get(f"/v1/query/{debit}")) for _ in range(3)]
    assert codes == ["000.100.110", "000.100.110", "800.120.100"]
    assert machine.get(f"/v1/query/{debit}").status_code == 400
    assert machine.get(f"/v1/query/{other}").status_code == 200


def test_posts_to_one_payment_are_throttled(machine: Machine) -> None:
    machine.set(post_limit_per_minute=1)
    debit = machine.pay()
    machine.done(debit, "RF", "1.00")
    answer = machine.follow(debit, "RF", "1.00")
    assert (answer.status_code, code(answer)) == (429, "800.120.100")
    assert machine.kinds(debit) == ["DB", "RF"]


def test_duplicate_references_are_accepted_unless_the_switch_says_no(machine: Machine) -> None:
    reference = name()
    debit = machine.pay(merchantTransactionId=reference)
    machine.done(debit, "RF", "1.00", merchantTransactionId=reference)
    machine.set(refuse_duplicates=True)
    assert machine.refused(debit, "RF", "1.00", merchantTransactionId=reference) == "800.110.100"
