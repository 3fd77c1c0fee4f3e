"""Disputes driven through the store as their workflow does, without a workflow or a gateway."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from disputes import chain
from disputes.case import Case
from disputes.events import (
    Body,
    CaseEvent,
    Opened,
    OperationReported,
    PaymentKnown,
    RebillRequested,
    RefundRequested,
    Reported,
    Ruled,
)
from disputes.ledger import IN_HAND, Account
from disputes.lifecycle import fold
from disputes.messages import (
    BankRuling,
    Consent,
    NetworkEvent,
    RequestRebill,
    ResolveByRefund,
)
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.operations import GatewayEntry, Operation, Payment, Plan
from disputes.store.engine import Store
from disputes.store.ledger import LedgerBook
from disputes.store.operations import SqlOperationBook
from disputes.store.reads import Reads
from disputes.store.register import SqlRegister
from disputes.terms import Capabilities, CaseTerms, Checklist, Pin
from disputes.vocabulary import (
    Flow,
    Network,
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Stage,
)

START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
FEE = 1500
_PIN = Pin(version="1", sha256="0" * 64)
#: A CR on the newest CR undoes it, so that every row of the ledger's table has its mirror.
CAPABILITIES = Capabilities(undo_reversal="cr_on_tip", rebill_after_dispute=True)
_ids = count(1)


def new_id() -> str:
    """A gateway id that no other entry has."""
    return f"{next(_ids):032x}"


def entry(
    payment_type: PaymentType,
    minor: int | None,
    under: str | None = None,
    *,
    gateway_id: str | None = None,
    mtid: str | None = None,
    succeeded: bool = True,
) -> GatewayEntry:
    """An entry of the gateway; EUR cents."""
    return GatewayEntry(
        gateway_id=gateway_id or new_id(),
        payment_type=payment_type,
        succeeded=succeeded,
        amount_minor=minor,
        currency="EUR",
        referenced_id=under,
        merchant_transaction_id=mtid,
        result_code="000.000.000" if succeeded else "800.100.152",
    )


def notice(dispute_id: str, payment_id: str, minor: int, **more: object) -> DisputeNotice:
    """A chargeback notice in EUR."""
    return DisputeNotice(
        dispute_id=dispute_id,
        merchant_id="M-1",
        payment_id=payment_id,
        stage=Stage.CHARGEBACK,
        network=Network.VISA,
        reason_code="13.1",
        amount=Money.of(minor, "EUR"),
        received_at=START,
        processed_at=START.date(),
    ).model_copy(update=more)


def terms(fee: int = FEE) -> CaseTerms:
    """The terms of a collaboration case with an expected fee of 15.00."""
    return CaseTerms(
        rulebook=_PIN,
        policy=_PIN,
        known_reason=True,
        category="goods_not_received",
        fraud=False,
        flow=Flow.COLLABORATION,
        checklist=Checklist(ruled=False),
        gateway_reason="000.100.221",
        respond_days=30,
        pre_arbitration_answer_days=30,
        arbitration_days=10,
        issuer_answer_days=30,
        capabilities=CAPABILITIES,
        expected_fee_minor=fee,
    )


@dataclass
class Scene:
    """A store with its adapters."""

    store: Store
    register: SqlRegister = field(init=False)
    book: SqlOperationBook = field(init=False)
    ledger: LedgerBook = field(init=False)
    reads: Reads = field(init=False)

    def __post_init__(self) -> None:
        self.register = SqlRegister(self.store)
        self.book = SqlOperationBook(self.store)
        self.ledger = LedgerBook(self.store)
        self.reads = Reads(self.store)

    def position(self, account: Account) -> int:
        """An account over everything, debit +."""
        return sum(self.ledger.positions(account).values())

    def readings(self) -> dict[str, int]:
        """The columns of the ledger's table that are not zero, in whole EUR, with its signs."""
        columns = {
            "acquirer": self.position(Account.ACQUIRER),
            "unmirrored": self.position(Account.UNMIRRORED),
            "disputed": self.position(Account.DISPUTED),
            "loss": self.position(Account.DISPUTE_LOSS),
            "refunds": self.position(Account.REFUNDS),
            "recovered": -self.position(Account.RECOVERED),
            "due": -self.position(Account.GIVEBACK_DUE),
            "in_hand": sum(self.position(account) for account in IN_HAND),
        }
        return {name: minor // 100 for name, minor in columns.items() if minor}

    def dispute(self, dispute_id: str, entries: Sequence[GatewayEntry], minor: int) -> "Dispute":
        """Open a dispute on the last CP, DB or RB of ``entries``, asking the gateway once."""
        dispute = Dispute(self, dispute_id, entries)
        dispute.open(minor)
        return dispute


@dataclass
class Dispute:
    """One case: its events as its workflow numbers them, and the gateway's entries."""

    scene: Scene
    case_id: str
    entries: Sequence[GatewayEntry]
    events: list[CaseEvent] = field(default_factory=list)

    #: the entry that is disputed: the last that was presented
    payment_id: str = field(init=False)

    def __post_init__(self) -> None:
        presented = (PaymentType.CP, PaymentType.DB, PaymentType.RB)
        self.payment_id = [item for item in self.entries if item.payment_type in presented][
            -1
        ].gateway_id

    @property
    def case(self) -> Case:
        """The case as its workflow folds it."""
        return fold(self.case_id, self.events)

    @property
    def plan(self) -> Plan:
        """What the case owes the gateway; fails where it owes nothing."""
        plan = chain.next_plan(self.case)
        assert plan is not None
        return plan

    @property
    def now(self) -> datetime:
        """Case time: an hour for each event."""
        return START + timedelta(hours=len(self.events))

    def happen(self, body: Body) -> CaseEvent:
        """The next event, not recorded yet."""
        number = len(self.events) + 1
        event = CaseEvent(
            sequence=number,
            event_id=f"E-{number}",
            at=self.now,
            recorded_at=self.now,
            actor="bank",
            body=body,
        )
        self.events.append(event)
        return event

    def record(self, *bodies: Body) -> None:
        """Let events happen and keep them."""
        self.scene.register.record(self.case_id, [self.happen(body) for body in bodies])

    def open(self, minor: int, **more: object) -> None:
        """The notice, and what the gateway knows of the payment."""
        opening = notice(self.case_id, self.payment_id, minor, **more)
        self.record(Opened(notice=opening, terms=terms()))
        self.record(PaymentKnown(payment=self.ask()))

    def ask(self) -> Payment:
        """Adopt the payment from the gateway's entries."""
        return self.scene.book.adopt_payment(self.case_id, self.payment_id, self.entries, self.now)

    def ruled(self, outcome: Outcome, minor: int | None = None) -> None:
        """The bank rules; ``minor`` returns to the merchant."""
        self.record(self.ruling(outcome, minor))

    def ruling(self, outcome: Outcome, minor: int | None = None) -> Ruled:
        """A ruling of this moment."""
        return Ruled(
            ruling=BankRuling(
                ruling_id=f"R-{len(self.events)}",
                outcome=outcome,
                decided_at=self.now,
                merchant_amount=Money.of(minor, "EUR") if minor else None,
            )
        )

    def charged_again(self) -> None:
        """The bank takes back what it had reinstated."""
        self.reported(NetworkEventKind.SECOND_CHARGEBACK)

    def reported(self, kind: NetworkEventKind, minor: int | None = None) -> None:
        """The network does something; ``minor``: the amount that it names."""
        name, amount = f"N-{len(self.events)}", Money.of(minor, "EUR") if minor else None
        news = NetworkEvent(event_id=name, kind=kind, occurred_at=self.now, amount=amount)
        self.record(Reported(event=news))

    def rebill(self, minor: int) -> None:
        """An approved rebill."""
        consent = Consent(given_at=START, evidence_id="EV-1")
        asked = RequestRebill(requested_by="ann", reason="delivered", consent=consent)
        self.record(RebillRequested(request=asked, rebill_id="RB-1", amount_minor=minor))

    def refund(self, minor: int) -> None:
        """An approved refund that settles an inquiry."""
        asked = ResolveByRefund(requested_by="ann")
        place = len(self.case.refunds) + 1
        self.record(RefundRequested(request=asked, place=place, amount_minor=minor, closes=True))

    def send(self) -> Operation:
        """Intend, send and settle what is owed next, and report it to the case."""
        plan = self.plan
        record = self.scene.book.intend(plan, ())
        if record.operation.state is OperationState.INTENDED:
            self.scene.book.mark_sent(plan.key, attempts=record.attempts)
            made = entry(plan.payment_type, plan.amount_minor, plan.referenced_id)
            self.entries = [*self.entries, made]
            return self.settle(plan, gateway_id=made.gateway_id)
        self.record(OperationReported(operation=record.operation))
        return record.operation

    def settle(
        self,
        plan: Plan,
        state: OperationState = OperationState.SETTLED,
        gateway_id: str | None = None,
    ) -> Operation:
        """End an operation and report it to the case."""
        operation = self.scene.book.settle(plan.key, state, gateway_id=gateway_id, at=self.now)
        self.record(OperationReported(operation=operation))
        return operation
