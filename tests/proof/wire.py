"""The gateway behind the engine's real adapter: its book, its answers, and all that goes wrong.

Answers are bytes that the engine's own readers read; only the socket is missing.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from disputes.gateway.calls import Call, Entity
from disputes.gateway.client import Gateway, NotSent
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
from disputes.money import to_decimal
from tests.proof.book import Book, Line
from tests.proof.clock import VirtualLoop
from tests.proof.faults import POST_DICE, QUERY, SPOILS, UNCERTAIN, Faults

TIMEOUT_S = 30.0
SETTLE_WINDOW_S = 60.0
_SUCCESS = ("000.000.000", "000.100.110", "000.100.112")
_DECLINED = "800.100.152"
_QUERIES_A_MINUTE = 2
#: Two false denials are what the engine takes for proof.
_CREDIBLE = 2

#: HTTP status and body; ``None`` for a connection that broke.
Answer = tuple[int, bytes] | None


@dataclass
class Wire(Gateway):
    """One payment's gateway.

    ``point`` is told where a request stands, so that its worker may be killed or frozen there;
    ``notify`` gets every line that was booked.
    """

    loop: VirtualLoop
    faults: Faults
    book: Book
    point: Callable[[str], Awaitable[None]]
    notify: Callable[[Line], None]
    duplicate_rule: bool = False

    def __post_init__(self) -> None:
        self._asked: dict[str, list[float]] = {}
        self._denials: Counter[str] = Counter()
        #: requests that may still be booked
        self.under_way = 0
        #: requests to book that left
        self.calls = 0

    async def post(self, call: Call) -> Reply:
        """As ``Gateway.post``, over no socket."""
        await self.point("send")
        if call.deadline.passed:
            self.faults.note(f"{call.merchant_transaction_id} not sent: too late")
            raise NotSent
        fault = self.faults.pick(POST_DICE, 0.5)
        if fault == "connection_refused":
            self.faults.struck(fault)
            return Reply(Verdict.NOT_SENT)
        self.calls += 1
        frozen_s = 0.0
        if self.faults.chance(0.01):
            # Between the check and the write a process may stand still, and nobody can help it.
            self.faults.struck("frozen_between_check_and_write")
            frozen_s = self.faults.random.uniform(1, 20) * SETTLE_WINDOW_S
        served = self.loop.apart(self._serve(call, fault, frozen_s))
        await self.point("request")
        try:
            async with asyncio.timeout(TIMEOUT_S + frozen_s):
                answer = await asyncio.shield(served)
        except TimeoutError:
            return Reply(Verdict.UNKNOWN)
        await self.point("booked")
        if answer is None:
            return Reply(Verdict.UNKNOWN)
        reply = read_reply(call, *answer)
        self.faults.note(f"{call.payment_type} {call.merchant_transaction_id}: {reply.verdict}")
        return reply

    async def query_by_id(self, gateway_id: str, entity: Entity) -> QueryReply:  # noqa: ARG002
        """As ``Gateway.query_by_id``."""
        seen = self._visible()
        main = next((line for line in seen if line.id == gateway_id), None)
        linked = [line for line in seen if line is not main] if main else []
        return await self._ask(GatewayId(gateway_id), main, linked)

    async def query_by_merchant_transaction_id(
        self,
        merchant_transaction_id: str,
        entity: Entity,  # noqa: ARG002 - there is one
    ) -> QueryReply:
        """As ``Gateway.query_by_merchant_transaction_id``."""
        known = [
            line
            for line in self._visible()
            if line.merchant_transaction_id == merchant_transaction_id
        ]
        return await self._ask(MerchantTransactionId(merchant_transaction_id), None, known)

    # -- booking ---------------------------------------------------------------------------

    async def _serve(self, call: Call, fault: str | None, frozen_s: float) -> Answer:
        self.under_way += 1
        try:
            await asyncio.sleep(frozen_s + self.faults.random.uniform(0.01, 0.5))
            answer = await self._answer(call, fault, late=frozen_s > SETTLE_WINDOW_S)
        finally:
            self.under_way -= 1
        await asyncio.sleep(self.faults.random.uniform(0.01, 0.5))
        return answer

    async def _answer(self, call: Call, fault: str | None, *, late: bool) -> Answer:
        if fault is None:
            return _written(self._book(call, late=late))
        if fault.startswith("booked_late"):
            return await self._book_late(call, fault)
        if fault.endswith("_before_booking") or fault.startswith(("throttled", "code_not_sent")):
            self.faults.struck(fault)
            return await self._spoil(fault, call, None)
        if fault == "refusal_with_http_200":
            self.faults.struck(fault)
            return 200, _body(self._line(call, _DECLINED, "dead"))
        line = self._book(call, late=late, fault=fault)
        if line.state == "dead":
            return _written(line)
        self.faults.struck(fault)
        return await self._spoil(fault, call, line)

    def _book(self, call: Call, *, late: bool, fault: str | None = None) -> Line:
        """Book a request by the gateway's rules; what it refuses it may keep as a dead line."""
        mtid, kind = call.merchant_transaction_id, call.payment_type.value
        amount, at = call.amount_minor or 0, self.loop.now
        refusal = self.book.refusal(kind, amount, call.referenced_id or "")
        if self.duplicate_rule and self.book.live(mtid):
            refusal = "800.110.100"
        if refusal:
            return self._line(call, refusal, "dead")
        if fault == "other_amount_booked" and amount > 1:
            amount -= 1
        code = self.faults.random.choice(_SUCCESS)
        if kind == "CB" and self.faults.random.random() < 0.5:
            code = "000.100.221"
        line = self.book.add(kind, amount, at, under=call.referenced_id, mtid=mtid, code=code)
        if late:
            line.excused = "the sender was frozen longer than the settle window"
        elif self._denials[mtid] >= _CREDIBLE:
            line.excused = "the gateway had denied twice what it had booked"
        self._lag(line)
        self._state(line, fault)
        self.faults.note(f"BOOK {kind} {amount} {mtid} {line.state}")
        if line.state == "live":
            self.notify(line)
        return line

    def _line(self, call: Call, code: str, state: str) -> Line:
        """A line that was refused; half of the time the book shows it."""
        kept = Book(self.faults.random) if self.faults.random.random() < 0.5 else self.book
        return kept.add(
            call.payment_type.value,
            call.amount_minor or 0,
            self.loop.now,
            under=call.referenced_id,
            mtid=call.merchant_transaction_id,
            code=code,
            state=state,
        )

    def _lag(self, line: Line) -> None:
        if self.faults.chance(0.03):
            beyond = self.faults.chance(0.2)
            self.faults.struck(f"report_lags_{'beyond' if beyond else 'within'}_window")
            times = self.faults.random.uniform(1, 10) if beyond else 0.4
            line.visible_at += timedelta(seconds=times * SETTLE_WINDOW_S)
            if beyond:
                self._excuse(line, "the report lagged longer than the settle window")

    def _excuse(self, line: Line, why: str) -> None:
        """Whatever comes under the same id from now on could not be foreseen."""
        line.excused = why
        if line.merchant_transaction_id:
            self._denials[line.merchant_transaction_id] = _CREDIBLE

    def _state(self, line: Line, fault: str | None) -> None:
        match fault:
            case "pending_for_minutes" | "pending_then_failed":
                line.state, line.code = "pending", "000.200.000"
                self.loop.apart(self._mature(line, self.faults.random.uniform(60, 1800), fault))
            case "pending_for_days":
                line.state, line.code = "pending", "800.400.500"
                self.loop.apart(self._mature(line, self.faults.random.uniform(1, 3) * 86400, fault))
            case "code_was_reversed":
                line.state, line.code = "dead", "900.100.301"
            case "booked_twice":
                twin = self.book.add(
                    line.kind,
                    line.amount,
                    line.booked_at,
                    under=line.referenced_id,
                    mtid=line.merchant_transaction_id,
                )
                twin.excused = "the gateway booked one request twice"
                self.notify(twin)

    async def _mature(self, line: Line, seconds: float, fault: str) -> None:
        self.under_way += 1
        await asyncio.sleep(seconds)
        failed = fault == "pending_then_failed"
        line.state, line.code = ("dead", _DECLINED) if failed else ("live", "000.100.110")
        self.under_way -= 1
        self.faults.note(f"MATURE {line.merchant_transaction_id} {line.state}")
        if line.state == "live":
            self.notify(line)

    async def _book_late(self, call: Call, fault: str) -> Answer:
        self.faults.struck(fault)
        beyond = fault == "booked_late_beyond_window"
        times = self.faults.random.uniform(1, 20) if beyond else self.faults.random.uniform(0, 0.4)

        async def book() -> None:
            self.under_way += 1
            await asyncio.sleep(times * SETTLE_WINDOW_S)
            line = self._book(call, late=False)
            if beyond:
                line.excused = "booked after the settle window"
            self.under_way -= 1

        self.loop.apart(book())
        return 504, b""

    # -- answering -------------------------------------------------------------------------

    async def _spoil(self, fault: str, call: Call, line: Line | None) -> Answer:
        """The answer as it leaves; ``line`` is what was booked."""
        whole = line or Line(
            "0" * 32,
            call.payment_type.value,
            call.amount_minor or 0,
            call.referenced_id,
            call.merchant_transaction_id,
            _DECLINED,
            self.loop.now,
            self.loop.now,
            "dead",
        )
        if fault.startswith(SPOILS):
            return await self._lose(fault, _body(whole))
        if fault.startswith("code_"):
            name = fault.removeprefix("code_").removesuffix("_booking").rpartition("_")[0]
            code = UNCERTAIN.get(name) or _CODES[fault]
            return 400, _body(whole, {"result": {"code": code}})
        match fault:
            case "other_transaction_id_echoed":
                return 200, _body(whole, {"merchantTransactionId": "f" * 32})
            case "other_type_echoed":
                return 200, _body(whole, {"paymentType": "PA"})
            case "other_amount_echoed":
                return 200, _body(whole, {"amount": "0.01"})
            case "success_without_id":
                return 200, _body(whole, {"id": None})
            case "success_with_http_400":
                return 400, _body(whole)
            case "throttled_post":
                return 429, json.dumps({"result": {"code": "800.120.100"}}).encode()
            case "throttled_post_without_body":
                return 429, b""
            case "slow_answer":
                await asyncio.sleep(TIMEOUT_S * 0.8)
        return _written(whole)

    async def _lose(self, fault: str, body: bytes) -> Answer:
        spoil = next(name for name in SPOILS if fault.startswith(name))
        match spoil:
            case "timeout":
                await asyncio.sleep(2 * TIMEOUT_S)
                return 200, body
            case "reset":
                return None
            case "http_500":
                return 500, b"<html>Internal Server Error</html>"
            case "malformed":
                return 200, b"{" + body
            case "truncated":
                return 200, body[: len(body) // 2]
            case _:
                return 200, b""

    def _visible(self) -> list[Line]:
        return [line for line in self.book.lines if line.visible_at <= self.loop.now]

    async def _ask(self, asked: Asked, main: Line | None, listed: list[Line]) -> QueryReply:
        await asyncio.sleep(self.faults.random.uniform(0.01, 0.5))
        fault = self.faults.pick(QUERY, 0.15)
        if fault == "query_other_amount" and isinstance(asked, GatewayId):
            # What the gateway says of a payment that nobody knew before is all there is to know.
            fault = None
        recent = self._asked.setdefault(asked.value, [])
        recent[:] = [moment for moment in recent if moment > self.loop.time() - 60]
        if len(recent) >= _QUERIES_A_MINUTE:
            self.faults.note("throttled by its own rule")
            return read_query(429, b"", asked)
        recent.append(self.loop.time())
        found = [main, *listed] if main else listed
        needs_lines = ("query_other", "query_list", "query_denied")
        if fault and not (fault.startswith(needs_lines) and not found):
            return await self._misanswer(fault, asked, found)
        if not found:
            return read_query(404, _error("700.400.580"), asked)
        listing: dict[str, object] = {"result": {"code": "000.000.100"}}
        listing["payments"] = [_shown(it) for it in listed]
        if main:
            listing |= _shown(main)
        reply = read_query(200, json.dumps(listing).encode(), asked)
        self.faults.note(f"query {asked.value}: {len(found)} found")
        return reply

    async def _misanswer(self, fault: str, asked: Asked, found: list[Line]) -> QueryReply:
        self.faults.struck(fault)
        listing: dict[str, object] = {"result": {"code": "000.000.100"}}
        match fault:
            case "query_timeout":
                await asyncio.sleep(TIMEOUT_S)
                return Unknown()
            case "query_throttled":
                return read_query(429, _error("800.120.100"), asked)
            case "query_throttled_without_body":
                return read_query(429, b"", asked)
            case "query_http_500":
                return read_query(500, b"<html>", asked)
            case "query_malformed":
                return read_query(200, b'{"result":', asked)
            case "query_empty":
                return read_query(200, b"", asked)
            case "query_denied_while_booked":
                for line in found:
                    if line.merchant_transaction_id:
                        self._denials[line.merchant_transaction_id] += 1
                return read_query(404, _error("700.400.580"), asked)
            case "query_other_transaction_id":
                wrong: dict[str, object] = {"merchantTransactionId": "f" * 32, "id": "f" * 32}
            case "query_other_amount":
                wrong = {"amount": "0.01"}
            case _:
                wrong = {"paymentType": None}
        listing["payments"] = [_shown(line) | wrong for line in found]
        return read_query(200, json.dumps(listing).encode(), asked)


_CODES = {
    "code_not_sent": "900.100.310",
    "code_was_reversed": "900.100.301",
    "code_ask_a_person": "000.400.030",
}


def _written(line: Line) -> tuple[int, bytes]:
    return 400 if line.state == "dead" else 200, _body(line)


def _body(line: Line, wrong: dict[str, object] | None = None) -> bytes:
    shown = _shown(line) | (wrong or {})
    return json.dumps({name: value for name, value in shown.items() if value is not None}).encode()


def _shown(line: Line) -> dict[str, object]:
    return {
        "id": line.id,
        "paymentType": line.kind,
        "amount": to_decimal(line.amount, "EUR"),
        "currency": "EUR",
        "referencedId": line.referenced_id,
        "merchantTransactionId": line.merchant_transaction_id,
        "result": {"code": line.code},
    }


def _error(code: str) -> bytes:
    return json.dumps({"result": {"code": code}}).encode()
