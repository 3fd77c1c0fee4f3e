"""From bytes to messages: what is refused, by which field, and that no value is repeated."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disputes.card_data import REMOVED, find, redact, redact_tokens
from disputes.decode import decode
from disputes.errors import InvalidMessage
from disputes.messages import AddEvidence, AddNote, BankRuling, NetworkEvent
from disputes.money import Money, decimals, to_decimal, to_minor
from disputes.notice import DisputeNotice

CARD = "4111 1111 1111 1111"
NOTICE: dict[str, object] = {
    "dispute_id": "D-1001",
    "merchant_id": "M-1",
    "payment_id": "8ac7a4a09136ba2801913734d9e253d8",
    "stage": "chargeback",
    "network": "visa",
    "reason_code": "13.1",
    "amount": {"amount": "92.00", "currency": "EUR"},
    "received_at": "2026-11-02T09:30:00Z",
}


def faults(content: dict[str, object], *, edge: bool = True) -> dict[str, str]:
    with pytest.raises(InvalidMessage) as caught:
        decode(DisputeNotice, json.dumps(content), edge=edge)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.fields


def test_the_contracts_notice_is_read() -> None:
    notice = decode(DisputeNotice, json.dumps(NOTICE), edge=True)

    assert notice.amount.minor == 9200
    assert notice.received_at.isoformat() == "2026-11-02T09:30:00+00:00"


@pytest.mark.parametrize("field", NOTICE)
def test_what_is_required_is_named(field: str) -> None:
    content = {name: value for name, value in NOTICE.items() if name != field}

    assert faults(content) == {field: "is required"}


def test_unknown_fields_are_refused_at_the_edge_and_ignored_inside() -> None:
    amount = {"amount": "92.00", "currency": "EUR", "extra": 1}
    content = NOTICE | {"surprise": 1, "amount": amount}

    assert faults(content) == {
        "surprise": "is not a known field",
        "amount.extra": "is not a known field",
    }
    assert decode(DisputeNotice, json.dumps(content)).dispute_id == "D-1001"


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("network", "gloriouscard", "network"),
        ("stage", "limbo", "stage"),
        ("dispute_id", "D 1", "dispute_id"),
        ("dispute_id", "D" * 65, "dispute_id"),
        ("dispute_id", "-D", "dispute_id"),
        ("payment_id", "8AC7A4A09136BA2801913734D9E253D8", "payment_id"),
        ("merchant_id", 7, "merchant_id"),
        ("received_at", "2026-11-02T09:30:00", "received_at"),
        ("received_at", "1793611800", "received_at"),
        ("received_at", 1793611800, "received_at"),
        ("received_at", "0001-01-01T00:00:00+14:00", "received_at"),
        ("received_at", "9999-12-31T23:59:59Z", "received_at"),
        ("processed_at", "9999-12-31", "processed_at"),
        ("reason_code", "13.1\u0000", "reason_code"),
        ("alert_program", "magic", "alert_program"),
    ],
)
def test_a_bad_value_is_refused_by_its_field_and_not_repeated(
    field: str, value: object, named: str
) -> None:
    found = faults(NOTICE | {field: value})

    assert list(found) == [named]
    assert str(value) not in found[named]


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("92.5", "EUR"),
        ("92", "EUR"),
        ("92.000", "EUR"),
        ("-92.00", "EUR"),
        ("0.00", "EUR"),
        ("+92.00", "EUR"),
        ("9.2e1", "EUR"),
        ("1,000.00", "EUR"),
        (" 92.00", "EUR"),
        ("92.00", "eur"),
        ("92.00", "XXX"),
        ("5000.00", "JPY"),
        ("1.25", "KWD"),
        ("1234567890123.00", "EUR"),
        ("\u0669\u0662.\u0660\u0660", "EUR"),  # digits, but not ours
    ],
)
def test_money_that_is_not_exact_is_refused(amount: str, currency: str) -> None:
    found = faults(NOTICE | {"amount": {"amount": amount, "currency": currency}})

    assert list(found) == ["amount"]
    assert amount not in found["amount"]


@pytest.mark.parametrize("amount", [92, 92.0, None, "92.00", ["92.00"]])
def test_money_of_another_shape_is_refused(amount: object) -> None:
    assert all(name.startswith("amount") for name in faults(NOTICE | {"amount": amount}))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("92.00", "EUR", 9200), ("5000", "JPY", 5000), ("1.250", "KWD", 1250), ("0.01", "USD", 1)],
)
def test_money_has_its_currencys_decimals(amount: str, currency: str, minor: int) -> None:
    assert Money(amount=amount, currency=currency).minor == minor
    assert to_decimal(minor, currency) == amount


@given(
    minor=st.integers(1, 10**12 - 1),
    currency=st.sampled_from(["EUR", "JPY", "KWD", "CLF", "USD", "ISK"]),
)
def test_money_survives_the_way_out_and_back(minor: int, currency: str) -> None:
    text = to_decimal(minor, currency)

    assert to_minor(text, currency) == minor
    assert to_decimal(-minor, currency) == f"-{text}"
    assert len(text.partition(".")[2]) == decimals(currency)


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b'"x"', b"[" * 100_000, b'{"text": "\\ud800"}'],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidMessage):
        decode(AddNote, raw)


def test_a_message_nested_too_deeply_is_refused() -> None:
    nested = "[" * 5000 + "]" * 5000
    with pytest.raises(InvalidMessage):
        decode(AddNote, f'{{"author": "ann", "text": "x", "more": {nested}}}')


def test_a_partial_ruling_and_a_fee_need_their_amounts() -> None:
    ruling = {"ruling_id": "R", "outcome": "partial", "decided_at": "2026-11-02T09:30:00Z"}
    fee = {"event_id": "E", "kind": "fee_charged", "occurred_at": "2026-11-02T09:30:00Z"}

    with pytest.raises(InvalidMessage, match="merchant_amount is required"):
        decode(BankRuling, json.dumps(ruling))
    with pytest.raises(InvalidMessage, match="amount is required"):
        decode(NetworkEvent, json.dumps(fee))


@pytest.mark.parametrize("cycle", [0, -1, 100, "1"])
def test_a_cycle_counts_from_one(cycle: object) -> None:
    event = {
        "event_id": "E",
        "kind": "second_chargeback",
        "occurred_at": "2026-11-02T09:30:00Z",
        "cycle": cycle,
    }
    with pytest.raises(InvalidMessage) as caught:
        decode(NetworkEvent, json.dumps(event))
    assert list(caught.value.fields) == ["cycle"]


# Card numbers and security codes


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111",
        CARD,
        "4111-1111-1111-1111",
        f"paid with {CARD}.",
        f"paid with {CARD} 12/29",
        f"paid with {CARD} 123",
        f"order 77 {CARD}",
        "378282246310005",
        "6011111111111117, 5555555555554444",
    ],
)
def test_a_card_number_is_found_wherever_it_stands(text: str) -> None:
    digits = CARD.replace(" ", "")

    assert [reason for _, reason in find(text)] == ["must not hold a card number"]
    assert REMOVED in redact(text)
    assert digits not in redact(text).replace(" ", "").replace("-", "")


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # fails the check digit
        "74111111111111111111111",  # an acquirer reference number has 23 digits
        "8ac7a4a09136ba2801913734d9e253d8",
        "2026-11-02T09:30:00Z",
        "+43 660 123 45 67",
        "1 " * 10_000,
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert list(find(text)) == []
    assert redact(text) == text


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"cvv": "123"}, "cvv"),
        ({"card": {"cvc": 1234}}, "card.cvc"),
        ({"card_security_code": " 123 "}, "card_security_code"),
        ({"items": [{"cardCvv2": "123"}]}, "items.0.cardCvv2"),
        ({"text": "his CVV: 123"}, "text"),
        ({"text": "the security code is 1234"}, "text"),
    ],
)
def test_a_security_code_is_found_by_its_name(content: dict[str, object], field: str) -> None:
    assert list(find(content)) == [(field, "must not hold a card security code")]
    assert REMOVED in redact(json.dumps(content))
    assert "123" not in redact(json.dumps(content))


def test_a_security_codes_check_result_is_no_security_code() -> None:
    notice = NOTICE | {"facts": {"cvv": "M", "avs": "Y"}}

    assert decode(DisputeNotice, json.dumps(notice), edge=True).facts is not None


@pytest.mark.parametrize(
    "content",
    [
        {"evidence_id": "E", "evidence_type": "invoice", "submitted_by": "ann", "text": CARD},
        {"evidence_id": "E", "evidence_type": "invoice", "submitted_by": CARD, "text": "x"},
        {"evidence_id": "E", "evidence_type": "i", "submitted_by": "a", "text": "x", "u": [CARD]},
        {"evidence_id": "E", "evidence_type": "i", "submitted_by": "a", "text": "x", CARD: "u"},
        {
            "evidence_id": "E",
            "evidence_type": "i",
            "submitted_by": "a",
            "text": "x",
            "n": 4111111111111111,
        },
    ],
)
@pytest.mark.parametrize("edge", [True, False])
def test_no_door_lets_a_card_number_in_and_no_refusal_repeats_it(
    content: dict[str, object],
    edge: bool,  # noqa: FBT001
) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode(AddEvidence, json.dumps(content), edge=edge)

    told = f"{caught.value.message} {caught.value.details}"
    assert "card number" in told
    assert "1111" not in told


@pytest.mark.parametrize(
    "name", [f"{'a' * 190} {CARD}", "\ud800", f"\ud800\n{CARD}", f"card cvv 737 {'a' * 500}"]
)
@pytest.mark.parametrize("value", [CARD, {"cvv": "737"}, [737]])
def test_any_name_can_be_told_and_tells_nothing(name: str, value: object) -> None:
    told = f"{faults({name: value})}"
    assert told.encode().decode() == told
    assert len(told) < 1000
    assert "4111" not in told
    assert "737" not in told


def test_of_very_many_reasons_the_first_are_told() -> None:
    told = faults({f"field_{number}": number for number in range(2000)})
    assert len(told) == 51
    assert told["more"] == "1958 other reasons"  # eight fields of a notice are missing, too
    codes: dict[str, object] = {"n" * 100_000: [{"cvv": "737"}] * 20_000}
    told = faults(codes)
    assert "must not hold a card security code" in told.values()
    assert len(f"{told}") < 100_000


@given(st.text(max_size=200))
def test_redaction_leaves_nothing_to_find(text: str) -> None:
    assert list(find(redact(f"{text} {CARD} cvv 123"))) == []


def test_a_shoppers_token_is_removed_from_what_is_kept_of_a_rejected_line() -> None:
    line = '{"registration_id" : "5a1f5a1f5a1f5a1f", "note": "registration_id"'
    assert redact_tokens(line) == '{"registration_id" : "[removed]", "note": "registration_id"'
