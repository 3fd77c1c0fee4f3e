"""A webhook's envelope opens with a key of ours and nothing else; little of it is kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from disputes.gateway.webhooks import (
    MAX_BODY_BYTES,
    NotAuthentic,
    WebhookKeys,
    read_notification,
)
from disputes.notification import Notification
from disputes.vocabulary import PaymentType
from tests.support.webhooks import KEY, OTHER_KEY, Json, notification, sealed

VECTORS = json.loads((Path(__file__).parent / "data" / "webhook_vectors.json").read_text())[
    "vectors"
]
_names = [vector["name"] for vector in VECTORS]
CB = {"id": "c" * 32, "payment_type": "CB", "referenced_id": "d" * 32, "amount_minor": 92_00}


def _open(keys: WebhookKeys, body: bytes, headers: dict[str, str]) -> bytes:
    return keys.open(body, headers["X-Initialization-Vector"], headers["X-Authentication-Tag"])


def _read(content: Json | bytes) -> Notification:
    plaintext = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_notification(plaintext).notification


@pytest.mark.parametrize("wrapped", [False, True], ids=["raw", "wrapped"])
@pytest.mark.parametrize("case", [str.upper, str.lower], ids=["upper", "lower"])
@pytest.mark.parametrize("vector", VECTORS, ids=_names)
def test_the_published_vectors_open(vector: dict[str, str], case: Any, wrapped: bool) -> None:  # noqa: ANN401, FBT001 - a method of str; a parameter of the test
    digits = case(vector["body_hex"])
    body = json.dumps({"encryptedBody": digits}) if wrapped else digits
    keys = WebhookKeys([vector["key_hex"]])
    opened = keys.open(body.encode(), case(vector["iv_hex"]), case(vector["auth_tag_hex"]))
    assert opened.decode() == vector["plaintext"]
    assert read_notification(opened).notification.type == "PAYMENT"


def test_both_keys_of_a_rotation_open_and_a_third_does_not() -> None:
    keys = WebhookKeys([OTHER_KEY, KEY])
    for key in (KEY, OTHER_KEY):
        assert _open(keys, *sealed(b"{}", key)) == b"{}"
    with pytest.raises(NotAuthentic):
        _open(keys, *sealed(b"{}", "ab" * 32))
    with pytest.raises(NotAuthentic):
        _open(WebhookKeys([]), *sealed(b"{}"))


def test_any_changed_digit_is_refused() -> None:
    keys = WebhookKeys([KEY])
    body, headers = sealed(b'{"type":"PAYMENT"}')

    def flipped(text: str, place: int) -> str:
        other = f"{int(text[place], 16) ^ 1:x}"
        return text[:place] + other + text[place + 1 :]

    for place in range(len(body)):
        with pytest.raises(NotAuthentic):
            _open(keys, flipped(body.decode(), place).encode(), headers)
    for name, value in headers.items():
        for place in range(len(value)):
            with pytest.raises(NotAuthentic):
                _open(keys, body, headers | {name: flipped(value, place)})


def test_a_shorter_tag_is_refused_although_it_is_right_as_far_as_it_goes() -> None:
    keys = WebhookKeys([KEY])
    body, headers = sealed(b"{}")
    tag = headers["X-Authentication-Tag"]
    for length in (0, 2, 8, 16, 24, 30, 31):
        with pytest.raises(NotAuthentic):
            _open(keys, body, headers | {"X-Authentication-Tag": tag[:length]})
    # The rest of the tag at the end of the body would make the same bytes.
    moved = headers | {"X-Authentication-Tag": tag[2:]}
    with pytest.raises(NotAuthentic):
        _open(keys, body + tag[:2].encode(), moved)


@pytest.mark.parametrize(
    ("body", "iv", "tag"),
    [
        (b"", None, "00" * 16),
        (b"", "00" * 12, None),
        (b"00", "00" * 16, "00" * 16),
        (b"0", "00" * 12, "00" * 16),
        (b"zz", "00" * 12, "00" * 16),
        (b"0 0 ", "00" * 12, "00" * 16),
        (b"\xff\xfe", "00" * 12, "00" * 16),
        (b"00", "z" * 24, "00" * 16),
        (b"00", "00" * 12, "ü" * 32),
        (b"{}", "00" * 12, "00" * 16),
        (b'{"encryptedBody": 7}', "00" * 12, "00" * 16),
        (b'{"encryptedBody": "zz"}', "00" * 12, "00" * 16),
        (b'{"encryptedBody": "\\u00ff"}', "00" * 12, "00" * 16),
        (b"{" * 5000, "00" * 12, "00" * 16),
    ],
)
def test_what_is_no_envelope_is_refused(body: bytes, iv: str | None, tag: str | None) -> None:
    with pytest.raises(NotAuthentic):
        WebhookKeys([KEY]).open(body, iv, tag)


def test_a_body_above_the_limit_is_refused_before_it_is_decoded() -> None:
    keys = WebhookKeys([KEY])
    largest = b" " * ((MAX_BODY_BYTES // 2) - 16)
    assert len(_open(keys, *sealed(largest))) == len(largest)
    with pytest.raises(NotAuthentic):
        _open(keys, *sealed(b" " * (MAX_BODY_BYTES // 2 + 1)))


def test_a_tag_that_was_made_with_additional_data_is_another_tag() -> None:
    iv = bytes(12)
    box = AESGCM(bytes.fromhex(KEY)).encrypt(iv, b"{}", b"more")
    with pytest.raises(NotAuthentic):
        WebhookKeys([KEY]).open(box[:-16].hex().encode(), iv.hex(), box[-16:].hex())


def test_of_a_chargeback_ids_amount_and_moment_are_kept_and_nothing_of_the_shopper() -> None:
    content = notification(CB, timestamp="2024-09-16 10:04:00+0000")
    kept = _read(content).kept()
    assert kept == {
        "type": "PAYMENT",
        "entry": {
            "gateway_id": "c" * 32,
            "payment_type": "CB",
            "referenced_id": "d" * 32,
            "amount_minor": 92_00,
            "currency": "EUR",
            "result_code": "000.100.220",
            "at": "2024-09-16T10:04:00Z",
        },
    }


def test_no_field_lets_a_card_number_in() -> None:
    number = "4200000000000000"
    content = notification(
        CB,
        merchantTransactionId=number,
        referencedId=number,
        currency=number,
        amount=number,
        timestamp=number,
        result={"code": number},
        resultDetails={"AcquirerReferenceNumber": number},
    )
    content |= {"action": number}
    assert number not in json.dumps(_read(content).kept())
    assert number not in json.dumps(_read(content | {"type": number}).kept())


def test_the_type_counts_before_the_code() -> None:
    """A chargeback's reason is the code of a booked CB; on a capture it proves nothing."""
    assert _read(notification(CB)).ignored is None
    assert _read(notification(CB, result={"code": "000.000.000"})).ignored is None
    assert _read(notification(CB, result="odd")).ignored is None
    refused = _read(notification(CB, result={"code": "800.100.152"}))
    assert refused.entry is not None
    assert refused.ignored == "the gateway has booked nothing"
    pending = _read(notification(CB | {"payment_type": "RF"}, result={"code": "000.200.000"}))
    assert pending.ignored == "the gateway has booked nothing"


@pytest.mark.parametrize("payment_type", list(PaymentType))
def test_every_type_that_the_engine_uses_is_read(payment_type: PaymentType) -> None:
    entry = _read(notification(CB | {"payment_type": payment_type.value})).entry
    assert entry is not None
    assert entry.payment_type is payment_type


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ({"type": "test", "action": "webhook activation"}, "test", "the portal's test"),
        ({"type": "REGISTRATION", "action": "CREATED", "payload": {}}, "REGISTRATION", "payment"),
        ({"type": "RISK", "payload": {}}, "RISK", "payment"),
        ({"type": "Some future type"}, "Some future type", "payment"),
        ({"type": "PAYMENT"}, "PAYMENT", "payload"),
        ({"type": "PAYMENT", "payload": []}, "PAYMENT", "payload"),
        ({"type": "PAYMENT", "payload": {"id": "C" * 32}}, "PAYMENT", "id"),
        ({"type": "PAYMENT", "payload": {"id": "c" * 32, "paymentType": "3D"}}, "PAYMENT", "type"),
        ({"type": 7}, "unreadable", "read"),
        ({"type": "1" * 500}, "unreadable", "payment"),
        (b"", "unreadable", "read"),
        (b"not JSON", "unreadable", "read"),
        (b"\xff\xfe\x00", "unreadable", "read"),
        (b"[" * 100_000, "unreadable", "read"),
        (b'{"type": "PAYMENT", "payload": {"id": "\\ud800"}}', "unreadable", "read"),
    ],
)
def test_what_concerns_nobody_is_kept_with_the_reason(
    content: Json | bytes, name: str, reason: str
) -> None:
    kept = _read(content)
    assert kept.type == name
    assert kept.entry is None
    assert kept.ignored is not None
    assert reason in kept.ignored


def test_a_repetition_is_known_by_its_meaning_whatever_else_it_says() -> None:
    first = notification(CB, timestamp="2024-09-16 10:04:00+0000")
    again = notification(CB, timestamp="2024-09-16 10:04:00+0000", descriptor="sent again")
    other = notification(CB, timestamp="2024-09-16 10:04:01+0000")
    one, two, three = (read_notification(json.dumps(it).encode()) for it in (first, again, other))
    assert one.meaning == two.meaning
    assert one.sha256 != two.sha256
    assert one.meaning != three.meaning
