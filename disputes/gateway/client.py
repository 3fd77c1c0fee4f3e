"""The HTTP side of the gateway: one request per call, never repeated, and what became of it."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import httpx

from disputes.gateway.calls import Call, Deadline, Entity
from disputes.gateway.codes import Verdict
from disputes.gateway.replies import (
    Asked,
    GatewayId,
    MerchantTransactionId,
    QueryReply,
    Reply,
    Unknown,
    read_query,
    read_reply,
)
from disputes.gateway.wire import GATEWAY_ID

logger = logging.getLogger(__name__)

#: Longest answer that is read, in bytes; real ones have a few thousand.
_BODY_LIMIT: Final = 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded; charset=UTF-8"
#: Failures while connecting, in which no byte of the request can have left: DNS, refused
#: connection, TLS handshake, no free connection in the pool.
_NOT_CONNECTED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NotSent(Exception):
    """The call's deadline had passed before the first byte was written: nothing was sent."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds for each step of one request; together they bound the whole of it."""

    pool_s: float = 5
    connect_s: float = 5
    write_s: float = 5
    read_s: float = 15

    @classmethod
    def within(cls, total_s: float) -> Self:
        """Timeouts of a request that may take ``total_s`` seconds, half of them for the answer."""
        step = total_s / 6
        return cls(pool_s=step, connect_s=step, write_s=step, read_s=total_s / 2)

    @property
    def total_s(self) -> float:
        """Longest time for one request: a peer that drips bytes gets no more."""
        return self.pool_s + self.connect_s + self.write_s + self.read_s


class _TooLate(Exception):
    """The deadline passed between the headers and the body."""


class _Flight:
    """Follows one request on its connection: no byte leaves after the deadline."""

    def __init__(self, deadline: Deadline | None = None) -> None:
        self._deadline = deadline
        self.left = False

    async def trace(self, event: str, _info: Mapping[str, object]) -> None:
        """Called by the connection right before each write (httpx extension ``trace``)."""
        if event.endswith("send_request_headers.started"):
            if self._late():
                raise NotSent
            self.left = True
        elif event.endswith("send_request_body.started") and self._late():
            raise _TooLate

    def _late(self) -> bool:
        return self._deadline is not None and self._deadline.passed


@dataclass(frozen=True)
class _Answered:
    """An HTTP answer; ``body`` is ``None`` when it was longer than any answer is."""

    status: int
    body: bytes | None


class Gateway:
    """Pooled client for every entity; holds no state but its connections.

    Use as ``async with Gateway(timeouts) as gateway``. Nothing is retried, no redirect followed,
    no proxy or credential taken from the environment, and certificates are verified.
    """

    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self._timeouts = timeouts or Timeouts()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(
                connect=self._timeouts.connect_s,
                read=self._timeouts.read_s,
                write=self._timeouts.write_s,
                pool=self._timeouts.pool_s,
            ),
            # A compressed answer could unpack to more than the limit in one step.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def post(self, call: Call) -> Reply:
        """Send ``call`` once and say what its answer, or the lack of one, proves.

        A failure before the first byte left is ``NOT_SENT``, any later one ``UNKNOWN``. Raises
        ``NotSent`` when the deadline passed before the first byte, ``AmountNotRepresentable`` or
        ``ValueError`` for an amount that cannot be written.
        """
        request = self._http.build_request(
            "POST",
            f"{call.entity.base_url}/v1{call.path}",
            data=call.form(),
            headers={**_authorization(call.entity), "Content-Type": _FORM},
        )
        answered = await self._exchange(request, _Flight(call.deadline))
        if isinstance(answered, _Answered):
            reply = read_reply(call, answered.status, answered.body)
        else:
            reply = Reply(answered)
        logger.info(
            "gateway %s %s: %s (code %s, status %s)",
            call.payment_type,
            call.merchant_transaction_id,
            reply.verdict,
            reply.result_code,
            reply.http_status,
        )
        return reply

    async def query_by_id(self, gateway_id: str, entity: Entity) -> QueryReply:
        """Ask ``entity`` for one transaction and those linked to it.

        ``gateway_id`` is 32 lower-case hex digits, else ``ValueError``.
        """
        asked = _gateway_id(gateway_id)
        linked = {"includeLinkedTransactions": "true"}
        path = f"/v{entity.query_version}/query/{gateway_id}"
        return await self._query(entity, path, linked, asked)

    async def status(self, gateway_id: str, entity: Entity) -> QueryReply:
        """Read one transaction as it stands, such as one that was pending (protocol, section 5).

        For an unknown id it proves nothing, unlike a query: the gateway calls it a lost session.
        ``gateway_id`` is 32 lower-case hex digits, else ``ValueError``.
        """
        asked = _gateway_id(gateway_id)
        return await self._query(entity, f"/v1/payments/{gateway_id}", {}, asked)

    async def query_by_merchant_transaction_id(
        self, merchant_transaction_id: str, entity: Entity
    ) -> QueryReply:
        """Ask ``entity`` for every transaction under one merchant transaction id."""
        named = {"merchantTransactionId": merchant_transaction_id}
        asked = MerchantTransactionId(merchant_transaction_id)
        return await self._query(entity, f"/v{entity.query_version}/query", named, asked)

    async def _query(
        self, entity: Entity, path: str, parameters: Mapping[str, str], asked: Asked
    ) -> QueryReply:
        request = self._http.build_request(
            "GET",
            f"{entity.base_url}{path}",
            params={"entityId": entity.id, **parameters},
            headers=_authorization(entity),
        )
        answered = await self._exchange(request, _Flight())
        if not isinstance(answered, _Answered):
            return Unknown()
        return read_query(answered.status, answered.body, asked)

    async def _exchange(self, request: httpx.Request, flight: _Flight) -> _Answered | Verdict:
        """The answer, or else whether a byte of the request may have left."""
        request.extensions["trace"] = flight.trace
        try:
            async with asyncio.timeout(self._timeouts.total_s):
                response = await self._http.send(request, stream=True)
                try:
                    return _Answered(response.status_code, await _body(response))
                finally:
                    await response.aclose()
        except _NOT_CONNECTED as failure:
            _log_failure(request, failure)
            return Verdict.UNKNOWN if flight.left else Verdict.NOT_SENT
        except (httpx.HTTPError, OSError, _TooLate) as failure:
            # Counted as sent even where the trace saw no write: only connecting proves otherwise.
            _log_failure(request, failure)
            return Verdict.UNKNOWN


def _gateway_id(text: str) -> GatewayId:
    if not GATEWAY_ID.fullmatch(text):
        raise ValueError("gateway_id: must be 32 lower-case hex digits")
    return GatewayId(text)


async def _body(response: httpx.Response) -> bytes | None:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _BODY_LIMIT:
            return None
    return bytes(body)


def _authorization(entity: Entity) -> dict[str, str]:
    return {"Authorization": f"Bearer {entity.token.get_secret_value()}"}


def _log_failure(request: httpx.Request, failure: Exception) -> None:
    logger.warning("gateway %s failed: %s", request.method, type(failure).__name__)
