"""Any interleaving, repetition and delay of a case's events ends in the same case and books.

Generated histories of the pure core: a machine lets facts happen, arrive late, twice and in any
order, and calls succeed, be refused or stay in doubt, and settles the books on the way.
"""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from disputes.case import Case
from disputes.chain import booked_minor, next_plan, target_minor
from disputes.events import (
    Body,
    CaseEvent,
    LiabilityAccepted,
    Opened,
    OperationReported,
    PaymentKnown,
    Reported,
    Ruled,
    Submitted,
)
from disputes.ledger import (
    Account,
    entry_postings,
    fact_postings,
    levels,
    operation_postings,
)
from disputes.lifecycle import advance
from disputes.messages import AcceptLiability, BankRuling, NetworkEvent, SubmitRepresentment
from disputes.operations import Operation, Payment
from disputes.status import attention
from disputes.vocabulary import (
    Flow,
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Stage,
)
from tests.support.story import PAYMENT_ID, Book, day, euros, gateway_id, notice, terms

AMOUNTS = ("10.00", "40.00", "91.00", "92.00")
#: Kinds of which the order of arrival is told apart by the moment alone.
KINDS = tuple(NetworkEventKind)
FEES = (NetworkEventKind.FEE_CHARGED, NetworkEventKind.FEE_RETURNED)


@dataclass
class Life:
    """One case as one observer sees it arrive, with its own gateway and books."""

    case: Case = field(default_factory=lambda: Case(case_id="D-1"))
    book: Book = field(default_factory=Book)
    entries: int = 100

    def __post_init__(self) -> None:
        self.book.post(entry_postings(PaymentType.DB, 9200, "EUR"))

    def tell(self, event_id: str, at: float, body: Body) -> None:
        """One event, and what it changes on the books; their identity holds at every posting."""
        event = CaseEvent(
            sequence=len(self.case.events) + 1,
            event_id=event_id,
            at=day(at),
            recorded_at=day(100),
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
        self.entries += 1
        operation = Operation(
            key=plan.key,
            purpose=plan.purpose,
            state=state,
            payment_type=plan.payment_type,
            amount_minor=plan.amount_minor,
            currency="EUR",
            referenced_id=plan.referenced_id,
            gateway_id=gateway_id(self.entries) if booked else None,
        )
        self.tell(f"operation:{len(self.case.events)}", 101, OperationReported(operation=operation))
        if booked:
            self.book.post(operation_postings(plan.purpose, plan.amount_minor, "EUR"))

    def rest(self) -> None:
        """Every call that is owed; a case that never stops calling is wrong."""
        for _call in range(60):
            if next_plan(self.case) is None:
                return
            self.call()
        raise AssertionError("the case never stops calling")

    @property
    def end(self) -> tuple[object, ...]:
        """What may not depend on the order of arrival."""
        case = self.case
        return (case.status, case.stage, case.cycle, case.finality, levels(case))

    def positions(self, *, mirrored: bool) -> dict[Account, int]:
        """Every account that is not zero; else ``acquirer`` and ``unmirrored`` as one."""
        balances = Counter(self.book.balances)
        if not mirrored:
            balances[Account.ACQUIRER] += balances.pop(Account.UNMIRRORED, 0)
        return {account: minor for account, minor in balances.items() if minor}


class Histories(RuleBasedStateMachine):
    """``first`` hears of everything at once; ``second`` late, twice and in another order."""

    @initialize(
        flow=st.sampled_from((Flow.COLLABORATION, Flow.ALLOCATION)),
        stage=st.sampled_from((Stage.INQUIRY, Stage.CHARGEBACK)),
    )
    def open(self, flow: Flow, stage: Stage) -> None:
        self.lives = (Life(), Life())
        self.number = 0
        self.on_the_way: list[tuple[str, float, Body]] = []
        self.delivered: list[tuple[str, float, Body]] = []
        opened = Opened(notice=notice(stage=stage), terms=terms(flow=flow))
        payment = Payment(
            payment_id=PAYMENT_ID,
            known=True,
            entry_type=PaymentType.DB,
            amount_minor=9200,
            currency="EUR",
        )
        for life in self.lives:
            life.tell("payment", 0, PaymentKnown(payment=payment))
        self._happen("notice", 0, opened)

    def _happen(self, event_id: str, at: float, body: Body) -> None:
        self.lives[0].tell(event_id, at, body)
        self.on_the_way.append((event_id, at, body))

    @rule(
        at=st.integers(0, 9),
        outcome=st.sampled_from(Outcome),
        share=st.sampled_from((*AMOUNTS, None)),
        stage=st.none() | st.sampled_from(list(Stage)[2:]),
    )
    def the_bank_rules(
        self, at: int, outcome: Outcome, share: str | None, stage: Stage | None
    ) -> None:
        self.number += 1
        named = share or ("40.00" if outcome is Outcome.PARTIAL else None)
        ruling = BankRuling(
            ruling_id=f"R-{self.number}",
            outcome=outcome,
            decided_at=day(at),
            merchant_amount=euros(named) if named else None,
            stage=stage,
        )
        self._happen(f"ruling:R-{self.number}", at, Ruled(ruling=ruling))

    @rule(
        at=st.integers(0, 9),
        kind=st.sampled_from(KINDS),
        amount=st.sampled_from((*AMOUNTS, None)),
        answer_days=st.sampled_from((0, 60)),
    )
    def the_network_tells(
        self, at: int, kind: NetworkEventKind, amount: str | None, answer_days: int
    ) -> None:
        self.number += 1
        named = amount or ("10.00" if kind in FEES else None)
        event = NetworkEvent(
            event_id=f"E-{self.number}",
            kind=kind,
            occurred_at=day(at),
            amount=euros(named) if named else None,
            respond_by=day(answer_days) if answer_days else None,
        )
        self._happen(f"event:E-{self.number}", at, Reported(event=event))

    @rule(at=st.integers(0, 9), part=st.sampled_from((1000, 9200)))
    def the_merchant_gives_up(self, at: int, part: int) -> None:
        self._command(
            at, LiabilityAccepted(acceptance=AcceptLiability(accepted_by="ann"), amount_minor=part)
        )

    @rule(at=st.integers(0, 9))
    def the_merchant_answers(self, at: int) -> None:
        submission = SubmitRepresentment(submitted_by="ann")
        self._command(at, Submitted(submission=submission, packet_sha256="0" * 64))

    def _command(self, at: int, body: Body) -> None:
        """Ours keep their order among themselves, so both hear of it now."""
        self.number += 1
        for life in self.lives:
            life.tell(f"{body.kind}:{self.number}", at, body)

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def a_fact_arrives(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.on_the_way) - 1))
        fact = self.on_the_way.pop(place)
        self.lives[1].tell(*fact)
        self.delivered.append(fact)

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def a_fact_arrives_again(self, data: st.DataObject) -> None:
        self.lives[1].tell(*data.draw(st.sampled_from(self.delivered)))

    @rule(which=st.integers(0, 1))
    def a_call_is_booked(self, which: int) -> None:
        self.lives[which].call()

    @invariant()
    def nobody_holds_what_is_not_there(self) -> None:
        for life in getattr(self, "lives", ()):
            case = life.case
            assert 0 <= case.out_minor <= case.disputed_minor
            assert 0 <= case.loss_minor <= case.out_minor
            assert sum(life.book.balances.values()) == 0

    def teardown(self) -> None:
        """All has arrived and every call is booked: both cases and both books are the same."""
        if not hasattr(self, "lives"):
            return
        first, second = self.lives
        for fact in self.on_the_way:
            second.tell(*fact)
        first.rest()
        second.rest()
        assert second.end == first.end
        assert second.positions(mirrored=False) == first.positions(mirrored=False)
        # One CB per entry: what the bank took more, after a CB was booked, nobody can book, and
        # a person is told.
        if not any("not_mirrored" in attention(life.case) for life in self.lives):
            assert target_minor(second.case) == target_minor(first.case)
            assert booked_minor(second.case) == booked_minor(first.case)
            assert second.positions(mirrored=True) == first.positions(mirrored=True)


TestHistories = pytest.mark.timeout(600)(Histories.TestCase)
TestHistories.settings = settings(
    max_examples=2000,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
