"""Every fault kind: what the caller sees, and what was booked all the same."""

import httpx
import pytest

from tests.sandbox.machine import Machine, code, name


@pytest.fixture
def debit(machine: Machine) -> str:
    return machine.pay()


def test_refuse(machine: Machine, debit: str) -> None:
    machine.arm("refuse", code="700.400.402")
    assert machine.refused(debit, "CB", "92.00") == "700.400.402"
    assert machine.kinds(debit) == ["DB"]


def test_refusal_with_a_status_that_promises_success(machine: Machine, debit: str) -> None:
    machine.arm("refuse", code="700.400.402", http_status=200)
    answer = machine.follow(debit, "CB", "92.00")
    assert (answer.status_code, code(answer)) == (200, "700.400.402")


def test_success_with_a_status_that_promises_refusal(machine: Machine, debit: str) -> None:
    machine.arm("refuse_success_status")
    answer = machine.follow(debit, "CB", "92.00")
    assert (answer.status_code, code(answer)) == (400, "000.100.110")
    assert machine.kinds(debit) == ["DB", "CB"]


@pytest.mark.parametrize(
    ("given", "booked"), [("000.400.000", ["DB", "CB"]), ("900.100.300", ["DB"])]
)
def test_result_code_books_only_a_success(
    machine: Machine, debit: str, given: str, booked: list[str]
) -> None:
    machine.arm("result_code", code=given)
    assert code(machine.follow(debit, "CB", "92.00")) == given
    assert machine.kinds(debit) == booked


def test_uncertain_code_though_booked(machine: Machine, debit: str) -> None:
    reference = name()
    machine.arm("result_code_after_booking", code="900.100.300")
    answer = machine.follow(debit, "CB", "92.00", merchantTransactionId=reference)
    assert code(answer) == "900.100.300"
    found = machine.get("/v1/query", merchantTransactionId=reference).json()["payments"]
    assert [p["result"]["code"] for p in found] == ["000.100.110"]


@pytest.mark.parametrize(
    ("kind", "status", "booked"),
    [
        ("timeout_before_booking", 504, ["DB"]),
        ("timeout_after_booking", 504, ["DB", "CB"]),
        ("http_500", 500, ["DB"]),
        ("http_500_after_booking", 500, ["DB", "CB"]),
    ],
)
def test_answer_without_a_result(
    machine: Machine, debit: str, kind: str, status: int, booked: list[str]
) -> None:
    machine.arm(kind, delay_s=0)
    answer = machine.follow(debit, "CB", "92.00")
    assert answer.status_code == status
    assert "json" not in answer.headers["content-type"]
    assert machine.kinds(debit) == booked


@pytest.mark.parametrize(
    ("kind", "booked"),
    [("timeout_before_booking", ["DB"]), ("timeout_after_booking", ["DB", "CB"])],
)
def test_timeout_keeps_the_caller_waiting(
    machine: Machine, debit: str, kind: str, booked: list[str]
) -> None:
    machine.arm(kind)
    machine.http.timeout = httpx.Timeout(0.3)
    with pytest.raises(httpx.ReadTimeout):
        machine.follow(debit, "CB", "92.00")
    machine.http.timeout = httpx.Timeout(20)
    assert machine.kinds(debit) == booked


def test_booking_that_appears_after_the_caller_gave_up(machine: Machine, debit: str) -> None:
    reference = name()
    machine.arm("book_late", delay_s=0.5)
    assert machine.follow(debit, "CB", "92.00", merchantTransactionId=reference).status_code == 504
    assert code(machine.get("/v1/query", merchantTransactionId=reference)) == "700.400.580"
    while machine.kinds(debit) != ["DB", "CB"]:
        pass


def test_slow_answer_is_an_answer(machine: Machine, debit: str) -> None:
    machine.arm("hang", delay_s=0.1)
    assert code(machine.follow(debit, "CB", "92.00")) == "000.100.110"


def test_malformed_body_though_booked(machine: Machine, debit: str) -> None:
    machine.arm("malformed_body")
    answer = machine.follow(debit, "CB", "92.00")
    with pytest.raises(ValueError, match=r"Expecting|delimiter"):
        answer.json()
    assert machine.kinds(debit) == ["DB", "CB"]


def test_truncated_body_though_booked(machine: Machine, debit: str) -> None:
    machine.arm("truncated_body")
    with pytest.raises(httpx.RemoteProtocolError):
        machine.follow(debit, "CB", "92.00")
    assert machine.kinds(debit) == ["DB", "CB"]


def test_empty_body_though_booked(machine: Machine, debit: str) -> None:
    machine.arm("empty_body")
    answer = machine.follow(debit, "CB", "92.00")
    assert (answer.status_code, answer.content) == (200, b"")
    assert machine.kinds(debit) == ["DB", "CB"]


def test_throttle(machine: Machine, debit: str) -> None:
    machine.arm("throttle")
    answer = machine.follow(debit, "CB", "92.00")
    assert (answer.status_code, code(answer)) == (429, "800.120.100")
    assert machine.kinds(debit) == ["DB"]


def test_duplicate_books_two_under_one_reference(machine: Machine, debit: str) -> None:
    reference = name()
    machine.arm("duplicate_answer")
    first = machine.done(debit, "RF", "10.00", merchantTransactionId=reference)
    found = machine.get("/v1/query", merchantTransactionId=reference).json()["payments"]
    assert [p["id"] == first for p in found] == [True, False]
    assert machine.position(debit) == 7200


@pytest.mark.parametrize(
    ("kind", "status"), [("http_500", 500), ("timeout_before_booking", 504), ("throttle", 429)]
)
def test_queries_fail_too(machine: Machine, debit: str, kind: str, status: int) -> None:
    machine.arm(kind, match={"query": True, "payment_id": debit}, delay_s=0)
    machine.done(debit, "RF", "1.00")
    assert machine.get(f"/v1/query/{debit}").status_code == status
    assert machine.get(f"/v1/query/{debit}").status_code == 200


def test_query_answered_with_garbage(machine: Machine, debit: str) -> None:
    machine.arm("truncated_body", match={"query": True})
    with pytest.raises(httpx.RemoteProtocolError):
        machine.get(f"/v1/query/{debit}")


def test_fault_strikes_only_what_matches_and_only_so_often(machine: Machine, debit: str) -> None:
    other = machine.pay()
    capture_root = machine.pay("PA")
    capture = machine.done(capture_root, "CP", "92.00")
    machine.arm("refuse", match={"payment_type": "RF", "payment_id": debit}, times=2)
    machine.arm("refuse", match={"payment_id": capture_root}, times=None)

    machine.done(other, "RF", "1.00")
    for _ in range(2):
        assert machine.refused(debit, "RF", "1.00") == "800.100.152"
    machine.done(debit, "RF", "1.00")
    for _ in range(3):
        assert machine.refused(capture, "RF", "1.00") == "800.100.152"

    fired = [fault["fired"] for fault in machine.http.get("/_sandbox/faults").json()]
    assert fired == [2, 3]
    machine.http.delete("/_sandbox/faults")
    machine.done(capture, "RF", "1.00")


def test_fault_by_reference(machine: Machine, debit: str) -> None:
    reference = name()
    machine.arm("refuse", match={"merchant_transaction_id": reference})
    machine.done(debit, "RF", "1.00", merchantTransactionId=name())
    machine.refused(debit, "RF", "1.00", merchantTransactionId=reference)


@pytest.mark.parametrize(
    "body", [b"{", b'{"kind": "no such"}', b'{"kind": "refuse", "tmies": 1}', b"[]"]
)
def test_switchboard_says_what_is_wrong_with_a_fault(machine: Machine, body: bytes) -> None:
    answer = machine.http.post("/_sandbox/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_request_log_tells_what_was_asked_and_answered(machine: Machine, debit: str) -> None:
    reference = name()
    machine.arm("http_500")
    for _ in range(2):
        machine.follow(debit, "CB", "92.00", merchantTransactionId=reference)
    lines = machine.http.get(
        "/_sandbox/requests", params={"merchant_transaction_id": reference}
    ).json()
    assert [(line["fault"], line["http_status"], line["result_code"]) for line in lines] == [
        ("http_500", 500, None),
        (None, 200, "000.100.110"),
    ]
    assert lines[0]["path"] == f"/v1/payments/{debit}"
    assert "authorization" not in str(lines).lower()


def test_pending_books_under_the_same_id_when_its_time_has_come(
    machine: Machine, debit: str
) -> None:
    reference = name()
    machine.arm("pending", delay_s=0.3)
    answer = machine.follow(debit, "CB", "92.00", merchantTransactionId=reference)
    assert code(answer) == "000.200.000"
    while machine.kinds(debit) != ["DB", "CB"]:
        pass
    found = machine.get("/v1/query", merchantTransactionId=reference).json()["payments"]
    assert [(p["id"], p["result"]["code"]) for p in found] == [(answer.json()["id"], "000.100.110")]
