"""A merchant's payments driven through the store, without workflows or a gateway; cents of EUR."""

from dataclasses import dataclass
from itertools import count

from disputes.operations import (
    GatewayEntry,
    Operation,
    Plan,
)
from disputes.vocabulary import OperationState, PaymentType, Purpose
from tests.store.scene import START, Scene, entry, new_id
from tests.support.plans import own_plan

_ids = count(1)


@dataclass
class Payments:
    """What a payment's own workflow asks of the store."""

    scene: Scene

    def plan(self, purpose: Purpose, minor: int, on: str | None = None, **more: object) -> Plan:
        """A payment's own operation; ``on``: the entry it acts on."""
        return own_plan("refund", f"R-{next(_ids)}", purpose, minor, on, **more)

    def shown(self, *entries: GatewayEntry) -> str:
        """Take over what the gateway shows; id of the first entry."""
        first = entries[0].gateway_id
        assert self.scene.book.adopt_own("M-1", first, entries, START).known
        return first

    def debit(self, *under: PaymentType, minor: int = 9200) -> str:
        """A DB that the gateway shows, with entries of all of it under it."""
        debit = entry(PaymentType.DB, minor)
        return self.shown(debit, *(entry(kind, minor, debit.gateway_id) for kind in under))

    def sent(self, plan: Plan) -> Operation:
        """Intend and send; a refused one is given as it is."""
        record = self.scene.book.intend(plan, ())
        if record.operation.state is OperationState.INTENDED:
            record = self.scene.book.mark_sent(plan.key, attempts=record.attempts)
        return record.operation

    def do(self, plan: Plan) -> Operation:
        """Intend, send and settle; a refused one is given as it is."""
        sent = self.sent(plan)
        if sent.state is OperationState.REFUSED:
            return sent
        settled = OperationState.SETTLED
        return self.scene.book.settle(plan.key, settled, gateway_id=new_id(), at=START)

    def made(self, purpose: Purpose, minor: int, on: str | None = None, **more: object) -> str:
        """Id of the entry that an operation made."""
        operation = self.do(self.plan(purpose, minor, on, **more))
        assert operation.gateway_id, operation.reason
        return operation.gateway_id

    def refusal(self, purpose: Purpose, minor: int, on: str | None = None, **more: object) -> str:
        """Why an operation is refused, having posted nothing."""
        before = self.scene.ledger.balances()
        operation = self.do(self.plan(purpose, minor, on, **more))
        assert operation.state is OperationState.REFUSED
        assert self.scene.ledger.balances() == before
        return operation.reason or ""

    def balances(self) -> dict[str, int]:
        """Every account that is not zero."""
        found = {it.account.value: it.amount_minor for it in self.scene.ledger.balances()}
        return {name: minor for name, minor in found.items() if minor}
