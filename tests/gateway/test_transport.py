"""What a peer can do to one request, over real sockets: the sandbox answers too well for this."""

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from disputes.gateway.calls import Call, Deadline, Entity
from disputes.gateway.client import Gateway, NotSent, Timeouts
from disputes.gateway.codes import Verdict
from disputes.gateway.replies import Found, Reply, Throttled, Unknown
from disputes.vocabulary import PaymentType

ID = "5f0c1d2e3b4a59687766554433221100"
PAYMENT = "00112233445566778899aabbccddeeff"
MTID = "d1001book1"
BOOKED = json.dumps(
    {
        "id": ID,
        "referencedId": PAYMENT,
        "paymentType": "CB",
        "amount": "92.00",
        "currency": "EUR",
        "merchantTransactionId": MTID,
        "result": {"code": "000.100.110"},
    }
).encode()
#: Connections that httpx pools by default.
POOL = 100


@dataclass
class Peer:
    """A server on this machine that keeps what it was sent."""

    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def seen(self, requests: int) -> None:
        """Wait until that many requests arrived."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.requests) >= requests)


Answer = Callable[[Peer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _peer(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    peer = Peer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await answer(peer, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    peer.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _request(peer: Peer, reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().splitlines()
    length = next((int(line.split(b":")[1]) for line in lines if b"content-length" in line), 0)
    body = await reader.readexactly(length)
    async with peer.changed:
        peer.requests.append(head + body)
        peer.changed.notify_all()


def _http(body: bytes, status: str = "200 OK", *extra: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *extra]
    return "\r\n".join([*head, "", ""]).encode() + body


def _saying(raw: bytes) -> Answer:
    """A peer that reads requests and answers each with these bytes; nothing: it hangs up."""

    async def answer(
        peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await _request(peer, reader)
            writer.write(raw)
            await writer.drain()
            if not raw or b"hang up" in raw:
                return

    return answer


async def _silent(peer: Peer, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await _request(peer, reader)
    await reader.read()


async def _mute(_peer: Peer, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


def _call(url: str, deadline: Deadline | None = None) -> Call:
    return Call(
        payment_type=PaymentType.CB,
        referenced_id=PAYMENT,
        merchant_transaction_id=MTID,
        entity=Entity("entity-1", SecretStr("very-secret"), url, "INTERNAL"),
        deadline=deadline or Deadline(60),
        amount_minor=9200,
        currency="EUR",
    )


async def _post(url: str, timeouts: Timeouts | None = None) -> Reply:
    async with Gateway(timeouts) as gateway:
        return await gateway.post(_call(url))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_a_chargeback_is_one_form_post_with_the_key_in_its_header() -> None:
    async with _peer(_saying(_http(BOOKED))) as peer:
        reply = await _post(peer.url)
    assert reply.verdict is Verdict.SUCCESS
    (request,) = peer.requests
    head, body = request.split(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/payments/00112233445566778899aabbccddeeff HTTP/1.1\r\n")
    assert b"Authorization: Bearer very-secret" in head
    assert b"Content-Type: application/x-www-form-urlencoded; charset=UTF-8" in head
    assert sorted(body.split(b"&")) == [
        b"amount=92.00",
        b"currency=EUR",
        b"entityId=entity-1",
        b"merchantTransactionId=d1001book1",
        b"paymentType=CB",
        b"testMode=INTERNAL",
    ]


async def test_calls_share_a_connection() -> None:
    async with _peer(_saying(_http(BOOKED))) as peer, Gateway() as gateway:
        for _ in range(3):
            assert (await gateway.post(_call(peer.url))).verdict is Verdict.SUCCESS
    assert (len(peer.requests), peer.connections) == (3, 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "gateway.invalid"])
async def test_where_nobody_listens_nothing_was_sent(host: str) -> None:
    assert await _post(f"http://{host}:{_free_port()}") == Reply(Verdict.NOT_SENT)


async def test_a_peer_that_never_ends_the_tls_handshake_was_sent_nothing() -> None:
    async with _peer(_mute) as peer:
        url = peer.url.replace("http:", "https:")
        assert await _post(url, Timeouts(connect_s=0.2)) == Reply(Verdict.NOT_SENT)


async def test_a_peer_whose_certificate_is_not_trusted_is_sent_nothing() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with _peer(_saying(_http(BOOKED)), tls) as peer:
        assert await _post(peer.url) == Reply(Verdict.NOT_SENT)
    assert peer.requests == []


async def test_a_call_that_finds_no_free_connection_was_not_sent() -> None:
    async with _peer(_silent) as peer, Gateway(Timeouts(pool_s=0.2)) as gateway:
        busy = [asyncio.create_task(gateway.post(_call(peer.url))) for _ in range(POOL)]
        await peer.seen(POOL)
        assert await gateway.post(_call(peer.url)) == Reply(Verdict.NOT_SENT)
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
    assert len(peer.requests) == POOL


async def test_a_call_that_waited_past_its_deadline_is_not_sent() -> None:
    """A freed connection comes too late: the check stands right before the first byte."""
    async with _peer(_silent) as peer, Gateway(Timeouts(pool_s=30)) as gateway:
        busy = [asyncio.create_task(gateway.post(_call(peer.url))) for _ in range(POOL)]
        await peer.seen(POOL)
        deadline = Deadline(0.05)
        late = asyncio.create_task(gateway.post(_call(peer.url, deadline)))
        while not deadline.passed:  # noqa: ASYNC110 - a clock sets no event
            await asyncio.sleep(0)
        for task in busy:
            task.cancel()
        with pytest.raises(NotSent):
            await late
        await asyncio.gather(*busy, return_exceptions=True)
    assert len(peer.requests) == POOL


async def test_a_call_whose_deadline_has_passed_writes_nothing() -> None:
    async with _peer(_saying(_http(BOOKED))) as peer, Gateway() as gateway:
        with pytest.raises(NotSent):
            await gateway.post(_call(peer.url, Deadline(0)))
        assert peer.requests == []


class _PassesAfterTheHeaders(Deadline):
    def __init__(self) -> None:
        super().__init__(60)
        self._looks = 0

    @property
    def passed(self) -> bool:
        """False for the first write only."""
        self._looks += 1
        return self._looks > 1


async def test_a_deadline_between_headers_and_body_keeps_the_body_back_and_proves_nothing() -> None:
    async with _peer(_saying(_http(BOOKED))) as peer, Gateway() as gateway:
        reply = await gateway.post(_call(peer.url, _PassesAfterTheHeaders()))
        assert reply == Reply(Verdict.UNKNOWN)
        assert peer.requests == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nhang up: 1\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\nhang up: 1\r\n\r\n" + BOOKED,
        b"hang up\r\n\r\n",
        _http(b"hang up"),
        _http(BOOKED[:-20] + b"hang up"),
        _http(b"", "200 OK"),
        _http(b"", "502 Bad Gateway"),
        _http(b"<html>busy</html>", "429 Too Many Requests"),
        _http(BOOKED + b" " * 1024 * 1024),
        _http(b"\x1f\x8b\x08\x00", "200 OK", "content-encoding: gzip"),
    ],
    ids=[
        "hangs up",
        "cut in the headers",
        "cut in the body",
        "not HTTP",
        "not JSON",
        "cut JSON",
        "empty",
        "502",
        "429",
        "huge",
        "compressed",
    ],
)
async def test_once_a_byte_left_an_answer_that_cannot_be_read_proves_nothing(raw: bytes) -> None:
    async with _peer(_saying(raw)) as peer:
        reply = await _post(peer.url)
        assert reply.verdict is Verdict.UNKNOWN
        assert len(peer.requests) == 1


@pytest.mark.parametrize("said", [b"", _http(BOOKED)[:40], _http(BOOKED)[:-20]])
async def test_a_tls_connection_cut_in_its_answer_proves_nothing(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No close notify, no rest: the peer is gone after it has read the request."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "authority.pem"))

    async def cut(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(peer, reader)
        writer.write(said)
        await writer.drain()

    async with _peer(cut, tls) as peer:
        assert await _post(peer.url) == Reply(Verdict.UNKNOWN)
        assert len(peer.requests) == 1


async def test_a_peer_that_never_answers_leaves_the_call_unknown() -> None:
    async with _peer(_silent) as peer:
        assert await _post(peer.url, Timeouts(read_s=0.2)) == Reply(Verdict.UNKNOWN)
        await peer.seen(1)


async def test_a_peer_that_drips_its_answer_cannot_hold_the_call_for_ever() -> None:
    async def drip(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(peer, reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    timeouts = Timeouts(pool_s=0.1, connect_s=1, write_s=0.1, read_s=0.3)
    async with _peer(drip) as peer:
        assert await _post(peer.url, timeouts) == Reply(Verdict.UNKNOWN)


async def test_a_redirect_is_not_followed() -> None:
    async with _peer(_saying(_http(BOOKED))) as elsewhere:
        moved = _http(b"", "307 Temporary Redirect", f"location: {elsewhere.url}/v1/payments/{ID}")
        async with _peer(_saying(moved)) as peer:
            reply = await _post(peer.url)
    assert (reply.verdict, reply.http_status) == (Verdict.UNKNOWN, 307)
    assert elsewhere.requests == []


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Internal Server Error"])
async def test_a_readable_answer_counts_whatever_the_status(status: str) -> None:
    async with _peer(_saying(_http(BOOKED, status))) as peer:
        assert (await _post(peer.url)).verdict is Verdict.SUCCESS


async def test_a_query_that_fails_has_learned_nothing() -> None:
    entity = _call(f"http://127.0.0.1:{_free_port()}").entity
    async with Gateway() as gateway:
        assert await gateway.query_by_id(ID, entity) == Unknown()
        assert await gateway.query_by_merchant_transaction_id(MTID, entity) == Unknown()
        with pytest.raises(ValueError, match="gateway_id"):
            await gateway.query_by_id("../payments", entity)


async def test_queries_ask_as_the_entity() -> None:
    async with _peer(_saying(_http(BOOKED))) as peer, Gateway() as gateway:
        entity = _call(peer.url).entity
        assert isinstance(await gateway.query_by_id(ID, entity), Found)
        assert isinstance(await gateway.query_by_merchant_transaction_id(MTID, entity), Found)
    lines = [request.splitlines()[0].decode() for request in peer.requests]
    assert lines == [
        f"GET /v1/query/{ID}?entityId=entity-1&includeLinkedTransactions=true HTTP/1.1",
        f"GET /v1/query?entityId=entity-1&merchantTransactionId={MTID} HTTP/1.1",
    ]
    assert all(b"Authorization: Bearer very-secret" in request for request in peer.requests)


async def test_a_busy_gateway_throttles_a_query() -> None:
    async with _peer(_saying(_http(b"", "429 Too Many Requests"))) as peer, Gateway() as gateway:
        assert await gateway.query_by_id(ID, _call(peer.url).entity) == Throttled()


async def test_no_log_holds_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with _peer(_saying(_http(BOOKED))) as peer:
        await _post(peer.url)
    await _post(f"http://127.0.0.1:{_free_port()}")
    assert "gateway CB d1001book1: success (code 000.100.110, status 200)" in caplog.text
    assert "gateway POST failed: ConnectError" in caplog.text
    assert "very-secret" not in caplog.text
