"""The sandbox gateway as tests use it: a real process, its switchboard and its book."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx

from starter.processes import Child

_SAYS = "sandbox listening on "


@dataclass
class Sandbox:
    """A running sandbox.

    Attributes:
        url: its base address.
        child: its process.
        http: an open client on that address.
    """

    url: str
    child: Child
    http: httpx.AsyncClient = field(repr=False)

    @property
    def env(self) -> dict[str, str]:
        """The settings that lead to it."""
        return {
            "DISPUTES_GATEWAY_URL": self.url,
            "DISPUTES_GATEWAY_ENTITY_ID": "sandbox",
            "DISPUTES_GATEWAY_TOKEN": "sandbox",
        }

    async def payment(
        self,
        payment_id: str,
        amount: str,
        currency: str,
        payment_type: str = "DB",
        **more: object,
    ) -> None:
        """Book the payment that a test disputes, under an id of the test's choice (32 hex)."""
        asked = {"id": payment_id, "payment_type": payment_type, "amount": amount}
        await self._post("payments", {**asked, "currency": currency, **more})

    async def arm(self, kind: str, *, times: int | None = 1, **fault: object) -> None:
        """Arm a fault, ``None`` times for good; the rest as the switchboard takes it."""
        await self._post("faults", {"kind": kind, "times": times, **fault})

    async def disarm(self) -> None:
        """Forget all faults."""
        (await self.http.delete("/_sandbox/faults")).raise_for_status()

    async def set(self, **settings: object) -> None:
        """Change the sandbox's settings, such as ``query_limit_per_minute``."""
        await self._post("settings", settings)

    async def own_booking(self, payment_type: str, referenced_id: str, **more: object) -> None:
        """Let the acquirer book something by itself."""
        booking = {"payment_type": payment_type, "referenced_id": referenced_id, **more}
        await self._post("book", booking)

    async def book(self, root_id: str | None = None) -> list[dict[str, object]]:
        """What it booked, oldest first; of one payment if ``root_id`` is given."""
        params = {"root_id": root_id} if root_id else {}
        answer = (await self.http.get("/_sandbox/book", params=params)).raise_for_status()
        return cast("list[dict[str, object]]", answer.json())

    async def requests(self, mtid: str | None = None) -> list[dict[str, object]]:
        """The requests it saw, oldest first; of one merchantTransactionId if given."""
        params = {"merchant_transaction_id": mtid} if mtid else {}
        answer = (await self.http.get("/_sandbox/requests", params=params)).raise_for_status()
        return cast("list[dict[str, object]]", answer.json())

    async def _post(self, what: str, body: dict[str, object]) -> None:
        (await self.http.post(f"/_sandbox/{what}", json=body)).raise_for_status()


@asynccontextmanager
async def run_sandbox(
    folder: Path, *arguments: str, port: int = 0, env: dict[str, str] | None = None
) -> AsyncIterator[Sandbox]:
    """Start a sandbox process, give it, and stop it.

    Args:
        folder: for its log.
        arguments: further ones of its command line, such as ``--book FILE``.
        port: TCP port; 0 takes a free one.
        env: its environment; this process's own by default.
    """
    command: Sequence[str] = [sys.executable, "-m", "sandbox", "--port", str(port), *arguments]
    child = await Child.start(
        "sandbox", command, env=env or dict(os.environ), log=folder / "sandbox.log"
    )

    async def announced() -> str | None:
        lines = (line for line in child.output().splitlines() if line.startswith(_SAYS))
        return next(lines, None)

    try:
        url = (await child.until(announced)).removeprefix(_SAYS)
        # None is kept open: on a busy machine the server may close what we are about to use.
        fresh = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=url, limits=fresh) as http:
            yield Sandbox(url, child, http)
    finally:
        await child.stop()
