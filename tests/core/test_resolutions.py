"""A word on what is in doubt: above the limit it counts once a second person agrees."""

from collections.abc import Callable

import pytest

from disputes import authorization, orders, resolutions
from disputes.authorization import Authorization
from disputes.authorization_status import status_of
from disputes.errors import IllegalTransition, NotFound, SecondPersonNeeded
from disputes.messages import Decide, ResolveOperation
from disputes.operations import PAYMENT_TYPE, Operation
from disputes.order_status import summary_of
from disputes.orders import Order, requested
from disputes.payment_terms import OrderTerms
from disputes.requests import RefundRequest
from disputes.resolutions import Owner
from disputes.vocabulary import OperationState, Purpose, RefundReason
from tests.core.authorizations import DOUBT, NOW, PAYMENT, PIN, SETTLED, after, eur, known, op
from tests.support.plans import EVERYTHING


def _captured(**changes: object) -> Authorization:
    """A capture of 92.00 is in doubt; the limit is 50.00."""
    limit: dict[str, object] = {"four_eyes_above_minor": 5000}
    return known(op(Purpose.CAPTURE, 9200, DOUBT), told=None, **(limit | changes))


def _refunded(state: OperationState = DOUBT) -> Operation:
    return Operation(
        key="refund:R-1:refund:1",
        purpose=Purpose.REFUND,
        state=state,
        payment_type=PAYMENT_TYPE[Purpose.REFUND],
        amount_minor=9200,
        currency="EUR",
    )


def _refund(limit: int | None = 5000) -> Order:
    """A refund of 92.00, approved by ben, is in doubt."""
    request = RefundRequest(
        refund_id="R-1",
        payment_id=PAYMENT,
        amount=eur(9200),
        reason=RefundReason.CHANGE_OF_MIND,
        merchant_id="M-1",
        requested_by="ana",
    )
    terms = OrderTerms(
        policy=PIN, acquirer="default", capabilities=EVERYTHING, four_eyes_above_minor=limit
    )
    order = requested("refund", request, terms, NOW)
    if order.approval is not None:
        own = Decide(request_id=order.approval.request_id, decided_by="ben")
        order = orders.decided(order, own, NOW, approved=True)
    return orders.reported(order, _refunded(), NOW)


def _word(
    owner: Authorization | Order, by: str = "ana", resolution: str = "did_not_happen"
) -> ResolveOperation:
    content = {
        "operation_key": owner.doubtful[0].key,
        "resolution": resolution,
        "resolved_by": by,
        "proof": "the acquirer's list",
    }
    return ResolveOperation.model_validate(content)


def _by(person: str, request_id: str) -> Decide:
    return Decide(request_id=request_id, decided_by=person, reason="seen it too")


_AUTH_REQUEST = f"preauthorization.{PAYMENT}-A1"


@pytest.mark.parametrize("limit", [None, 9200])
def test_up_to_the_limit_one_person_settles_it(limit: int | None) -> None:
    auth, waits = resolutions.resolve(
        auth_ := _captured(four_eyes_above_minor=limit), _word(auth_), NOW
    )
    assert (waits, auth.approvals, "approval_waiting" in auth.flags) == (None, (), False)
    assert "did not happen" in auth.notes[-1].what
    order, waits = resolutions.resolve(own := _refund(limit), _word(own), NOW)
    assert (waits, order.approvals) == (None, ())


def test_above_the_limit_a_captures_doubt_waits_for_a_second_person() -> None:
    auth, waits = resolutions.resolve(own := _captured(), _word(own), NOW)
    assert waits is not None
    assert (waits.request_id, waits.expires_at) == (_AUTH_REQUEST, after(72))
    assert "approval_waiting" in auth.flags
    [shown] = status_of(auth).approvals
    assert (shown.outcome, shown.requested_by) == ("open", "ana")
    # The id is one that a decision can name.
    after_, word = resolutions.decided(auth, _by("ben", waits.request_id), NOW, approved=True)
    assert word == _word(own)
    assert ("approval_waiting" in after_.flags, after_.approvals[0].outcome) == (False, "approved")


def test_an_orders_own_request_and_its_doubts_have_ids_of_their_own() -> None:
    order, waits = resolutions.resolve(own := _refund(), _word(own), NOW)
    assert waits is not None
    assert (waits.request_id, own.approval and own.approval.request_id) == (
        "refund.R-1-A2",
        "refund.R-1-A1",
    )
    order, word = resolutions.decided(order, _by("cem", "refund.R-1-A2"), NOW, approved=False)
    assert (word, order.approvals[0].outcome) == (None, "declined")
    order, waits = resolutions.resolve(order, _word(own), NOW)
    assert (waits and waits.request_id) == "refund.R-1-A3"
    assert len(summary_of(order).approvals) == 2


@pytest.mark.parametrize("person", ["ana", "ANA"])
@pytest.mark.parametrize("approved", [True, False])
def test_whose_word_it_is_may_not_decide(*, person: str, approved: bool) -> None:
    auth, _ = resolutions.resolve(own := _captured(), _word(own), NOW)
    with pytest.raises(SecondPersonNeeded):
        resolutions.decided(auth, _by(person, _AUTH_REQUEST), NOW, approved=approved)


def test_while_one_word_waits_the_same_is_one_and_another_is_refused() -> None:
    auth, waits = resolutions.resolve(own := _captured(), _word(own), NOW)
    assert resolutions.resolve(auth, _word(own), after(1)) == (auth, waits)
    for other in (_word(own, "ben"), _word(own, resolution="happened")):
        with pytest.raises(IllegalTransition):
            resolutions.resolve(auth, other, NOW)


def test_what_is_not_in_doubt_or_not_asked_for_is_not_found() -> None:
    own = _captured()
    other = _word(own).model_copy(update={"operation_key": "refund:x:refund:1"})
    with pytest.raises(NotFound):
        resolutions.resolve(own, other, NOW)
    with pytest.raises(NotFound):
        resolutions.decided(own, _by("ben", _AUTH_REQUEST), NOW, approved=True)


def test_a_decision_counts_once() -> None:
    auth, _ = resolutions.resolve(own := _captured(), _word(own), NOW)
    approved, word = resolutions.decided(auth, _by("ben", _AUTH_REQUEST), NOW, approved=True)
    assert word is not None
    again = resolutions.decided(approved, _by("ben", _AUTH_REQUEST), NOW, approved=True)
    assert again == (approved, None)
    with pytest.raises(IllegalTransition):
        resolutions.decided(approved, _by("cem", _AUTH_REQUEST), NOW, approved=False)


@pytest.mark.parametrize("hours", [72, 73])
def test_nobody_decides_in_time(hours: int) -> None:
    auth, _ = resolutions.resolve(own := _captured(), _word(own), NOW)
    assert resolutions.next_expiry(auth) == after(72)
    assert resolutions.expired(auth, after(71)) == auth
    # The timer may be late; the moment counts.
    with pytest.raises(IllegalTransition):
        resolutions.decided(auth, _by("ben", _AUTH_REQUEST), after(hours), approved=True)
    ended = resolutions.expired(auth, after(hours))
    assert (ended.approvals[0].outcome, resolutions.next_expiry(ended)) == ("expired", None)
    assert "approval_waiting" not in ended.flags
    fresh, waits = resolutions.resolve(ended, _word(own), after(hours))
    assert waits is not None
    assert (waits.request_id, len(fresh.approvals)) == (f"preauthorization.{PAYMENT}-A2", 2)


def _ended_by_the_gateway(owner: Owner, told: Callable[[Owner], Owner]) -> Owner:
    asked, _ = resolutions.resolve(owner, _word(owner), NOW)
    return resolutions.expired(told(asked), after(1))


def test_once_the_gateway_has_told_nothing_is_left_to_approve() -> None:
    captured, refunded = op(Purpose.CAPTURE, 9200, SETTLED), _refunded(SETTLED)
    auth = _ended_by_the_gateway(
        _captured(), lambda it: authorization.reported(it, captured, after(1))
    )
    order = _ended_by_the_gateway(_refund(), lambda it: orders.reported(it, refunded, after(1)))
    assert (auth.approvals[0].outcome, order.approvals[0].outcome) == ("expired", "expired")
    assert "approval_waiting" not in (*auth.flags, *order.flags)


@pytest.mark.parametrize("own", [_captured(), _refund()])
def test_what_was_recorded_before_has_no_requests(own: Authorization | Order) -> None:
    recorded = own.model_dump(exclude={"approvals": True})
    assert type(own).model_validate(recorded).approvals == ()
