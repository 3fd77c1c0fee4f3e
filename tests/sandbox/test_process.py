"""The process: its line, its end, and a book that outlives it."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.sandbox.machine import start, stop


def test_book_survives_a_clean_stop_and_a_kill(tmp_path: Path) -> None:
    book = str(tmp_path / "book.sqlite3")
    machine = start("--book", book)
    debit = machine.pay(merchantTransactionId="order-1")
    assert stop(machine) == 0

    machine = start("--book", book)
    chargeback = machine.done(debit, "CB", "92.00")
    machine.process.kill()
    stop(machine)

    machine = start("--book", book)
    assert machine.kinds(debit) == ["DB", "CB"]
    assert machine.position(debit) == 0
    assert machine.refused(debit, "CB", "92.00") == "700.400.400"
    assert machine.get("/v1/query", merchantTransactionId="order-1").json()["payments"]
    machine.done(chargeback, "CR", "92.00")
    assert machine.position(debit) == 9200
    assert stop(machine) == 0


def test_stops_while_a_fault_holds_a_request() -> None:
    machine = start()
    machine.arm("timeout_before_booking")
    with socket.create_connection(
        (machine.http.base_url.host, machine.http.base_url.port or 0)
    ) as peer:
        body = b"entityId=sandbox&paymentType=PA&amount=1.00&currency=EUR&registrationId=a"
        peer.sendall(
            b"POST /v1/payments HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer sandbox\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        while not machine.http.get("/_sandbox/faults").json()[0]["fired"]:
            pass
        assert stop(machine) == 0


def test_busy_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        attempt = subprocess.run(
            [sys.executable, "-m", "sandbox", "--port", port],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert attempt.returncode == 1
    assert port in attempt.stderr
    assert "Traceback" not in attempt.stderr


def test_queries_are_limited_unless_told_otherwise() -> None:
    machine = start()
    debit = machine.pay()
    statuses = [machine.get(f"/v1/query/{debit}").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    stop(machine)
