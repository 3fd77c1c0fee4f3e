"""The sandbox as its users meet it: a process of its own, reached over HTTP."""

import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

CARD = "4200000000000000"
BEARER = {"Authorization": "Bearer sandbox"}
_numbers = count(1)


@dataclass
class Machine:
    """One running sandbox and the calls that tests make on it."""

    process: subprocess.Popen[str]
    http: httpx.Client

    def post(self, path: str, **form: str) -> httpx.Response:
        """A form post with credentials."""
        data = {"entityId": "sandbox", **form}
        return self.http.post(path, data=data, headers=BEARER)

    def get(self, path: str, **params: str) -> httpx.Response:
        """A read with credentials."""
        query = {"entityId": "sandbox", **params}
        return self.http.get(path, params=query, headers=BEARER)

    def pay(
        self, kind: str = "DB", amount: str = "92.00", currency: str = "EUR", **form: str
    ) -> str:
        """A new payment's id."""
        fields = {"paymentBrand": "VISA", "card.number": CARD} | form
        answer = self.post(
            "/v1/payments", paymentType=kind, amount=amount, currency=currency, **fields
        )
        assert answer.status_code == 200, answer.text
        identity: str = answer.json()["id"]
        return identity

    def follow(
        self, payment_id: str, kind: str, amount: str | None = None, **form: str
    ) -> httpx.Response:
        """A back-office operation on ``payment_id``; in EUR unless said otherwise."""
        money = {} if amount is None else {"amount": amount, "currency": "EUR"}
        return self.post(f"/v1/payments/{payment_id}", paymentType=kind, **(money | form))

    def done(self, payment_id: str, kind: str, amount: str | None = None, **form: str) -> str:
        """A back-office operation that must succeed: its id."""
        answer = self.follow(payment_id, kind, amount, **form)
        assert answer.status_code == 200, answer.text
        identity: str = answer.json()["id"]
        return identity

    def refused(self, payment_id: str, kind: str, amount: str | None = None, **form: str) -> str:
        """A back-office operation that must fail: its result code."""
        answer = self.follow(payment_id, kind, amount, **form)
        assert answer.status_code == 400, answer.text
        return code(answer)

    def arm(self, kind: str, **fault: Any) -> None:  # noqa: ANN401 - JSON
        """Arm a fault."""
        answer = self.http.post("/_sandbox/faults", json={"kind": kind, **fault})
        assert answer.status_code == 200, answer.text

    def set(self, **settings: Any) -> None:  # noqa: ANN401 - JSON
        """Change settings."""
        answer = self.http.post("/_sandbox/settings", json=settings)
        assert answer.status_code == 200, answer.text

    def book(self, root_id: str) -> list[dict[str, Any]]:
        """What is booked under one payment."""
        entries: list[dict[str, Any]] = self.http.get(
            "/_sandbox/book", params={"root_id": root_id}
        ).json()
        return entries

    def kinds(self, root_id: str) -> list[str]:
        """Payment types booked under one payment, in order."""
        return [entry["payment_type"] for entry in self.book(root_id)]

    def position(self, root_id: str) -> int:
        """What the gateway holds for the merchant under one payment, in minor units."""
        minor: int = self.http.get("/_sandbox/position").json()["roots"][root_id]["minor"]
        return minor


def code(answer: httpx.Response) -> str:
    """The result code of an answer."""
    result: str = answer.json()["result"]["code"]
    return result


def name() -> str:
    """A merchantTransactionId that no other test uses."""
    return f"test-{next(_numbers)}"


def start(*arguments: str) -> Machine:
    """Start a sandbox and wait for its line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout
    line = process.stdout.readline().split()
    assert line[:3] == ["sandbox", "listening", "on"]
    return Machine(process, httpx.Client(base_url=line[3], timeout=20))


def stop(machine: Machine) -> int:
    """Stop a sandbox; its exit status."""
    machine.http.close()
    machine.process.terminate()
    status = machine.process.wait(timeout=20)
    assert machine.process.stdout
    machine.process.stdout.close()
    return status
