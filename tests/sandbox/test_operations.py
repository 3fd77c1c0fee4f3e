"""The reference graph: what may follow what, and what it does to the merchant's position."""

import pytest

from tests.sandbox.machine import Machine, code

UNKNOWN = "0" * 32


def test_capture_in_parts_until_the_authorization_is_used_up(machine: Machine) -> None:
    authorization = machine.pay("PA", "100.00")
    assert machine.position(authorization) == 0

    machine.done(authorization, "CP", "60.00")
    machine.done(authorization, "CP", "30.00")

    assert machine.refused(authorization, "CP", "10.01") == "700.400.100"
    assert machine.position(authorization) == 9000


def test_reversal_releases_the_open_amount_once(machine: Machine) -> None:
    authorization = machine.pay("PA", "100.00")
    machine.done(authorization, "CP", "60.00")

    released = machine.follow(authorization, "RV").json()

    assert released["amount"] == "40.00"
    assert machine.refused(authorization, "RV") == "700.400.300"
    assert machine.refused(authorization, "CP", "0.01") == "700.400.100"
    assert machine.position(authorization) == 6000


def test_reversed_debit_leaves_nothing_and_takes_no_refund(machine: Machine) -> None:
    debit = machine.pay()
    machine.done(debit, "RV")
    assert machine.position(debit) == 0
    assert machine.refused(debit, "RF", "1.00") == "700.400.200"


def test_refunded_debit_cannot_be_reversed(machine: Machine) -> None:
    debit = machine.pay()
    machine.done(debit, "RF", "1.00")
    assert machine.refused(debit, "RV") == "700.400.300"


def test_refunds_in_parts_up_to_the_debit(machine: Machine) -> None:
    debit = machine.pay()
    machine.done(debit, "RF", "20.00")
    machine.done(debit, "RF", "72.00")
    assert machine.refused(debit, "RF", "0.01") == "700.400.200"
    assert machine.position(debit) == 0


def test_payout_takes_and_its_refund_gives_back(machine: Machine) -> None:
    payout = machine.pay("CD", "50.00")
    assert machine.position(payout) == -5000
    machine.done(payout, "RF", "50.00")
    assert machine.position(payout) == 0


def test_rebill_adds_to_the_debit_and_can_be_refunded_itself(machine: Machine) -> None:
    debit = machine.pay()
    rebill = machine.done(debit, "RB", "20.00")
    assert machine.position(debit) == 11200
    machine.done(rebill, "RF", "20.00")
    assert machine.position(debit) == 9200
    assert {entry["root_id"] for entry in machine.book(debit)} == {debit}


def test_rebill_needs_a_debit(machine: Machine) -> None:
    capture = machine.done(machine.pay("PA"), "CP", "92.00")
    assert machine.refused(capture, "RB", "20.00") == "700.100.700"


@pytest.mark.parametrize("kind", ["DB", "CP", "RB"])
def test_chargeback_of_every_presented_entry(machine: Machine, kind: str) -> None:
    root = machine.pay("PA" if kind == "CP" else "DB")
    entry = root if kind == "DB" else machine.done(root, kind, "92.00")
    before = machine.position(root)
    machine.done(entry, "CB", "92.00")
    assert machine.position(root) == before - 9200


def test_one_chargeback_per_payment(machine: Machine) -> None:
    debit = machine.pay()
    machine.done(debit, "CB", "40.00")
    assert machine.refused(debit, "CB", "10.00") == "700.400.400"
    assert machine.position(debit) == 5200


def test_chargeback_stays_within_what_was_not_refunded(machine: Machine) -> None:
    debit = machine.pay()
    machine.done(debit, "RF", "20.00")
    assert machine.refused(debit, "CB", "92.00") == "700.100.300"
    machine.done(debit, "CB", "72.00")
    assert machine.position(debit) == 0


@pytest.mark.parametrize("kind", ["RF", "RV"])
def test_charged_back_payment_takes_no_refund_and_no_reversal(machine: Machine, kind: str) -> None:
    debit = machine.pay()
    machine.done(debit, "CB", "40.00")
    assert machine.refused(debit, kind, "1.00") == "700.300.600"


def test_chargeback_reversal_in_parts_never_exceeds_the_chargeback(machine: Machine) -> None:
    debit = machine.pay()
    chargeback = machine.done(debit, "CB", "92.00")
    machine.done(chargeback, "CR", "40.00")
    assert machine.refused(chargeback, "CR", "52.01") == "700.400.410"
    machine.done(chargeback, "CR", "52.00")
    assert machine.refused(chargeback, "CR") == "700.400.410"
    assert machine.position(debit) == 9200


def test_reversal_on_a_reversal_alternates_direction(machine: Machine) -> None:
    """Won, lost again, won again: the position follows each turn."""
    debit = machine.pay()
    link = machine.done(debit, "CB", "92.00")
    positions = []
    for _ in range(3):
        link = machine.done(link, "CR", "92.00")
        positions.append(machine.position(debit))
    assert positions == [9200, 0, 9200]


def test_reversals_at_foot_and_tip_never_give_more_than_was_taken(machine: Machine) -> None:
    debit = machine.pay()
    chargeback = machine.done(debit, "CB", "92.00")
    undone = machine.done(machine.done(chargeback, "CR"), "CR")
    machine.done(chargeback, "CR", "92.00")
    assert machine.refused(undone, "CR", "92.00") == "700.400.410"
    assert machine.position(debit) == 9200


def test_reversal_without_a_chargeback(machine: Machine) -> None:
    assert machine.refused(machine.pay(), "CR", "92.00") == "700.400.420"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("CP", "700.400.510"),
        ("RV", "700.400.530"),
        ("RF", "600.200.500"),
        ("RB", "700.100.100"),
        ("CB", "700.400.550"),
        ("CR", "700.400.420"),
    ],
)
def test_unknown_reference(machine: Machine, kind: str, expected: str) -> None:
    assert machine.refused(UNKNOWN, kind, "1.00") == expected


@pytest.mark.parametrize(
    ("simulated", "kind", "expected"),
    [
        ("000.200.000", "CP", "700.400.570"),
        ("800.100.152", "CP", "700.300.200"),
        ("800.100.152", "CB", "700.400.550"),
    ],
)
def test_pending_and_rejected_payments_cannot_be_referenced(
    machine: Machine, simulated: str, kind: str, expected: str
) -> None:
    trigger = {"customParameters[SIM_resultCode]": simulated, "card.number": "4200000000000000"}
    answer = machine.post(
        "/v1/payments", paymentType="PA", amount="9.00", currency="EUR", **trigger
    )
    assert code(answer) == simulated
    assert machine.refused(answer.json()["id"], kind, "9.00") == expected


def test_wrong_currency_mode_and_entity(machine: Machine) -> None:
    machine.set(entities={"sandbox": "sandbox", "other": "sandbox"})
    debit = machine.pay()
    assert machine.refused(debit, "RF", "1.00", currency="USD") == "700.100.500"
    assert machine.refused(debit, "RF", "1.00", testMode="EXTERNAL") == "700.100.600"
    assert machine.refused(debit, "RF", "1.00", entityId="other") == "700.400.700"
    assert machine.kinds(debit) == ["DB"]


def test_every_currency_travels_with_two_decimals(machine: Machine) -> None:
    yen = machine.pay(amount="5000.00", currency="JPY")
    dinar = machine.pay(amount="1.25", currency="KWD")
    assert machine.book(yen)[0]["amount_minor"] == 5000
    assert machine.book(dinar)[0]["amount_minor"] == 1250
    assert machine.get(f"/v1/query/{dinar}").json()["amount"] == "1.25"


def test_acquirer_books_a_chargeback_and_its_turns_by_itself(machine: Machine) -> None:
    debit = machine.pay()
    link = debit
    for kind in ("CB", "CR", "CR"):
        own = {"payment_type": kind, "referenced_id": link}
        link = machine.http.post("/_sandbox/book", json=own).json()["id"]
    assert machine.position(debit) == 0
    assert machine.refused(debit, "CB", "92.00") == "700.400.400"


def test_payment_set_up_under_a_chosen_id(machine: Machine) -> None:
    wanted = {"id": "ab" * 16, "payment_type": "CP", "amount": "12.340", "currency": "KWD"}
    for _ in range(2):
        entry = machine.http.post("/_sandbox/payments", json=wanted).json()
        assert (entry["id"], entry["amount_minor"]) == ("ab" * 16, 12340)
    assert machine.kinds(entry["root_id"]) == ["PA", "CP"]
    other = machine.http.post("/_sandbox/payments", json=wanted | {"amount": "1.000"})
    assert other.status_code == 409
    finer = machine.http.post("/_sandbox/payments", json=wanted | {"amount": "1.005"})
    assert finer.status_code == 400
