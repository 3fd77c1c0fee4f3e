"""The gateway itself: from an order or a question to the booked transaction and its answer."""

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime

from disputes.vocabulary import PaymentType
from sandbox import codes
from sandbox.book import Book
from sandbox.faults import Armed
from sandbox.form import BACK_OFFICE
from sandbox.rules import Refused, decide
from sandbox.settings import Settings
from sandbox.throttle import Throttle
from sandbox.transactions import Order, Transaction, transaction

#: Requests remembered for ``GET /_sandbox/requests``; older ones are dropped.
_REMEMBERED = 20_000


class Gateway:
    """All state of one sandbox: the book, the switches, the armed faults, the request log."""

    def __init__(self, book: Book, settings: Settings) -> None:
        self.book = book
        self.settings = settings
        self.faults = Armed()
        self.throttle = Throttle()
        self.requests: deque[dict[str, object]] = deque(maxlen=_REMEMBERED)

    def allows(self, authorization: str, entity_id: str) -> bool:
        """Whether the bearer token belongs to the entity."""
        token = self.settings.entities.get(entity_id)
        return token is not None and authorization == f"Bearer {token}"

    def process(self, order: Order) -> Transaction:
        """Book ``order`` or record its refusal; either way it has an id from now on."""
        entry = self._decided(order)
        self.book.add(entry)
        return entry

    def pend(self, order: Order, code: str) -> Transaction:
        """Keep ``order`` as pending: it has an id and moves nothing yet."""
        referenced = self.book.get(order.referenced_id)
        entry = transaction(order, referenced, order.amount_minor or 0, code)
        self.book.add(entry)
        return entry

    def mature(self, pending: Transaction, order: Order) -> None:
        """Book what was pending, or refuse it, under the id that it has."""
        self.book.replace(self._decided(replace(order, id=pending.id)))

    def _decided(self, order: Order) -> Transaction:
        referenced = self.book.get(order.referenced_id)
        amount, code = order.amount_minor or 0, order.simulated_code
        if code is None or codes.succeeded(code):
            try:
                amount = self._decide(order, referenced)
                code = code or self._done(order)
            except Refused as refused:
                code = refused.code
        return transaction(order, referenced, amount, code)

    def book_again(self, entry: Transaction, order: Order) -> None:
        """Book a twin of ``entry`` past every rule: what a gateway does that sends twice."""
        referenced = self.book.get(entry.referenced_id)
        twin = replace(order, id=None)
        self.book.add(transaction(twin, referenced, entry.amount_minor, entry.result_code))

    def _decide(self, order: Order, referenced: Transaction | None) -> int:
        named = order.merchant_transaction_id
        if self.settings.refuse_duplicates and named and self.book.named(order.entity_id, named):
            raise Refused(codes.DUPLICATE)
        if order.referenced_id or order.payment_type in BACK_OFFICE:
            self._check_switches(order, referenced)
            return decide(order, referenced, self.book)
        return order.amount_minor or 0

    def _check_switches(self, order: Order, referenced: Transaction | None) -> None:
        """What this acquirer does not do, or no longer."""
        if order.payment_type is PaymentType.CB and not self.settings.merchant_chargebacks:
            raise Refused("700.400.402")
        if order.payment_type is not PaymentType.CP or referenced is None:
            return
        if not self.settings.captures:
            raise Refused("700.400.101")
        captures = [
            it for it in self.book.children(referenced.id) if it.payment_type is order.payment_type
        ]
        if captures and not self.settings.multiple_captures:
            raise Refused("700.400.100")
        age = datetime.now(UTC) - datetime.fromisoformat(referenced.booked_at)
        if age.total_seconds() >= self.settings.authorization_valid_s:
            raise Refused("700.300.400")

    def _done(self, order: Order) -> str:
        if order.payment_type is PaymentType.CB and self.settings.chargeback_answers_reason:
            return order.reason or "000.100.200"
        if order.test_mode == "EXTERNAL":
            return codes.SUCCESS_EXTERNAL
        return codes.SUCCESS_INTERNAL
