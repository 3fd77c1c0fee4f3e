import json

import pytest
from pydantic import SecretStr

from disputes.gateway.calls import Call, Deadline, Entity
from disputes.gateway.codes import Verdict
from disputes.gateway.replies import (
    Absent,
    Found,
    GatewayId,
    MerchantTransactionId,
    Throttled,
    Unknown,
    read_query,
    read_reply,
)
from disputes.vocabulary import PaymentType

ID = "5f0c1d2e3b4a59687766554433221100"
PAYMENT = "00112233445566778899aabbccddeeff"
OTHER = "ffffffffffffffffffffffffffffffff"
MTID = "d1001book1d1001book1"
CALL = Call(
    payment_type=PaymentType.CB,
    referenced_id=PAYMENT,
    merchant_transaction_id=MTID,
    entity=Entity("entity", SecretStr("token"), "http://127.0.0.1:1"),
    deadline=Deadline(60),
    amount_minor=9200,
    currency="EUR",
)
BOOKED: dict[str, object] = {
    "id": ID,
    "referencedId": PAYMENT,
    "paymentType": "CB",
    "amount": "92.00",
    "currency": "EUR",
    "merchantTransactionId": MTID,
    "result": {"code": "000.100.110"},
}
CANNOT_FIND = {"result": {"code": "700.400.580"}}
LIST = {"result": {"code": "000.000.100"}, "payments": [BOOKED]}


def _body(answer: object) -> bytes:
    return json.dumps(answer).encode()


def _code(code: str, **fields: object) -> bytes:
    return _body(BOOKED | {"result": {"code": code}} | fields)


@pytest.mark.parametrize("status", [200, 307, 400, 404, 500])
def test_the_code_decides_and_the_status_does_not(status: int) -> None:
    assert read_reply(CALL, status, _code("000.100.110")).verdict is Verdict.SUCCESS
    assert read_reply(CALL, status, _code("700.400.400")).verdict is Verdict.REFUSED


def test_a_booked_chargeback_comes_back_with_its_entry() -> None:
    reply = read_reply(CALL, 200, _code("000.100.220"))
    assert reply.verdict is Verdict.SUCCESS
    assert reply.result_code == "000.100.220"
    assert reply.entry is not None
    assert (reply.entry.id, reply.entry.amount_minor) == (ID, 9200)


@pytest.mark.parametrize(
    "changed",
    [
        {"merchantTransactionId": "another-one"},
        {"paymentType": "DB"},
        {"paymentType": "3D"},
        {"referencedId": OTHER},
        {"amount": "29.00"},
        {"currency": "USD"},
        {"amount": "9200", "currency": "JPY"},
        {"amount": "9.2e1"},
        {"id": "not-an-id"},
    ],
)
@pytest.mark.parametrize("code", ["000.100.110", "700.400.400"])
def test_an_answer_that_contradicts_the_call_proves_nothing(
    changed: dict[str, object], code: str
) -> None:
    assert read_reply(CALL, 200, _code(code, **changed)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("missing", ["id", "paymentType"])
def test_a_success_without_id_or_type_proves_nothing(missing: str) -> None:
    answer = {name: value for name, value in BOOKED.items() if name != missing}
    assert read_reply(CALL, 200, _body(answer)).verdict is Verdict.UNKNOWN


def test_a_refusal_may_be_bare() -> None:
    bare = b'{"result":{"code":"700.400.400"},"id":"%s"}' % ID.encode()
    assert read_reply(CALL, 400, bare).verdict is Verdict.REFUSED


@pytest.mark.parametrize("body", [None, b"", b"<html>", b'{"result":{"code":"000', b"\xff\xfe{}"])
@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
def test_a_body_that_cannot_be_read_is_unknown(status: int, body: bytes | None) -> None:
    assert read_reply(CALL, status, body).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("status", [200, 400, 404])
def test_absent_is_only_what_the_gateway_says_it_cannot_find(status: int) -> None:
    asked = MerchantTransactionId(MTID)
    assert read_query(status, _body(CANNOT_FIND), asked) == Absent()
    for body in (b"", b"{}", _body({"result": {"code": "000.000.100"}, "payments": []})):
        assert isinstance(read_query(status, body, asked), Unknown)


def test_a_list_under_the_asked_id_is_found() -> None:
    reply = read_query(200, _body(LIST), MerchantTransactionId(MTID))
    assert isinstance(reply, Found)
    assert [entry.id for entry in reply.entries] == [ID]


@pytest.mark.parametrize(
    "answer",
    [
        LIST | {"payments": [BOOKED, BOOKED | {"merchantTransactionId": "another-one"}]},
        LIST | {"payments": [BOOKED, {"id": OTHER, "result": {"code": "000.100.110"}}]},
        LIST | {"payments": [BOOKED | {"amount": "x"}]},
        LIST | {"result": {"code": "900.100.300"}},
        {"result": {"code": "000.000.100"}, "records": [BOOKED], "pages": "2"},
        {name: value for name, value in BOOKED.items() if name != "merchantTransactionId"},
    ],
)
def test_a_list_that_does_not_fit_the_question_proves_nothing(answer: object) -> None:
    assert isinstance(read_query(200, _body(answer), MerchantTransactionId(MTID)), Unknown)


def test_a_declined_transaction_is_found_by_its_id_with_its_own_code() -> None:
    reply = read_query(400, _code("800.100.152"), GatewayId(ID))
    assert isinstance(reply, Found)
    assert reply.entries[0].result_code == "800.100.152"


def test_another_transaction_than_the_asked_one_proves_nothing() -> None:
    refused = {"id": ID, "paymentType": "DB", "result": {"code": "800.900.300"}}
    assert read_query(403, _body(refused), GatewayId(OTHER)) == Unknown("800.900.300", 403)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b""),
        (429, b'{"result":{"code":"000.000.100"}}'),
        (400, b'{"id":"%s","result":{"code":"800.120.100"}}' % ID.encode()),
    ],
)
def test_a_throttled_query_says_so(status: int, body: bytes) -> None:
    assert read_query(status, body, GatewayId(ID)) == Throttled()
