"""Tells a case's life event by event through the rules alone, and keeps its books on the way."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from disputes import commands
from disputes.case import Case
from disputes.chain import next_plan
from disputes.deadlines import next_timer
from disputes.events import (
    Body,
    Booked,
    CaseEvent,
    Opened,
    OperationReported,
    PaymentKnown,
    Reported,
    Ruled,
    TimerFired,
    TimerKind,
)
from disputes.ledger import (
    IN_HAND,
    INCOME_AND_EXPENSE,
    Account,
    ActsOn,
    Posting,
    entry_postings,
    fact_postings,
    levels,
    operation_postings,
)
from disputes.lifecycle import advance
from disputes.messages import AddEvidence, BankRuling, Booking, Command, NetworkEvent
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.operations import Operation, Payment, Plan
from disputes.terms import AnyOf, Capabilities, CaseTerms, Checklist, EvidencePath, Pin
from disputes.vocabulary import (
    Finality,
    Flow,
    Network,
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Purpose,
    Stage,
    Status,
)

PAYMENT_ID = "0" * 31 + "1"
START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
CHECKLIST = Checklist(
    ruled=True,
    paths=(
        EvidencePath(
            path="delivery",
            all_of=("proof_of_delivery",),
            any_of=(AnyOf(group="order", types=("invoice", "order_confirmation")),),
        ),
    ),
)


def day(number: float) -> datetime:
    """A moment ``number`` days after the notice reached us."""
    return START + timedelta(days=number)


def euros(amount: str) -> Money:
    return Money(amount=amount, currency="EUR")


def gateway_id(number: int) -> str:
    return f"{number:032x}"


def terms(**changes: object) -> CaseTerms:
    """Terms of a case in the collaboration flow; rebills and undoing are supported."""
    pin = Pin(version="1", sha256="0" * 64)
    base: dict[str, object] = {
        "rulebook": pin,
        "policy": pin,
        "known_reason": True,
        "category": "goods_not_received",
        "fraud": False,
        "flow": Flow.COLLABORATION,
        "checklist": CHECKLIST,
        "respond_days": 30,
        "inquiry_days": 20,
        "pre_arbitration_answer_days": 30,
        "arbitration_days": 10,
        "issuer_answer_days": 30,
        "expected_fee_minor": 1500,
        "capabilities": Capabilities(rebill_after_dispute=True, undo_reversal="cr_on_tip"),
    }
    return CaseTerms.model_validate(base | changes)


def notice(**changes: object) -> DisputeNotice:
    base: dict[str, object] = {
        "dispute_id": "D-1",
        "merchant_id": "M-1",
        "payment_id": PAYMENT_ID,
        "stage": Stage.CHARGEBACK,
        "network": Network.VISA,
        "reason_code": "13.1",
        "amount": euros("92.00"),
        "received_at": START,
        "processed_at": START.date(),
    }
    return DisputeNotice.model_validate(base | changes)


class Book:
    """The ledger in memory; after every posting the identity must hold (ledger)."""

    def __init__(self) -> None:
        self.balances: Counter[Account] = Counter()

    def post(self, postings: Sequence[Posting]) -> None:
        for posting in postings:
            assert posting.amount_minor > 0
            self.balances[posting.debit] += posting.amount_minor
            self.balances[posting.credit] -= posting.amount_minor
            assert self.in_hand + self.at_risk == -self._sum(INCOME_AND_EXPENSE), posting

    def _sum(self, accounts: Sequence[Account]) -> int:
        return sum(self.balances[account] for account in accounts)

    @property
    def in_hand(self) -> int:
        return self._sum(IN_HAND)

    @property
    def at_risk(self) -> int:
        return self.balances[Account.DISPUTED]

    def reading(self) -> tuple[int, ...]:
        """Whole units in the columns of the ledger's table, from acquirer to at risk."""
        shown = [
            self.balances[Account.ACQUIRER],
            self.balances[Account.UNMIRRORED],
            self.balances[Account.DISPUTED],
            self.balances[Account.DISPUTE_LOSS],
            self.balances[Account.REFUNDS],
            -self.balances[Account.RECOVERED],
            -self.balances[Account.GIVEBACK_DUE],
            self.in_hand,
            self.at_risk,
        ]
        assert all(minor % 100 == 0 for minor in shown)
        return tuple(minor // 100 for minor in shown)


class Story:
    """A case that lives; every event posts what it changes to ``book``."""

    def __init__(self, case_terms: CaseTerms | None = None, book: Book | None = None) -> None:
        self.terms = case_terms or terms()
        self.case = Case(case_id="D-1")
        self.book = book or Book()
        self.calls: list[Plan] = []
        self._entries = 100
        self.now = START

    def tell(self, body: Body, at: datetime | None = None, event_id: str | None = None) -> Case:
        """One event; ``at`` is when it happened, by default when it is told."""
        sequence = len(self.case.events) + 1
        event = CaseEvent(
            sequence=sequence,
            event_id=event_id or f"{body.kind}:{sequence}",
            at=at or self.now,
            recorded_at=self.now,
            actor="test",
            body=body,
        )
        before, self.case = self.case, advance(self.case, event)
        self.book.post(fact_postings(levels(before), levels(self.case)))
        for operation in self.case.operations:
            if operation.state is OperationState.SETTLED and not _known(before, operation):
                self.book.post(
                    operation_postings(
                        operation.purpose, operation.amount_minor, operation.currency
                    )
                )
        return self.case

    def sale(self, minor: int = 9200) -> "Story":
        self.book.post(entry_postings(PaymentType.DB, minor, "EUR"))
        return self

    def refund(self, minor: int) -> "Story":
        self.book.post(entry_postings(PaymentType.RF, minor, "EUR", ActsOn(PaymentType.DB)))
        return self

    def opened(self, **changes: object) -> "Story":
        told = notice(**changes)
        self.tell(Opened(notice=told, terms=self.terms), at=told.received_at, event_id="notice")
        return self

    def payment(self, **changes: object) -> "Story":
        base: dict[str, object] = {
            "payment_id": PAYMENT_ID,
            "known": True,
            "entry_type": PaymentType.DB,
            "amount_minor": 9200,
            "currency": "EUR",
        }
        self.tell(PaymentKnown(payment=Payment.model_validate(base | changes)))
        return self

    def on(self, number: float) -> "Story":
        """Move the case's clock to a day."""
        self.now = day(number)
        return self

    def ruled(
        self, outcome: Outcome, at: float, merchant: str | None = None, **changes: object
    ) -> "Story":
        """The bank rules on a day; the ruling arrives at once unless the clock is later."""
        number = len(self.case.events)
        base: dict[str, object] = {
            "ruling_id": f"R-{number}",
            "outcome": outcome,
            "decided_at": day(at),
            "merchant_amount": euros(merchant) if merchant else None,
        }
        ruling = BankRuling.model_validate(base | changes)
        self.now = max(self.now, day(at))
        self.tell(Ruled(ruling=ruling), at=day(at), event_id=f"ruling:{ruling.ruling_id}")
        return self

    def network(
        self,
        kind: NetworkEventKind,
        at: float,
        amount: str | Money | None = None,
        **changes: object,
    ) -> "Story":
        number = len(self.case.events)
        base: dict[str, object] = {
            "event_id": f"E-{number}",
            "kind": kind,
            "occurred_at": day(at),
            "amount": euros(amount) if isinstance(amount, str) else amount,
        }
        news = NetworkEvent.model_validate(base | changes)
        self.now = max(self.now, day(at))
        self.tell(Reported(event=news), at=day(at), event_id=f"event:{news.event_id}")
        return self

    def command(self, name: str, command: Command) -> "Story":
        """A command at the case's clock; raises its refusal."""
        for body in commands.decide(self.case, name, command, self.now):
            self.tell(body)
        return self

    def evidence(self, *types: str) -> "Story":
        for name in types or ("proof_of_delivery", "invoice"):
            piece = AddEvidence(
                evidence_id=f"EV-{len(self.case.events)}",
                evidence_type=name,
                submitted_by="ann",
                text="as agreed",
            )
            self.command("add_evidence", piece)
        return self

    def gateway(self) -> "Story":
        """The gateway books everything that the case owes."""
        while plan := next_plan(self.case):
            assert len(self.calls) < 50, "the case never stops calling"
            self.calls.append(plan)
            self.answer(plan)
        return self

    def answer(self, plan: Plan, state: OperationState = OperationState.SETTLED) -> "Story":
        """The gateway's word on one call."""
        self._entries += 1
        booked = state is OperationState.SETTLED
        operation = Operation(
            key=plan.key,
            purpose=plan.purpose,
            state=state,
            payment_type=plan.payment_type,
            amount_minor=plan.amount_minor,
            currency=plan.currency,
            referenced_id=plan.referenced_id,
            gateway_id=gateway_id(self._entries) if booked else None,
        )
        self.tell(OperationReported(operation=operation))
        return self

    def booked_by_gateway(
        self, purpose: Purpose, minor: int, referenced_id: str = PAYMENT_ID
    ) -> str:
        """The gateway booked an entry by itself; gives its id."""
        self._entries += 1
        entry = gateway_id(self._entries)
        kind = PaymentType.CB if purpose is Purpose.BOOK else PaymentType.CR
        operation = Operation(
            key=f"gateway:{entry}",
            purpose=purpose,
            state=OperationState.SETTLED,
            payment_type=kind,
            amount_minor=minor,
            currency="EUR",
            referenced_id=referenced_id,
            gateway_id=entry,
        )
        booking = Booking.model_validate(
            {"gateway_id": entry, "payment_type": kind, "occurred_at": self.now}
        )
        self.tell(Booked(booking=booking, operation=operation))
        return entry

    def until(self, kind: TimerKind) -> "Story":
        """Let the case's moments come until one of ``kind`` has."""
        while timer := next_timer(self.case):
            self.now = max(self.now, timer.due)
            self.tell(
                TimerFired(timer=timer.kind, due=timer.due, detail=timer.detail), at=timer.due
            )
            if timer.kind is kind:
                return self
        raise AssertionError(f"{kind} never comes")

    def standing(self) -> Status:
        return self.case.status

    def finality(self) -> Finality:
        return self.case.finality

    @property
    def sent(self) -> list[tuple[str, int]]:
        """Calls made, as type and amount in minor units."""
        return [(plan.payment_type.value, plan.amount_minor) for plan in self.calls]


def _known(case: Case, operation: Operation) -> bool:
    return any(
        op.state is OperationState.SETTLED
        and (op.key == operation.key or op.gateway_id == operation.gateway_id)
        for op in case.operations
    )
