"""One case as one observer sees it arrive, with a gateway and books of its own."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from disputes.case import Case
from disputes.chain import next_plan
from disputes.events import Body, CaseEvent, OperationReported
from disputes.ledger import (
    Account,
    entry_postings,
    fact_postings,
    levels,
    operation_postings,
)
from disputes.lifecycle import advance
from disputes.operations import Operation, Plan
from disputes.vocabulary import OperationState, PaymentType
from tests.proof.book import Book as Gateway
from tests.proof.book import Line
from tests.support.story import PAYMENT_ID, Book, day

#: Outcomes of calls come after all facts.
_LATER = day(101)


@dataclass
class Life:
    """A case of the pure core on a DB of 92.00; what it owes is booked when it is to ``call``.

    ``gateway`` has the gateway's own rules: what it would refuse, the case may not ask for.
    """

    case: Case = field(default_factory=lambda: Case(case_id="D-1"))
    payment_id: str = PAYMENT_ID
    book: Book = field(default_factory=Book)
    gateway: Gateway = field(default_factory=lambda: Gateway(Random(1)))  # noqa: S311 - for ids

    def __post_init__(self) -> None:
        self.gateway.add("DB", 9200, day(0)).id = self.payment_id
        self.book.post(entry_postings(PaymentType.DB, 9200, "EUR"))

    def tell(self, event_id: str, at: datetime, body: Body) -> None:
        """One event, and what it changes on the books; their identity holds at every posting."""
        event = CaseEvent(
            sequence=len(self.case.events) + 1,
            event_id=event_id,
            at=at,
            recorded_at=_LATER,
            actor="test",
            body=body,
        )
        before, self.case = self.case, advance(self.case, event)
        self.book.post(fact_postings(levels(before), levels(self.case)))

    def call(self, state: OperationState = OperationState.SETTLED) -> None:
        """The next call that the case owes, and what became of it."""
        plan = next_plan(self.case)
        if plan is None:
            return
        booked = state is OperationState.SETTLED
        entry = self._booked(plan) if booked else None
        operation = Operation(
            key=plan.key,
            purpose=plan.purpose,
            state=state,
            payment_type=plan.payment_type,
            amount_minor=plan.amount_minor,
            currency="EUR",
            referenced_id=plan.referenced_id,
            gateway_id=entry.id if entry else None,
        )
        number = len(self.case.events)
        self.tell(f"operation:{number}", _LATER, OperationReported(operation=operation))
        if booked:
            self.book.post(operation_postings(plan.purpose, plan.amount_minor, "EUR"))

    def _booked(self, plan: Plan) -> Line:
        kind = plan.payment_type.value
        under = plan.referenced_id or ""
        refusal = self.gateway.refusal(kind, plan.amount_minor, under)
        assert refusal is None, (plan, refusal)
        return self.gateway.add(kind, plan.amount_minor, day(0), under=under, mtid=plan.key)

    def rest(self) -> None:
        """Every call that is owed; a case that never stops calling is wrong."""
        for _call in range(60):
            if next_plan(self.case) is None:
                return
            self.call()
        raise AssertionError("the case never stops calling")

    @property
    def end(self) -> tuple[object, ...]:
        """See ``end_of``."""
        return end_of(self.case)

    def positions(self, *, mirrored: bool) -> dict[Account, int]:
        """Every account that is not zero; else ``acquirer`` and ``unmirrored`` as one."""
        return positions(self.book.balances, mirrored=mirrored)


def end_of(case: Case) -> tuple[object, ...]:
    """What may not depend on the order of arrival."""
    return (case.status, case.stage, case.cycle, case.finality, levels(case))


def positions(balances: Counter[Account], *, mirrored: bool) -> dict[Account, int]:
    """Balances that are not zero; unless ``mirrored``, ``acquirer`` holds ``unmirrored`` too."""
    kept = Counter(balances)
    if not mirrored:
        kept[Account.ACQUIRER] += kept.pop(Account.UNMIRRORED, 0)
    return {account: minor for account, minor in kept.items() if minor}
