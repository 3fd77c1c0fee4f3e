"""The platform's HTTP surface: ``/v1/payments``, ``/v1/query``, ``/v3/query`` (section 1)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import codes
from sandbox.exchange import Exchange
from sandbox.faults import Match
from sandbox.faulty import struck_order, struck_query
from sandbox.form import entity_of, read_form, read_order
from sandbox.gateway import Gateway
from sandbox.rules import Refused
from sandbox.transactions import Order


class Protocol:
    """Endpoints over one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Routes for Starlette."""
        return [
            Route("/v1/payments", self.post, methods=["POST"]),
            Route("/v1/payments/{id}", self.post, methods=["POST"]),
            Route("/v1/registrations/{registration_id}/payments", self.post, methods=["POST"]),
            Route("/v1/payments/{id}", self.read, methods=["GET"]),
            Route("/v1/query/{id}", self.read, methods=["GET"]),
            Route("/v1/query", self.read, methods=["GET"]),
            Route("/v3/query/{id}", self.read, methods=["GET"]),
            Route("/v3/query", self.read, methods=["GET"]),
        ]

    async def post(self, request: Request) -> Response:
        """Stand-alone payments and, with an id in the path, every back-office operation."""
        exchange = Exchange(self._gateway, request)
        try:
            order = await self._admit(request, exchange)
        except Refused as refused:
            return exchange.bare(refused.code, refused.parameter_errors)
        referenced = self._gateway.book.get(order.referenced_id)
        seen = Match(
            payment_type=order.payment_type,
            payment_id=order.referenced_id,
            merchant_transaction_id=order.merchant_transaction_id,
        )
        fault = self._gateway.faults.take(seen, referenced.root_id if referenced else None)
        if fault:
            return await struck_order(self._gateway, exchange, order, fault)
        return exchange.single(self._gateway.process(order))

    async def _admit(self, request: Request, exchange: Exchange) -> Order:
        referenced_id: str | None = request.path_params.get("id")
        form = read_form(await request.body())
        if registration_id := request.path_params.get("registration_id"):
            form["registrationId"] = registration_id
        exchange.about(entity_of(form), form.get("paymentType"), form.get("merchantTransactionId"))
        self._check_credentials(request, exchange.entity_id)
        limit = self._gateway.settings.post_limit_per_minute
        if referenced_id and not self._gateway.throttle.admits(f"post {referenced_id}", limit):
            raise Refused(codes.THROTTLED)
        return read_order(form, referenced_id)

    def _check_credentials(self, request: Request, entity_id: str) -> None:
        if not self._gateway.allows(request.headers.get("authorization", ""), entity_id):
            raise Refused(codes.UNAUTHORIZED)

    async def read(self, request: Request) -> Response:
        """A payment's status, a transaction by id, or all of one merchantTransactionId."""
        exchange = Exchange(self._gateway, request)
        asked = request.query_params
        identity: str | None = request.path_params.get("id")
        named = asked.get("merchantTransactionId")
        exchange.about(entity_of(asked), None, named)
        try:
            self._check_credentials(request, exchange.entity_id)
            self._check_read(request, exchange.entity_id, identity or named)
        except Refused as refused:
            return exchange.bare(refused.code, refused.parameter_errors)
        entry = self._gateway.book.get(identity)
        seen = Match(payment_id=identity, merchant_transaction_id=named, query=True)
        fault = self._gateway.faults.take(seen, entry.root_id if entry else None)
        if fault:
            return await struck_query(exchange, fault, lambda: self._found(request, exchange))
        return self._found(request, exchange)

    def _check_read(self, request: Request, entity_id: str, asked_for: str | None) -> None:
        if not asked_for:
            missing = {"name": "merchantTransactionId", "message": "is missing"}
            raise Refused(codes.BAD_PARAMETER, [missing])
        key = f"{request.url.path} {entity_id} {asked_for}"
        limit = self._gateway.settings.query_limit_per_minute
        if not self._gateway.throttle.admits(key, limit):
            raise Refused(codes.THROTTLED)

    def _found(self, request: Request, exchange: Exchange) -> Response:
        book, entity_id = self._gateway.book, exchange.entity_id
        identity: str | None = request.path_params.get("id")
        if identity is None:
            found = book.named(entity_id, request.query_params["merchantTransactionId"])
            return exchange.several(found) if found else exchange.bare(codes.NOT_FOUND)
        entry = book.get(identity)
        if entry is None or entry.entity_id != entity_id:
            # A status read of an unknown id finds no session, a query no transaction (section 5).
            status_read = request.url.path.startswith("/v1/payments/")
            return exchange.bare(codes.BAD_PARAMETER if status_read else codes.NOT_FOUND)
        if request.query_params.get("includeLinkedTransactions") == "true":
            # Shape of this answer: unconfirmed (protocol, section 10); the list form is assumed.
            return exchange.several(book.tree(entry.root_id))
        return exchange.single(entry)
