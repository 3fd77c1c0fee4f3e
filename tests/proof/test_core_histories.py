"""Any interleaving, repetition and delay of a case's events ends in the same case and books.

Generated histories of the pure core: a machine lets facts happen, arrive late, twice and in any
order, and calls succeed, be refused or stay in doubt, and settles the books on the way.
"""

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from disputes.chain import booked_minor, target_minor
from disputes.events import (
    Body,
    CaseEvent,
    LiabilityAccepted,
    Opened,
    PaymentKnown,
    Reported,
    Ruled,
    Submitted,
)
from disputes.ledger import Account, Levels, Posting, fact_postings, operation_postings
from disputes.messages import AcceptLiability, BankRuling, NetworkEvent, SubmitRepresentment
from disputes.operations import Payment
from disputes.status import attention
from disputes.vocabulary import Flow, NetworkEventKind, Outcome, PaymentType, Purpose, Stage
from tests.proof.lives import Life
from tests.support.story import PAYMENT_ID, day, euros, notice, terms

AMOUNTS = ("10.00", "40.00", "91.00", "92.00")
#: Kinds of which the order of arrival is told apart by the moment alone.
KINDS = tuple(NetworkEventKind)
FEES = (NetworkEventKind.FEE_CHARGED, NetworkEventKind.FEE_RETURNED)


class Histories(RuleBasedStateMachine):
    """``first`` hears of everything at once; ``second`` late, twice and in another order."""

    @initialize(
        flow=st.sampled_from((Flow.COLLABORATION, Flow.ALLOCATION)),
        stage=st.sampled_from((Stage.INQUIRY, Stage.CHARGEBACK)),
    )
    def open(self, flow: Flow, stage: Stage) -> None:
        self.lives = (Life(), Life())
        self.number = 0
        self.on_the_way: list[tuple[str, datetime, Body]] = []
        self.delivered: list[tuple[str, datetime, Body]] = []
        opened = Opened(notice=notice(stage=stage), terms=terms(flow=flow))
        payment = Payment(
            payment_id=PAYMENT_ID,
            known=True,
            entry_type=PaymentType.DB,
            amount_minor=9200,
            currency="EUR",
        )
        for life in self.lives:
            life.tell("payment", day(0), PaymentKnown(payment=payment))
        self._happen("notice", 0, opened)

    def _happen(self, event_id: str, at: float, body: Body) -> None:
        fact = (event_id, day(at), body)
        self.lives[0].tell(*fact)
        self.on_the_way.append(fact)

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
            life.tell(f"{body.kind}:{self.number}", day(at), body)

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
            assert life.book.balances[Account.ACQUIRER] == life.gateway.total

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
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def _by_arrival(event: CaseEvent) -> tuple[int]:
    return (event.sequence,)


def _all_taken(_purpose: Purpose, minor: int, currency: str) -> tuple[Posting, ...]:
    return operation_postings(Purpose.BOOK, minor, currency)


def _losses_stay(before: Levels, after: Levels) -> tuple[Posting, ...]:
    return tuple(line for line in fact_postings(before, after) if line.text != "loss undone")


#: Mistakes put into the rules on purpose: what they take the place of, and with what.
MISTAKES: dict[str, tuple[str, Callable[..., object]]] = {
    "arrival counts": ("disputes.lifecycle.order", _by_arrival),
    "all that is booked is a chargeback": ("tests.proof.lives.operation_postings", _all_taken),
    "a loss is never undone": ("tests.proof.lives.fact_postings", _losses_stay),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_put_into_the_rules_is_caught(
    mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*MISTAKES[mistake])
    search = settings(
        TestHistories.settings, max_examples=500, phases=[Phase.generate], database=None
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Histories, settings=search)
