"""The rules of refunds, payouts and rebills: which way, or why not; four eyes; what was told."""

import re
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from disputes import orders
from disputes.errors import (
    IllegalTransition,
    InvalidMessage,
    MoneyHeld,
    NotFound,
    NotSupported,
    Refusal,
    SecondPersonNeeded,
)
from disputes.messages import Consent, Decide
from disputes.money import Money
from disputes.operations import PAYMENT_TYPE, Operation, Payment, Position
from disputes.order_plans import free, plan_of, supported
from disputes.order_status import summary_of
from disputes.orders import Order, OrderKind, requested
from disputes.payment_terms import OrderTerms
from disputes.requests import OrderRequest, PayoutRequest, RebillRequest, RefundRequest
from disputes.terms import Pin
from disputes.vocabulary import (
    OperationState,
    OrderState,
    PaymentType,
    PayoutReason,
    Purpose,
    RebillReason,
    RefundReason,
)
from tests.support.plans import EVERYTHING, REGISTRATION

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PAYMENT = "aa" * 16
_PIN = Pin(version="1", sha256="0" * 64)


def _eur(minor: int) -> Money:
    return Money.of(minor, "EUR")


def _refund(**changes: object) -> RefundRequest:
    base = RefundRequest(
        refund_id="R-1",
        payment_id=PAYMENT,
        amount=_eur(2000),
        reason=RefundReason.CHANGE_OF_MIND,
        merchant_id="M-1",
        requested_by="ana",
    )
    return base.model_copy(update=changes)


def _payout(**changes: object) -> PayoutRequest:
    base = PayoutRequest(
        payout_id="P-1",
        payment_id=PAYMENT,
        amount=_eur(2000),
        reason=PayoutReason.BILLING_ERROR,
        registration_id=REGISTRATION,
        merchant_id="M-1",
        requested_by="ana",
    )
    return base.model_copy(update=changes)


def _rebill(**changes: object) -> RebillRequest:
    base = RebillRequest(
        rebill_id="B-1",
        payment_id=PAYMENT,
        amount=_eur(1000),
        reason=RebillReason.FINAL_AMOUNT_DIFFERS,
        merchant_id="M-1",
        requested_by="ana",
    )
    return base.model_copy(update=changes)


def _terms(**changes: object) -> OrderTerms:
    base = OrderTerms(
        policy=_PIN, acquirer="default", capabilities=EVERYTHING, rebill_difference_percent=15
    )
    return base.model_copy(update=changes)


def _kind(request: OrderRequest) -> OrderKind:
    match request:
        case RefundRequest():
            return "refund"
        case PayoutRequest():
            return "payout"
        case RebillRequest():
            return "rebill"


def _payment(
    entry_type: PaymentType = PaymentType.DB, *, days: float = 1, **position: object
) -> Payment:
    """92.00 EUR, booked so many days ago, of which all is left if nothing else is said."""
    return Payment(
        payment_id=PAYMENT,
        known=True,
        entry_type=entry_type,
        amount_minor=9200,
        currency="EUR",
        booked_at=NOW - timedelta(days=days),
        position=Position(left_minor=9200).model_copy(update=position),
    )


def _order(
    request: OrderRequest, payment: Payment | None = None, terms: OrderTerms | None = None
) -> Order:
    order = requested(_kind(request), request, terms or _terms(), NOW)
    return order.model_copy(update={"payment": payment})


def _without(**capabilities: bool) -> OrderTerms:
    return _terms(capabilities=EVERYTHING.model_copy(update=capabilities))


@dataclass(frozen=True)
class _Case:
    """An order, and its one operation or the refusal."""

    order: Order
    plan: tuple[Purpose, int] | None = None
    refusal: tuple[type[Refusal], str] | None = None


_P, _T = Purpose, PaymentType
_OLD = _payment(days=60.001)
_HELD = _payment(open_disputes=("D-1",))
#: by a chargeback without a notice
_LISTED = _payment(open_disputes=("gw-1",), without_notice=("gw-1",))
_UNKNOWN = Payment(payment_id=PAYMENT, known=False)
_CASES = {
    # refunds
    "inside the window": _Case(_order(_refund(), _payment()), (_P.REFUND, 2000)),
    "on the window's last moment": _Case(_order(_refund(), _payment(days=60)), (_P.REFUND, 2000)),
    "of unknown age": _Case(
        _order(_refund(), _payment().model_copy(update={"booked_at": None})), (_P.REFUND, 2000)
    ),
    "beyond the window": _Case(
        _order(_refund(registration_id=REGISTRATION), _OLD), (_P.CREDIT, 2000)
    ),
    "beyond the window without a registration": _Case(
        _order(_refund(), _OLD),
        refusal=(NotSupported, "no_route: a refund after 60 days without a registration"),
    ),
    "beyond the window without credits": _Case(
        _order(_refund(registration_id=REGISTRATION), _OLD, _without(credit=False)),
        refusal=(NotSupported, "acquirer default; instead: transfer the money by hand"),
    ),
    "another window": _Case(
        _order(_refund(), _payment(days=2), _terms(refund_window_days=1)),
        refusal=(NotSupported, "after 1 days"),
    ),
    "all that is left": _Case(_order(_refund(amount=_eur(9200)), _payment()), (_P.REFUND, 9200)),
    "more than is left": _Case(
        _order(_refund(), _payment(left_minor=1999)),
        refusal=(InvalidMessage, "only 19.99 EUR is left of the payment"),
    ),
    "less than nothing left": _Case(
        _order(_refund(), _payment(left_minor=-5)), refusal=(InvalidMessage, "only 0.00 EUR")
    ),
    "another currency": _Case(
        _order(_refund(amount=Money.of(10, "USD")), _payment()),
        refusal=(InvalidMessage, "amount.currency"),
    ),
    "unknown payment": _Case(
        _order(_refund(), _UNKNOWN), refusal=(NotFound, "payment_history_unknown")
    ),
    "held by a dispute": _Case(_order(_refund(), _HELD), refusal=(MoneyHeld, "wait for its end")),
    "held by its own dispute": _Case(_order(_refund(dispute_id="D-1"), _HELD), (_P.REFUND, 2000)),
    "held by another besides its own": _Case(
        _order(_refund(dispute_id="D-1"), _payment(open_disputes=("D-1", "D-2"))),
        refusal=(MoneyHeld, "holds the money"),
    ),
    "held by a chargeback without a notice": _Case(
        _order(_refund(), _LISTED),
        refusal=(MoneyHeld, "gw-1 is a chargeback without a notice"),
    ),
    "in the name of a chargeback without a notice": _Case(
        _order(_refund(dispute_id="gw-1"), _LISTED),
        refusal=(InvalidMessage, "dispute_id: is no undecided dispute on this payment"),
    ),
    "of another dispute": _Case(
        _order(_refund(dispute_id="D-2"), _payment()),
        refusal=(InvalidMessage, "dispute_id: is no undecided dispute on this payment"),
    ),
    "after a chargeback": _Case(_order(_refund(), _payment(charged_back=True)), (_P.REFUND, 2000)),
    "after a chargeback, where it is not possible": _Case(
        _order(_refund(), _payment(charged_back=True), _without(refund_after_chargeback=False)),
        refusal=(NotSupported, "pay it out to a registration (CD), or by hand"),
    ),
    "of an authorization": _Case(
        _order(_refund(), _payment(_T.PA).model_copy(update={"position": None})),
        refusal=(NotSupported, "refund its capture"),
    ),
    "of a payout": _Case(_order(_refund(), _payment(_T.CD, days=900)), (_P.REFUND, 2000)),
    "of a payout, too much": _Case(
        _order(_refund(), _payment(_T.CD, left_minor=0)),
        refusal=(InvalidMessage, "only 0.00 EUR is left of the payout"),
    ),
    # payouts
    "a billing error": _Case(_order(_payout(), _OLD), (_P.CREDIT, 2000)),
    "a gesture on a payment": _Case(
        _order(_payout(reason=PayoutReason.CUSTOMER_SERVICE_GESTURE), _payment()),
        (_P.GOODWILL, 2000),
    ),
    "a gesture on none": _Case(
        _order(_payout(reason=PayoutReason.CUSTOMER_SERVICE_GESTURE, payment_id=None)),
        (_P.GOODWILL, 2000),
    ),
    "a payout of more than is left": _Case(
        _order(_payout(), _payment(left_minor=0)), refusal=(InvalidMessage, "only 0.00 EUR")
    ),
    "a payout on a payout": _Case(
        _order(_payout(), _payment(_T.CD)), refusal=(NotSupported, "name the payment")
    ),
    "a payout of held money": _Case(_order(_payout(), _HELD), refusal=(MoneyHeld, "payout there")),
    "a payout of what a chargeback without a notice holds": _Case(
        _order(_payout(), _LISTED), refusal=(MoneyHeld, "feed its notice")
    ),
    "a payout of an unknown payment": _Case(
        _order(_payout(), _UNKNOWN), refusal=(NotFound, "payment_history_unknown")
    ),
    # rebills
    "the difference": _Case(_order(_rebill(), _payment()), (_P.REBILL_DIFFERENCE, 1000)),
    "all of the share": _Case(
        _order(_rebill(amount=_eur(1380)), _payment()), (_P.REBILL_DIFFERENCE, 1380)
    ),
    "more than the share": _Case(
        _order(_rebill(amount=_eur(1381)), _payment()),
        refusal=(InvalidMessage, "only 13.80 EUR may be charged on top"),
    ),
    "a share that is used up": _Case(
        _order(_rebill(), _payment(difference_rebilled_minor=381)),
        refusal=(InvalidMessage, "only 9.99 EUR"),
    ),
    "no share": _Case(
        _order(_rebill(amount=_eur(1)), _payment(), _terms(rebill_difference_percent=0)),
        refusal=(InvalidMessage, "only 0.00 EUR may be charged on top by the policy"),
    ),
    "an excess": _Case(
        _order(_rebill(reason=RebillReason.EXCESS_REFUND), _payment(over_refunded_minor=1000)),
        (_P.REBILL_EXCESS_REFUND, 1000),
    ),
    "an excess that was charged again": _Case(
        _order(
            _rebill(reason=RebillReason.EXCESS_REFUND),
            _payment(over_refunded_minor=1000, excess_rebilled_minor=1),
        ),
        refusal=(InvalidMessage, "only 9.99 EUR was refunded too much"),
    ),
    "a rebill of a capture": _Case(
        _order(_rebill(), _payment(_T.CP)), refusal=(NotSupported, "make a new DB")
    ),
    "a rebill of held money": _Case(_order(_rebill(), _HELD), refusal=(MoneyHeld, "rebill there")),
}


@pytest.mark.parametrize("case", _CASES.values(), ids=_CASES)
def test_which_way_an_order_goes_or_why_not(case: _Case) -> None:
    if case.refusal is not None:
        kind, word = case.refusal
        with pytest.raises(kind, match=re.escape(word)):
            plan_of(case.order, NOW)
        return
    plan = plan_of(case.order, NOW)
    assert (plan.purpose, plan.amount_minor) == case.plan


@pytest.mark.parametrize(
    ("request_", "held_by", "held"),
    [
        (_refund(), (), False),
        (_refund(), ("D-1",), True),
        (_payout(), ("D-1",), True),
        (_rebill(), ("D-1",), True),
        (_refund(dispute_id="D-1"), ("D-1",), False),
        (_refund(dispute_id="D-1"), ("D-1", "D-2"), True),
        # Its dispute may not be on the books yet.
        (_refund(dispute_id="D-3"), ("D-1",), False),
    ],
)
def test_which_disputes_hold_an_order_before_the_gateway_was_asked(
    request_: OrderRequest, held_by: tuple[str, ...], *, held: bool
) -> None:
    with pytest.raises(MoneyHeld) if held else nullcontext():
        free(_order(request_), held_by)


def test_a_credit_stands_alone_and_a_refund_names_its_payment() -> None:
    refund = plan_of(_order(_refund(), _payment()), NOW)
    assert (refund.referenced_id, refund.registration_id) == (PAYMENT, None)
    credit = plan_of(_order(_refund(registration_id=REGISTRATION), _OLD), NOW)
    assert (credit.referenced_id, credit.registration_id) == (None, REGISTRATION)
    # Guarded by the payment that it repays, so that RF and CD never both give it back.
    assert credit.payment_id == PAYMENT
    assert (refund.key, credit.key) == ("refund:R-1:refund:1", "refund:R-1:credit:1")


def test_a_rebill_of_the_difference_brings_its_limit_to_the_guard() -> None:
    assert plan_of(_order(_rebill(), _payment()), NOW).limit_minor == 1380


@pytest.mark.parametrize(
    ("request_", "lacking", "instead"),
    [
        (_payout(), "credit", "refund the payment (RF), or transfer the money by hand"),
        (_rebill(), "rebill", "make a new DB"),
    ],
)
def test_what_the_acquirer_never_does_is_known_before_anybody_is_asked(
    request_: OrderRequest, lacking: str, instead: str
) -> None:
    supported(_order(request_))
    with pytest.raises(NotSupported) as refusal:
        supported(_order(request_, terms=_without(**{lacking: False})))
    assert refusal.value.details["acquirer"] == "default"
    assert instead in refusal.value.message


def test_a_rebill_after_a_dispute_is_left_to_its_case() -> None:
    request = _rebill(
        reason=RebillReason.UNJUSTIFIED_CHARGEBACK,
        dispute_id="D-1",
        consent=Consent(given_at=NOW, evidence_id="E-1"),
    )
    supported(_order(request, terms=_without(rebill=False)))
    free(_order(request), ("D-1", "D-2"))
    assert _order(request, terms=_terms(four_eyes_above_minor=0)).approval is None


# Four eyes


def _waiting(limit: int = 1999) -> Order:
    return _order(_refund(), _payment(), _terms(four_eyes_above_minor=limit))


def _by(person: str, request_id: str = "refund.R-1-A1") -> Decide:
    return Decide(request_id=request_id, decided_by=person)


@pytest.mark.parametrize(("limit", "waits"), [(None, False), (2000, False), (1999, True)])
def test_above_the_limit_a_second_person_is_needed(*, limit: int | None, waits: bool) -> None:
    order = _order(_refund(), terms=_terms(four_eyes_above_minor=limit))
    assert (order.approval is not None) is waits
    assert ("approval_waiting" in order.flags) is waits


def test_the_second_person_decides_once_and_may_say_it_again() -> None:
    approved = orders.decided(_waiting(), _by("ben"), NOW, approved=True)
    assert (approved.state, approved.flags) == (OrderState.UNDER_WAY, ())
    assert orders.decided(approved, _by("ben"), NOW, approved=True) == approved
    with pytest.raises(IllegalTransition):
        orders.decided(approved, _by("ben"), NOW, approved=False)
    with pytest.raises(IllegalTransition):
        orders.decided(approved, _by("cem"), NOW, approved=True)


def test_a_declined_order_moves_nothing() -> None:
    declined = orders.decided(_waiting(), _by("ben"), NOW, approved=False)
    assert (declined.state, declined.ended) == (OrderState.DECLINED, True)


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("person", ["ana", "ANA"])
def test_who_asked_may_not_decide(*, person: str, approved: bool) -> None:
    with pytest.raises(SecondPersonNeeded):
        orders.decided(_waiting(), _by(person), NOW, approved=approved)


@pytest.mark.parametrize(
    ("order", "request_id"), [(_waiting(), "refund.R-1-A2"), (_order(_refund()), "refund.R-1-A1")]
)
def test_a_request_that_is_not_there_is_not_found(order: Order, request_id: str) -> None:
    with pytest.raises(NotFound):
        orders.decided(order, _by("ben", request_id), NOW, approved=True)


def test_nobody_decides_in_time() -> None:
    expired = orders.not_decided(_waiting(), NOW + timedelta(hours=72))
    assert (expired.state, expired.flags) == (OrderState.DECLINED, ())
    with pytest.raises(IllegalTransition):
        orders.decided(expired, _by("ben"), NOW, approved=True)
    assert orders.not_decided(expired, NOW) == expired
    approved = orders.decided(_waiting(), _by("ben"), NOW, approved=True)
    assert orders.not_decided(approved, NOW) == approved


# What became of it


def _outcome(state: OperationState, purpose: Purpose = Purpose.REFUND, **more: object) -> Operation:
    operation = Operation(
        key="refund:R-1:refund:1",
        purpose=purpose,
        state=state,
        payment_type=PAYMENT_TYPE[purpose],
        amount_minor=2000,
        currency="EUR",
    )
    return operation.model_copy(update=more)


@pytest.mark.parametrize(
    ("state", "stands", "ended"),
    [
        (OperationState.SETTLED, OrderState.SETTLED, True),
        (OperationState.REFUSED, OrderState.REFUSED, True),
        (OperationState.IN_DOUBT, OrderState.IN_DOUBT, False),
    ],
)
def test_where_it_stands(*, state: OperationState, stands: OrderState, ended: bool) -> None:
    order = orders.reported(_order(_refund(), _payment()), _outcome(state), NOW)
    assert (order.state, order.ended) == (stands, ended)


def test_doubt_that_ends_is_no_doubt_any_more() -> None:
    order = orders.reported(_order(_refund()), _outcome(OperationState.IN_DOUBT), NOW)
    assert order.flags == ("operation_in_doubt",)
    order = orders.reported(order, _outcome(OperationState.SETTLED), NOW)
    assert order.flags == ()


def test_the_same_word_again_changes_nothing() -> None:
    order = orders.reported(_order(_refund()), _outcome(OperationState.SETTLED), NOW)
    later = NOW + timedelta(days=1)
    assert orders.reported(order, _outcome(OperationState.SETTLED), later) == order


@pytest.mark.parametrize(
    ("request_", "payment", "told"),
    [
        (_refund(), _payment(), True),
        (_payout(), _payment(), True),
        (_refund(), _payment(_T.CD), False),
        (_rebill(), _payment(), False),
    ],
)
def test_the_shopper_is_told_of_money_that_comes_to_them(
    *, request_: OrderRequest, payment: Payment, told: bool
) -> None:
    order = orders.reported(_order(request_, payment), _outcome(OperationState.SETTLED), NOW)
    notice = orders.arrival_notice(order, NOW)
    assert (notice is not None) is told
    if notice is not None:
        assert notice.audience == "shopper"
        assert "should arrive by 2026-11-12" in notice.text


@pytest.mark.parametrize("state", [OperationState.REFUSED, OperationState.IN_DOUBT])
def test_nothing_is_promised_before_it_is_sent(state: OperationState) -> None:
    order = orders.reported(_order(_refund(), _payment()), _outcome(state), NOW)
    assert orders.arrival_notice(order, NOW) is None


def test_a_dispute_that_came_meanwhile_is_named() -> None:
    order = orders.reported(_order(_refund()), _outcome(OperationState.SETTLED), NOW)
    assert orders.raced(order, (), NOW) == order
    order = orders.raced(order, ("D-1", "D-2"), NOW)
    assert order.raced == ("D-1", "D-2")
    assert "raced_chargeback" in order.flags


def test_a_summary_says_why_and_never_the_registration() -> None:
    refused = orders.refused(_order(_payout()), MoneyHeld("held by a dispute"), NOW)
    summary = summary_of(refused)
    assert (summary.state, summary.explanation) == ("refused", "held by a dispute")
    assert REGISTRATION not in summary.model_dump_json()
