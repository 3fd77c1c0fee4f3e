"""What stops a payment's own operations, and what each refusal tells a person to do."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from disputes.errors import MoneyHeld, NotSupported
from disputes.operations import Plan
from disputes.terms import Capabilities
from disputes.vocabulary import OperationState, Outcome, PaymentType, Purpose
from tests.store.payments import Payments
from tests.store.scene import START, Dispute, Scene, entry
from tests.support.plans import EVERYTHING

P, T = Purpose, PaymentType
LONG_AGO = START - timedelta(days=4000)


def _disputed(payments: Payments, minor: int = 9200) -> Dispute:
    debit = entry(T.DB, 9200)
    return payments.scene.dispute(f"D-{debit.gateway_id}", [debit], minor)


def _open_dispute(payments: Payments) -> str:
    return _disputed(payments).payment_id


def _lost_in_part(payments: Payments) -> str:
    """Of 92.00 the bank holds 50.00, and the gateway shows none of it."""
    dispute = _disputed(payments, 5000)
    dispute.ruled(Outcome.CARDHOLDER_WON)
    return dispute.payment_id


def _refunded(payments: Payments, minor: int) -> str:
    debit = payments.made(P.DEBIT, 9200)
    payments.made(P.REFUND, minor, debit)
    return debit


def _credited(payments: Payments) -> str:
    debit = payments.made(P.DEBIT, 9200)
    payments.made(P.CREDIT, 2000, debit)
    return debit


def _captured(payments: Payments, minor: int) -> str:
    authorized = payments.made(P.AUTHORIZE, 9200)
    payments.made(P.CAPTURE, minor, authorized)
    return authorized


def _reversed(payments: Payments) -> str:
    authorized = payments.made(P.AUTHORIZE, 9200)
    payments.made(P.REVERSE, 9200, authorized)
    return authorized


Stage = Callable[[Payments], str | None]
#: What is asked for, on what, and what the refusal says.
REFUSED: dict[str, tuple[Purpose, int, Stage, dict[str, object], str]] = {
    "capture of more than is open": (
        P.CAPTURE,
        4300,
        lambda it: _captured(it, 5000),
        {},
        "only 42.00 EUR is open",
    ),
    "capture after a reversal": (P.CAPTURE, 100, _reversed, {}, "ask for a new payment"),
    "capture after the end": (
        P.CAPTURE,
        100,
        lambda it: it.made(P.AUTHORIZE, 9200),
        {"expires_at": LONG_AGO},
        "authorize anew",
    ),
    "increase after the end": (
        P.INCREASE,
        100,
        lambda it: it.made(P.AUTHORIZE, 9200),
        {"expires_at": LONG_AGO},
        "authorize anew",
    ),
    "increase after a reversal": (P.INCREASE, 100, _reversed, {}, "authorize anew"),
    "reversal after a full capture": (
        P.REVERSE,
        9200,
        lambda it: _captured(it, 9200),
        {},
        "refund the capture",
    ),
    "second reversal": (P.REVERSE, 9200, _reversed, {}, "nothing is open"),
    "reversal of more than is open": (
        P.REVERSE,
        9200,
        lambda it: _captured(it, 5000),
        {},
        "only 42.00 EUR is open",
    ),
    "reversal of a part of a debit": (
        P.REVERSE,
        100,
        lambda it: it.made(P.DEBIT, 9200),
        {},
        "refund a part of it instead",
    ),
    "reversal of a refunded debit": (
        P.REVERSE,
        9200,
        lambda it: _refunded(it, 100),
        {},
        "refund what is left instead",
    ),
    "reversal of a disputed debit": (P.REVERSE, 9200, _open_dispute, {}, "dispute on this payment"),
    "refund of an authorization": (
        P.REFUND,
        100,
        lambda it: it.made(P.AUTHORIZE, 9200),
        {},
        "reverse the authorization",
    ),
    "refund of more than is left": (
        P.REFUND,
        4300,
        lambda it: _refunded(it, 5000),
        {},
        "only 42.00 EUR is left",
    ),
    "refund in a dispute": (P.REFUND, 100, _open_dispute, {}, "resolve_by_refund"),
    "refund of what the bank holds": (
        P.REFUND,
        4300,
        _lost_in_part,
        {},
        "only 42.00 EUR is left",
    ),
    "refund after a credit": (P.REFUND, 100, _credited, {}, "pay the rest by credit too"),
    "refund of more than a payout": (
        P.REFUND,
        101,
        lambda it: it.made(P.GOODWILL, 100),
        {},
        "only 1.00 EUR is left",
    ),
    "credit of more than is left": (
        P.CREDIT,
        4300,
        lambda it: _refunded(it, 5000),
        {},
        "only 42.00 EUR is left",
    ),
    "credit of a payout": (
        P.CREDIT,
        100,
        lambda it: it.made(P.GOODWILL, 100),
        {},
        "a payout is refunded by RF",
    ),
    "credit without a registration": (
        P.CREDIT,
        100,
        lambda it: it.made(P.DEBIT, 9200),
        {"registration_id": None},
        "no_route",
    ),
    "gesture of more than is left": (
        P.GOODWILL,
        4300,
        lambda it: _refunded(it, 5000),
        {},
        "only 42.00 EUR is left",
    ),
    "gesture in a dispute": (P.GOODWILL, 100, _open_dispute, {}, "resolve_by_refund"),
    "rebill of a capture": (
        P.REBILL_DIFFERENCE,
        100,
        lambda it: it.made(P.CAPTURE, 9200, it.made(P.AUTHORIZE, 9200)),
        {"limit_minor": 9200},
        "new DB by registration",
    ),
    "rebill above the share": (
        P.REBILL_DIFFERENCE,
        921,
        lambda it: it.made(P.DEBIT, 9200),
        {"limit_minor": 920},
        "only 9.20 EUR",
    ),
    "rebill without a share": (
        P.REBILL_DIFFERENCE,
        1,
        lambda it: it.made(P.DEBIT, 9200),
        {},
        "agree on a new payment",
    ),
    "rebill of an excess that is none": (
        P.REBILL_EXCESS_REFUND,
        1,
        lambda it: _refunded(it, 9200),
        {},
        "only 0.00 EUR",
    ),
    "rebill of a reversed debit": (
        P.REBILL_DIFFERENCE,
        1,
        lambda it: it.debit(T.RV),
        {"limit_minor": 9200},
        "was reversed",
    ),
    "rebill in a dispute": (
        P.REBILL_DIFFERENCE,
        1,
        _open_dispute,
        {"limit_minor": 9200},
        "dispute on this payment",
    ),
    "another merchant's": (
        P.REFUND,
        100,
        lambda it: it.made(P.DEBIT, 9200),
        {"merchant_id": "M-2"},
        "another merchant's",
    ),
    "another currency": (
        P.REFUND,
        100,
        lambda it: it.made(P.DEBIT, 9200),
        {"currency": "USD"},
        "currency of the payment",
    ),
    "an unknown payment": (P.REFUND, 100, lambda _: "e" * 32, {}, "payment_history_unknown"),
    "a step of no dispute": (
        P.BOOK,
        100,
        lambda it: it.made(P.DEBIT, 9200),
        {},
        "name the dispute",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_move_is_refused_with_what_to_do(shared_scene: Scene, case: str) -> None:
    purpose, minor, stage, more, what_to_do = REFUSED[case]
    payments = Payments(shared_scene)
    on = stage(payments)
    assert what_to_do in payments.refusal(purpose, minor, on, **more)
    assert shared_scene.ledger.verify() == []


def _twice_captured(payments: Payments) -> Plan:
    return payments.plan(P.CAPTURE, 100, _captured(payments, 5000))


def _after_a_chargeback(payments: Payments) -> Plan:
    """The bank has returned it all, and the gateway still calls it charged back."""
    dispute = _disputed(payments)
    dispute.send()
    dispute.ruled(Outcome.MERCHANT_WON)
    dispute.send()
    return payments.plan(P.REFUND, 100, dispute.payment_id)


#: The capability, what needs it, and what to do instead.
LACKING: dict[str, tuple[Callable[[Payments], Plan], str]] = {
    "credit": (lambda it: it.plan(P.GOODWILL, 100), "refund the payment"),
    "rebill": (
        lambda it: it.plan(P.REBILL_DIFFERENCE, 1, it.made(P.DEBIT, 9200), limit_minor=9),
        "make a new DB",
    ),
    "increase": (
        lambda it: it.plan(P.INCREASE, 100, it.made(P.AUTHORIZE, 9200)),
        "authorize the difference",
    ),
    "multiple_capture": (_twice_captured, "a new payment for the rest"),
    "partial_reversal": (
        lambda it: it.plan(P.REVERSE, 100, it.made(P.AUTHORIZE, 9200)),
        "entire open amount, 92.00 EUR",
    ),
    "refund_after_chargeback": (_after_a_chargeback, "by credit"),
}


@pytest.mark.parametrize("capability", LACKING)
def test_what_the_acquirer_lacks_is_not_supported(shared_scene: Scene, capability: str) -> None:
    stage, instead = LACKING[capability]
    payments = Payments(shared_scene)
    plan = stage(payments)
    lacking: Capabilities = EVERYTHING.model_copy(update={capability: False})
    with pytest.raises(NotSupported) as refused:
        shared_scene.book.intend(plan.model_copy(update={"capabilities": lacking}), ())
    assert instead in str(refused.value.details["instead"])
    assert payments.do(plan).state is OperationState.SETTLED


def test_a_dispute_refunds_its_own_payment(scene: Scene) -> None:
    """As an alert does: nobody else may, while the dispute is open."""
    payments = Payments(scene)
    dispute = _disputed(payments, 4000)
    own = payments.plan(P.REFUND, 5200, dispute.payment_id, dispute_id=dispute.case_id)
    assert payments.do(own).state is OperationState.SETTLED
    assert scene.ledger.verify() == []


def test_all_that_is_left_after_refunds_may_go_by_credit(scene: Scene) -> None:
    payments = Payments(scene)
    debit = _refunded(payments, 5000)
    credit = payments.made(P.CREDIT, 4200, debit)
    assert "only 0.00 EUR is left" in payments.refusal(P.CREDIT, 1, debit)
    payments.made(P.REFUND, 4200, credit)
    payments.made(P.CREDIT, 4200, debit)
    assert scene.ledger.verify() == []


@pytest.mark.parametrize(
    ("purpose", "minor", "whole"),
    [(P.REFUND, 4200, True), (P.REFUND, 4199, False)],
)
def test_whether_it_may_be_sent_again_is_decided_by_what_is_left(
    scene: Scene, purpose: Purpose, minor: int, *, whole: bool
) -> None:
    """A twin of all that is left would be refused; one of less would pay twice."""
    payments = Payments(scene)
    plan = payments.plan(purpose, minor, _refunded(payments, 5000), whole=not whole)
    record = scene.book.intend(plan, ())
    assert (record.plan.whole, record.plan.resendable) == (whole, whole)


def test_an_operation_under_way_keeps_others_off_its_payment(scene: Scene) -> None:
    payments = Payments(scene)
    debit = payments.made(P.DEBIT, 9200)
    first = payments.plan(P.REFUND, 5000, debit)
    payments.sent(first)
    for state in (None, OperationState.IN_DOUBT):
        if state:
            scene.book.settle(first.key, state, at=START)
        with pytest.raises(MoneyHeld) as held:
            scene.book.intend(payments.plan(P.REFUND, 5000, debit), ())
        assert held.value.details == {"operation_key": first.key}


def test_a_rebill_is_not_refunded_twice_by_its_dispute_and_from_outside(scene: Scene) -> None:
    """They stand on two rows: the give-back sees what is under way on the other."""
    payments = Payments(scene)
    dispute = _disputed(payments)
    dispute.send()
    dispute.ruled(Outcome.CARDHOLDER_WON)
    dispute.rebill(9200)
    rebill = dispute.send()
    dispute.ruled(Outcome.MERCHANT_WON)
    dispute.send()
    payments.sent(payments.plan(P.REFUND, 9200, rebill.gateway_id))
    assert scene.book.intend(dispute.plan, ()).operation.state is OperationState.REFUSED
    assert scene.ledger.verify() == []
