"""What an armed fault does to a request: before, after or instead of booking and answering."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from starlette.responses import Response

from sandbox import codes
from sandbox.exchange import Exchange
from sandbox.faults import Fault, Kind
from sandbox.gateway import Gateway
from sandbox.transactions import Order

_SILENT_STATUS = dict.fromkeys(
    (Kind.TIMEOUT_BEFORE_BOOKING, Kind.TIMEOUT_AFTER_BOOKING, Kind.BOOK_LATE), 504
)
_SPOILT = frozenset({Kind.MALFORMED_BODY, Kind.TRUNCATED_BODY, Kind.EMPTY_BODY})


async def struck_order(
    gateway: Gateway, exchange: Exchange, order: Order, fault: Fault
) -> Response:
    """Answer a post that ``fault`` strikes, booking it where its kind says so."""
    exchange.struck_by(fault)
    match fault.kind:
        case Kind.REFUSE | Kind.RESULT_CODE:
            return exchange.single(gateway.process(replace(order, simulated_code=fault.code)))
        case Kind.THROTTLE:
            return exchange.bare(codes.THROTTLED)
        case Kind.HTTP_500 | Kind.TIMEOUT_BEFORE_BOOKING:
            return await _silent(exchange, fault)
        case Kind.BOOK_LATE:
            asyncio.get_running_loop().call_later(fault.delay, gateway.process, order)
            return await _silent(exchange, fault)
        case Kind.PENDING:
            code = fault.code if "code" in fault.model_fields_set else codes.PENDING
            entry = gateway.pend(order, code)
            asyncio.get_running_loop().call_later(fault.delay, gateway.mature, entry, order)
            return exchange.single(entry)
        case Kind.HANG:
            await asyncio.sleep(fault.delay)
            return exchange.single(gateway.process(order))
        case _:
            return await _struck_after_booking(gateway, exchange, order, fault)


async def _struck_after_booking(
    gateway: Gateway, exchange: Exchange, order: Order, fault: Fault
) -> Response:
    entry = gateway.process(order)
    match fault.kind:
        case Kind.TIMEOUT_AFTER_BOOKING | Kind.HTTP_500_AFTER_BOOKING:
            return await _silent(exchange, fault)
        case Kind.DUPLICATE_ANSWER:
            gateway.book_again(entry, order)
            return exchange.single(entry)
        case Kind.RESULT_CODE_AFTER_BOOKING:
            return exchange.single(entry, fault.code)
        case _:
            return _spoil(exchange.single(entry), fault)


async def struck_query(exchange: Exchange, fault: Fault, usual: Callable[[], Response]) -> Response:
    """Answer a read that ``fault`` strikes; kinds about booking answer as usual."""
    exchange.struck_by(fault)
    match fault.kind:
        case Kind.REFUSE | Kind.RESULT_CODE | Kind.RESULT_CODE_AFTER_BOOKING:
            return exchange.bare(fault.code)
        case Kind.THROTTLE:
            return exchange.bare(codes.THROTTLED)
        case (
            Kind.HTTP_500
            | Kind.HTTP_500_AFTER_BOOKING
            | Kind.TIMEOUT_BEFORE_BOOKING
            | Kind.TIMEOUT_AFTER_BOOKING
        ):
            return await _silent(exchange, fault)
        case Kind.HANG:
            await asyncio.sleep(fault.delay)
            return usual()
        case _:
            return _spoil(usual(), fault)


async def _silent(exchange: Exchange, fault: Fault) -> Response:
    if fault.kind is not Kind.BOOK_LATE:
        await asyncio.sleep(fault.delay)
    return exchange.silent(fault.http_status or _SILENT_STATUS.get(fault.kind, 500))


def _spoil(response: Response, fault: Fault) -> Response:
    if fault.kind is Kind.REFUSE_SUCCESS_STATUS:
        response.status_code = fault.http_status or 400
    if fault.kind not in _SPOILT:
        return response
    body = bytes(response.body)
    if fault.kind is Kind.TRUNCATED_BODY:
        # The announced length stays, so that the server has to cut the connection.
        response.body = body[: len(body) // 2]
        return response
    broken = b"" if fault.kind is Kind.EMPTY_BODY else body.replace(b'"result"', b'"result', 1)
    return Response(broken, response.status_code, media_type=response.media_type)
