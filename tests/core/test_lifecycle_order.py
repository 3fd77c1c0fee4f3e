"""Any order of arrival and any repetition of facts ends in the same case (lifecycle, Order)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from disputes.case import Case
from disputes.chain import booked_minor, owed_minor, target_minor
from disputes.events import (
    Body,
    Booked,
    CaseEvent,
    EvidenceAdded,
    LiabilityAccepted,
    Opened,
    OperationReported,
    PaymentKnown,
    RefundRequested,
    Reported,
    Ruled,
    Submitted,
)
from disputes.ledger import levels
from disputes.lifecycle import advance, fold
from disputes.messages import (
    AcceptLiability,
    AddEvidence,
    BankRuling,
    Booking,
    NetworkEvent,
    ResolveByRefund,
    SubmitRepresentment,
)
from disputes.operations import Operation, Payment
from disputes.vocabulary import (
    Flow,
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Purpose,
    Stage,
)
from tests.support.story import PAYMENT_ID, day, euros, gateway_id, notice, terms

AMOUNTS = st.sampled_from(["10.00", "40.00", "91.00", "92.00"])
DAYS = st.integers(min_value=0, max_value=6)


@st.composite
def rulings(draw: st.DrawFn) -> tuple[int, Body]:
    at, outcome = draw(DAYS), draw(st.sampled_from(Outcome))
    named = outcome is Outcome.PARTIAL or draw(st.booleans())
    ruling = BankRuling(
        ruling_id=f"R-{draw(st.integers(0, 9))}",
        outcome=outcome,
        decided_at=day(at),
        merchant_amount=euros(draw(AMOUNTS)) if named else None,
        stage=draw(st.none() | st.sampled_from(list(Stage)[2:])),
        cycle=draw(st.none() | st.integers(1, 3)),
    )
    return at, Ruled(ruling=ruling)


@st.composite
def network_events(draw: st.DrawFn) -> tuple[int, Body]:
    at, kind = draw(DAYS), draw(st.sampled_from(NetworkEventKind))
    fee = kind in (NetworkEventKind.FEE_CHARGED, NetworkEventKind.FEE_RETURNED)
    event = NetworkEvent(
        event_id=f"E-{draw(st.integers(0, 9))}",
        kind=kind,
        occurred_at=day(at),
        amount=euros(draw(AMOUNTS)) if fee or draw(st.booleans()) else None,
        respond_by=draw(st.none() | st.just(day(60))),
        cycle=draw(st.none() | st.integers(1, 3)),
    )
    return at, Reported(event=event)


@st.composite
def bookings(draw: st.DrawFn) -> tuple[int, Body]:
    """The gateway's own entries: a chargeback, its reversal, the undoing of that."""
    at, depth = draw(DAYS), draw(st.integers(0, 2))
    kind = PaymentType.CB if depth == 0 else PaymentType.CR
    operation = Operation(
        key=f"gateway:{gateway_id(depth + 2)}",
        purpose=(Purpose.BOOK, Purpose.REINSTATE, Purpose.UNDO)[depth],
        state=OperationState.SETTLED,
        payment_type=kind,
        amount_minor=9200,
        currency="EUR",
        referenced_id=gateway_id(depth + 1),
        gateway_id=gateway_id(depth + 2),
    )
    booking = Booking.model_validate(
        {"gateway_id": gateway_id(depth + 2), "payment_type": kind, "occurred_at": day(at)}
    )
    return at, Booked(booking=booking, operation=operation)


COMMANDS: tuple[tuple[int, Body], ...] = (
    (
        1,
        EvidenceAdded(
            evidence=AddEvidence(
                evidence_id="EV", evidence_type="proof_of_delivery", submitted_by="ann", text="ok"
            )
        ),
    ),
    (
        2,
        LiabilityAccepted(
            acceptance=AcceptLiability(accepted_by="ann", amount=euros("10.00")), amount_minor=1000
        ),
    ),
    (
        3,
        Submitted(submission=SubmitRepresentment(submitted_by="ann"), packet_sha256="0" * 64),
    ),
)
#: An inquiry that is refunded in full; what the gateway says of it comes two days later.
REFUNDED: tuple[tuple[int, Body], ...] = (
    (
        2,
        RefundRequested(
            request=ResolveByRefund(requested_by="ann"), place=1, amount_minor=9200, closes=True
        ),
    ),
    (
        4,
        OperationReported(
            operation=Operation(
                key="dispute:D-1:refund:1",
                purpose=Purpose.REFUND,
                state=OperationState.SETTLED,
                payment_type=PaymentType.RF,
                amount_minor=9200,
                currency="EUR",
                referenced_id=PAYMENT_ID,
                gateway_id=gateway_id(9),
            )
        ),
    ),
)


def _id(body: Body, at: int) -> str:
    match body:
        case Ruled():
            return f"ruling:{body.ruling.ruling_id}"
        case Reported():
            return f"event:{body.event.event_id}"
        case Booked():
            return f"booking:{body.booking.gateway_id}"
        case _:
            return f"{body.kind}:{at}"


def _arrive(told: list[tuple[int, Body]]) -> tuple[Case, tuple[CaseEvent, ...]]:
    case = Case(case_id="D-1")
    for sequence, (at, body) in enumerate(told, 1):
        event = CaseEvent(
            sequence=sequence,
            event_id=_id(body, at),
            at=day(at),
            recorded_at=day(100),
            actor="test",
            body=body,
        )
        case = advance(case, event)
    return case, case.events


def _end(case: Case) -> tuple[object, ...]:
    return (
        case.status,
        case.stage,
        case.cycle,
        case.finality,
        case.respond_by,
        levels(case),
        target_minor(case),
        booked_minor(case),
        owed_minor(case),
    )


@settings(deadline=None)
@given(
    facts=st.lists(
        st.one_of(rulings(), network_events(), bookings()),
        max_size=7,
        unique_by=lambda it: _id(it[1], 0),
    ),
    flow=st.sampled_from(Flow),
    stage=st.sampled_from([Stage.INQUIRY, Stage.CHARGEBACK]),
    commands=st.sampled_from([(), COMMANDS[:1], COMMANDS[1:], COMMANDS, REFUNDED]),
    data=st.data(),
)
def test_any_order_and_repetition_of_arrival_ends_in_the_same_case(
    facts: list[tuple[int, Body]],
    flow: Flow,
    stage: Stage,
    commands: tuple[tuple[int, Body], ...],
    data: st.DataObject,
) -> None:
    opened = Opened(notice=notice(stage=stage), terms=terms(flow=flow))
    payment = Payment(
        payment_id=PAYMENT_ID,
        known=True,
        entry_type=PaymentType.DB,
        amount_minor=9200,
        currency="EUR",
        refunded_minor=data.draw(st.sampled_from([0, 2000])),
    )
    told = [(0, opened), *facts, (0, PaymentKnown(payment=payment)), *commands]
    first, _ = _arrive(told)

    shuffled = data.draw(st.permutations([(0, opened), *facts, *facts[:2]]))
    # Ours keep their order among themselves, wherever the facts fall.
    second, events = _arrive([*shuffled, (0, PaymentKnown(payment=payment)), *commands])

    assert _end(second) == _end(first)
    assert _end(fold("D-1", events)) == _end(first)


@settings(deadline=None)
@given(facts=st.lists(st.one_of(rulings(), network_events(), bookings()), max_size=7))
def test_the_bank_never_holds_less_than_nothing_or_more_than_is_disputed(
    facts: list[tuple[int, Body]],
) -> None:
    case, _ = _arrive([(0, Opened(notice=notice(), terms=terms())), *facts])

    assert 0 <= case.out_minor <= case.disputed_minor
    assert 0 <= case.loss_minor <= case.out_minor
    assert case.decided or case.finality.value == "open"
