import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from disputes.gateway.wire import (
    AmountNotRepresentable,
    Answer,
    Entry,
    minor_of,
    moment_of,
    wire_amount,
)
from disputes.money import decimals
from disputes.vocabulary import PaymentType

ID = "5f0c1d2e3b4a59687766554433221100"
REFERENCED = "00112233445566778899aabbccddeeff"


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (9200, "EUR", "92.00"),
        (1, "EUR", "0.01"),
        (5000, "JPY", "5000.00"),
        (1250, "KWD", "1.25"),
        (10, "KWD", "0.01"),
        (15500, "CLF", "1.55"),
        (99999999999999, "USD", "999999999999.99"),
    ],
)
def test_amounts_are_written_with_two_decimals_and_read_back_to_the_same(
    minor: int, currency: str, text: str
) -> None:
    assert wire_amount(minor, currency) == text
    assert minor_of(text, currency) == minor


@pytest.mark.parametrize(("minor", "currency"), [(1255, "KWD"), (1, "BHD"), (15501, "CLF")])
def test_an_amount_that_would_lose_value_is_not_written(minor: int, currency: str) -> None:
    assert decimals(currency) > 2
    with pytest.raises(AmountNotRepresentable):
        wire_amount(minor, currency)


@pytest.mark.parametrize("minor", [0, -1, 10**14])
def test_amounts_outside_the_wires_range_are_not_written(minor: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        wire_amount(minor, "EUR")


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1.50", "JPY"),
        ("1,50", "EUR"),
        ("-1.00", "EUR"),
        ("1.5", "EUR"),
        ("1e3", "EUR"),
        ("1.000", "KWD"),
        ("\u0661.00", "EUR"),
        ("", "EUR"),
        ("1.00", "XXX"),
        ("1.00\n", "EUR"),
    ],
)
def test_amounts_that_are_not_the_gateways_are_not_read(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"amount|currency"):
        minor_of(text, currency)


def test_both_forms_of_timestamps_are_read_and_others_are_left_out() -> None:
    assert moment_of("2026-03-22 01:12:17+0000") == datetime(2026, 3, 22, 1, 12, 17, tzinfo=UTC)
    assert moment_of("2026-03-22 03:12:17.486+0200") == datetime(
        2026, 3, 22, 1, 12, 17, 486000, tzinfo=UTC
    )
    assert moment_of("22.03.2026") is None
    assert moment_of("0001-01-01 00:00:00+2359") is None


def test_a_capture_is_read_whatever_new_fields_come_with_it() -> None:
    answer = {
        "id": ID,
        "referencedId": REFERENCED,
        "paymentType": "CP",
        "amount": "4000.00",
        "currency": "EUR",
        "descriptor": "1234.5678.9012 Channel ",
        "merchantTransactionId": "order-7-cp",
        "result": {"code": "000.100.112", "description": "done", "randomField99": "new"},
        "resultDetails": {"AcquirerResponse": "00", "nested": [{"deep": None}]},
        "timestamp": "2026-03-22 01:12:17.486+0000",
        "somethingNew": {"a": 1},
    }
    assert Answer.model_validate_json(json.dumps(answer)).entry() == Entry(
        result_code="000.100.112",
        id=ID,
        payment_type=PaymentType.CP,
        amount_minor=400000,
        currency="EUR",
        referenced_id=REFERENCED,
        merchant_transaction_id="order-7-cp",
        timestamp=datetime(2026, 3, 22, 1, 12, 17, 486000, tzinfo=UTC),
    )


def test_only_the_result_code_must_be_there() -> None:
    assert Answer.model_validate_json('{"result":{"code":"800.900.300"}}').entry() == Entry(
        "800.900.300"
    )


def test_a_kind_that_the_engine_does_not_use_is_kept_without_a_type() -> None:
    answer = Answer.model_validate(
        {"result": {"code": "000.000.000"}, "id": ID, "paymentType": "3D"}
    )
    assert [entry.payment_type for entry in answer.entries()] == [None]


def test_a_list_is_read_with_the_answers_own_transaction_first() -> None:
    code = {"code": "000.100.110"}
    own = {"id": ID, "paymentType": "DB", "result": code}
    linked = {"id": REFERENCED, "paymentType": "CB", "referencedId": ID, "result": code}
    answer = Answer.model_validate_json(json.dumps(own | {"payments": [linked]}))
    assert [entry.id for entry in answer.entries()] == [ID, REFERENCED]


def test_a_list_with_a_hole_is_not_read() -> None:
    payments = [{"id": ID, "result": {"code": "000.100.110"}}]
    answer = Answer.model_validate({"result": {"code": "000.000.100"}, "payments": payments})
    with pytest.raises(ValueError, match="no type"):
        answer.entries()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '"000.100.110"',
        "{}",
        '{"result":null}',
        '{"result":{"code":100}}',
        '{"result":{"code":"000.100.110"},"amount":92.0}',
        '{"result":{"code":"000.100.110"}',
        '{"result":{"code":"000.100.110"},"payments":{}}',
        '{"a":' * 5000,
    ],
)
def test_what_is_not_an_answer_is_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        Answer.model_validate_json(body)
