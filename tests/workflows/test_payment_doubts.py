"""Captures and refunds of which nobody knows the outcome: settled by a person or the gateway."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.service import RPCError, RPCStatusCode

from disputes.errors import NotFound
from disputes.messages import ResolveOperation
from disputes.notification import NotifiedEntry
from disputes.operations import GatewayEntry, business_key, merchant_transaction_id
from disputes.store.notices import SqlNotices
from disputes.store.operations import SqlOperationBook
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.placeholders import Placeholders
from disputes.twins import undoing
from disputes.vocabulary import OperationState, PaymentType, Purpose
from tests.support.desk import payment_desk
from tests.support.engine import Engine, Json
from tests.support.missing import without
from tests.support.plans import own_plan
from tests.support.reconciliation import reconcile
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused
from tests.workflows.payment_hands import Payout, PreAuth, Refund, eur, fresh_id

_PROOF = {"resolved_by": "ben", "proof": "the acquirer's list of today"}


async def _doubtful_refund(engine: Engine) -> Refund:
    """A refund of a part, which nobody answered: a twin of it could not be undone."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    match = {"payment_type": "RF", "payment_id": payment}
    await engine.sandbox.arm("timeout_before_booking", match=match, delay_s=0)
    own = await Refund.asked(engine, payment)
    status = await own.until(state="in_doubt")
    assert "operation_in_doubt" in status.attention
    return own


def _key(own: Refund) -> str:
    return business_key("refund", own.id, Purpose.REFUND)


async def _resolve(own: Refund | PreAuth, key: str, resolution: str) -> Json:
    return await own.update("resolve_operation", operation_key=key, resolution=resolution, **_PROOF)


def _told(own: Refund) -> list[str]:
    notices = SqlNotices(own.engine.store).told(limit=1000)
    return [it.kind for it in notices if it.payment_id == own.payment]


def _recorded(own: Refund) -> str:
    return SqlPaymentRegister(own.engine.store).load(own.workflow_id).content or ""


async def test_what_a_person_found_not_booked_is_refused(quick: Engine) -> None:
    own = await _doubtful_refund(quick)
    assert (await refused(_resolve(own, "refund:x:refund:1", "happened")))[0] == "NotFound"
    await _resolve(own, _key(own), "did_not_happen")
    assert (await own.result()).state == "refused"
    assert await own.book() == ["DB"]
    assert await own.posts() == ["RF"]
    assert _told(own) == []
    own.verify()


async def test_what_a_person_found_booked_is_settled_and_told(quick: Engine) -> None:
    own = await _doubtful_refund(quick)
    await _resolve(own, _key(own), "happened")
    assert (await own.result()).state == "settled"
    assert own.accounts() == {"acquirer": 72_00, "sales": -92_00, "refunds": 20_00}
    assert _told(own) == ["refund_sent"]
    own.verify()


async def test_a_word_that_the_books_cannot_take_leaves_it_in_doubt(quick: Engine) -> None:
    own = await _doubtful_refund(quick)
    with without(quick.store, _key(own)):
        await _resolve(own, _key(own), "happened")
        status = await own.until(lambda it: "message_not_taken" in it.attention)
        assert (status.state, "could not be taken" in status.timeline[-1].what) == (
            "in_doubt",
            True,
        )
    await _resolve(own, _key(own), "happened")
    assert (await own.result()).state == "settled"
    own.verify()


async def test_a_word_on_a_capture_that_the_books_cannot_take_is_noted(quick: Engine) -> None:
    own = await _doubtful_capture(quick)
    key = business_key("preauthorization", own.id, Purpose.CAPTURE)
    with without(quick.store, key):
        await _resolve(own, key, "happened")
        status = await own.until(lambda it: "message_not_taken" in it.attention)
        assert status.state == "in_doubt"
    await _resolve(own, key, "happened")
    assert (await own.result()).state == "captured"
    own.verify()


async def test_a_dispute_that_came_meanwhile_hears_of_what_a_person_settled(quick: Engine) -> None:
    """The entry has no id yet, and the case must know of it all the same."""
    own = await _doubtful_refund(quick)
    dispute = await Dispute.opened(quick, payment_id=own.payment)
    await dispute.until(status="collecting")
    register = SqlPaymentRegister(quick.store)
    await until(lambda: bool(register.open_disputes(dispute.payment)))
    await quick.sandbox.own_booking("RF", dispute.payment, amount_minor=20_00)
    await _resolve(own, _key(own), "happened")
    summary = await own.result()
    assert (summary.state, summary.raced) == ("settled", (dispute.id,))
    # The register knows as much as the run that ended.
    assert "raced_chargeback" in _recorded(own)
    await dispute.until(lambda it: "double_loss" in it.attention and it.booked_out == "72.00")
    assert await own.book() == ["DB", "RF", "CB"]
    own.verify()


async def test_a_chargeback_without_a_notice_is_not_told_as_a_case(quick: Engine) -> None:
    """It is a row in the list and nothing else: to tell it would start a case without a notice."""
    own = await _doubtful_refund(quick)
    listed = Placeholders(quick.store).open(
        NotifiedEntry(
            gateway_id=fresh_id(),
            payment_type=PaymentType.CB,
            referenced_id=own.payment,
            amount_minor=72_00,
            currency="EUR",
        )
    )
    await _resolve(own, _key(own), "happened")
    summary = await own.result()
    with pytest.raises(RPCError) as unknown:
        await quick.handle(str(listed)).describe()
    assert unknown.value.status is RPCStatusCode.NOT_FOUND
    assert (summary.state, summary.raced) == ("settled", ())


async def test_the_gateways_late_word_settles_it(quick: Engine) -> None:
    own = await _doubtful_refund(quick)
    assert own.payment is not None
    await quick.sandbox.own_booking("RF", own.payment, amount_minor=20_00)
    late = (await _newest_entry(own))["id"]
    await own.signal(
        "booking", gateway_id=late, payment_type="RF", occurred_at=datetime.now(UTC).isoformat()
    )
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.state, summary.operation.gateway_id) == ("settled", late)
    assert (await own.book(), _told(own)) == (["DB", "RF"], ["refund_sent"])
    own.verify()


async def _newest_entry(own: Refund) -> Json:
    """The newest entry of its payment at the gateway."""
    return (await own.engine.sandbox.book(own.payment))[-1]


async def test_a_comparison_settles_it(quick: Engine) -> None:
    own = await _doubtful_refund(quick)
    assert own.payment is not None
    await quick.sandbox.own_booking("RF", own.payment, amount_minor=20_00)
    report = await reconcile(quick, own.payment)
    assert report.adopted == 1
    assert (await own.result()).state == "settled"
    assert await own.book() == ["DB", "RF"]
    own.verify()


async def test_what_the_books_know_before_any_run_told_it_is_told(quick: Engine) -> None:
    """The run was lost after its refund was booked: the next one tells shopper and register."""
    payment = fresh_id()
    await quick.sandbox.payment(payment, "92.00", "EUR")
    own = Refund(quick, f"{quick.name}-lost", payment)
    # Another refund makes the payment known to the books; then as the lost run had done it.
    other = await Refund.asked(quick, payment, own_id=f"{own.id}-first", amount=eur("1.00"))
    await other.result()
    book = SqlOperationBook(quick.store)
    plan = own_plan("refund", own.id, Purpose.REFUND, 20_00, payment)
    record = book.intend(plan, ())
    book.mark_sent(plan.key, attempts=record.attempts)
    book.settle(plan.key, OperationState.SETTLED, gateway_id=fresh_id(), at=datetime.now(UTC))
    await own.start(own.request())
    assert (await own.result()).state == "settled"
    assert _told(own) == ["refund_sent", "refund_sent"]
    assert '"settled"' in _recorded(own)
    assert await own.posts() == ["RF"]
    await own.start(own.request())
    assert (await own.result()).raced == ()


async def _doubtful_capture(engine: Engine) -> PreAuth:
    """The gateway asks for a person, five hours before the authorization lapses."""
    own = await PreAuth.opened(engine, hours=5)
    match = {"payment_type": "CP", "payment_id": own.payment}
    await engine.sandbox.arm("result_code", match=match, code="000.400.030")
    answer = await own.capture()
    assert (answer["state"], answer["operation"]["state"]) == ("in_doubt", "in_doubt")
    return own


@pytest.mark.parametrize(
    ("resolution", "state", "accounts"),
    [
        ("happened", "captured", {"acquirer": 92_00, "sales": -92_00}),
        ("did_not_happen", "expired", {}),
    ],
)
async def test_what_is_in_doubt_does_not_lapse(
    quick: Engine, resolution: str, state: str, accounts: dict[str, int]
) -> None:
    own = await _doubtful_capture(quick)
    assert (await refused(own.capture("1.00")))[0] == "MoneyHeld"
    assert (await refused(own.reverse()))[0] == "MoneyHeld"
    assert await own.pass_time(hours=9)
    status = await own.until(lambda it: "lapsed" in it.attention)
    assert (status.state, status.open_amount) == ("in_doubt", "92.00")
    await _resolve(own, business_key("preauthorization", own.id, Purpose.CAPTURE), resolution)
    assert (await own.result()).state == state
    assert own.accounts() == accounts
    assert await own.posts() == ["CP"]
    own.verify()


async def test_a_capture_in_doubt_that_the_gateway_shows_is_captured(quick: Engine) -> None:
    """Asked once more when its time is over, it proves to be booked."""
    own = await _doubtful_capture(quick)
    assert own.payment is not None
    await quick.sandbox.own_booking("CP", own.payment, amount_minor=92_00)
    assert not await own.pass_time(hours=6)
    assert (await own.result()).state == "captured"
    assert own.accounts() == {"acquirer": 92_00, "sales": -92_00}
    own.verify()


@pytest.mark.parametrize("booked", [False, True])
async def test_a_capture_that_a_person_found_not_booked_is_made_where_it_is_owed(
    quick: Engine, *, booked: bool
) -> None:
    """The gateway is asked before, and the person may have been mistaken."""
    own = await PreAuth.opened(quick, capture_when=["fraud_cleared"])
    match = {"payment_type": "CP", "payment_id": own.payment}
    await quick.sandbox.arm("result_code", match=match, code="000.400.030")
    await own.met("fraud_cleared")
    await own.until(state="in_doubt")
    assert own.payment is not None
    if booked:
        await quick.sandbox.own_booking("CP", own.payment, amount_minor=92_00)
    await _resolve(own, business_key("preauthorization", own.id, Purpose.CAPTURE), "did_not_happen")
    assert (await own.result()).state == "captured"
    assert await own.book() == ["PA", "CP"]
    assert await own.posts() == (["CP"] if booked else ["CP", "CP"])
    own.verify()


async def test_an_increase_in_doubt_counts_from_when_it_was_asked_for(quick: Engine) -> None:
    """Ten days later a person says that it happened: thirty days of then are over sooner."""
    own = await PreAuth.opened(
        quick, hours=None, network="mastercard", authorization_type="pre_auth"
    )
    before = await own.status()
    match = {"payment_type": "PA", "payment_id": own.payment}
    await quick.sandbox.arm("result_code", match=match, code="000.400.030")
    assert await own.pass_time(hours=48)
    await own.update("increase", amount=eur("8.00"), requested_by="ana")
    assert await own.pass_time(hours=240)
    await _resolve(own, business_key("preauthorization", own.id, Purpose.INCREASE), "happened")
    after = await own.until(authorized="100.00")
    assert timedelta(hours=47) < after.expires_at - before.expires_at < timedelta(hours=49)


async def test_what_was_captured_elsewhere_is_seen_once_a_capture_is_refused(quick: Engine) -> None:
    """Nobody told of it: the refusal has the gateway asked, and the rest is known."""
    own = await PreAuth.opened(quick)
    assert own.payment is not None
    # It has asked for its payment: what comes now it does not know.
    await until(lambda: bool(own.accounts()))
    await quick.sandbox.own_booking("CP", own.payment, amount_minor=60_00)
    answer = await own.capture()
    assert answer["operation"]["state"] == "refused"
    status = await own.until(captured="60.00")
    assert (status.open_amount, status.state) == ("32.00", "partially_captured")
    assert (await own.capture())["state"] == "captured"
    assert await own.book() == ["PA", "CP", "CP"]
    own.verify()


def _undo_in_doubt(own: PreAuth | Payout, operation: str, twin: GatewayEntry) -> str:
    """What undoes a twin of the workflow's own operation is in doubt; its key."""
    book = SqlOperationBook(own.engine.store)
    assert book.adopt_own("M-1", twin.gateway_id, [twin], datetime.now(UTC)).known
    [plan] = undoing(operation, None, "M-1", twin)
    record = book.intend(plan, ())
    book.mark_sent(plan.key, attempts=record.attempts)
    book.settle(plan.key, OperationState.IN_DOUBT, at=datetime.now(UTC))
    return plan.key


def _twin(payment_type: PaymentType, gateway_id: str, minor: int) -> GatewayEntry:
    return GatewayEntry(
        gateway_id=gateway_id,
        payment_type=payment_type,
        succeeded=True,
        amount_minor=minor,
        currency="EUR",
    )


def _state(own: PreAuth | Payout, key: str) -> str | None:
    operation = SqlPaymentRegister(own.engine.store).operation(key)
    return operation.state.value if operation else None


async def test_what_undoes_a_twin_is_settled_by_a_person(quick: Engine) -> None:
    own = await PreAuth.opened(quick)
    assert own.payment is not None
    await own.capture("20.00")
    await quick.sandbox.own_booking("CP", own.payment, amount_minor=20_00)
    twin = str((await quick.sandbox.book(own.payment))[-1]["id"])
    now = datetime.now(UTC).isoformat()
    await own.signal("booking", gateway_id=twin, payment_type="CP", occurred_at=now)
    before = await own.until(captured="40.00")
    operation = business_key("preauthorization", own.id, Purpose.CAPTURE)
    key = _undo_in_doubt(own, operation, _twin(PaymentType.CP, twin, 20_00))
    other = key.replace(own.id, fresh_id())
    assert (await refused(_resolve(own, other, "did_not_happen")))[0] == "NotFound"
    await _resolve(own, key, "did_not_happen")
    await until(lambda: _state(own, key) == "refused")
    # It is the twin's money: what was asked for stands as it did.
    after = await own.status()
    assert (after.captured, after.operations) == (before.captured, before.operations)
    assert (await refused(_resolve(own, key, "did_not_happen")))[0] == "NotFound"
    await own.reverse()
    assert (await own.result()).state == "captured"


async def test_what_undoes_a_twin_of_what_has_ended_is_settled_by_two(quick: Engine) -> None:
    """The payout is over; its twin's refund is above the limit."""
    own = await Payout.asked(
        quick, alone=True, reason="customer_service_gesture", amount=eur("15.00")
    )
    first = await own.result()
    twin = _twin(PaymentType.CD, fresh_id(), 5000_01)
    key = _undo_in_doubt(own, business_key("payout", own.id, Purpose.CREDIT), twin)
    desk = payment_desk(quick)
    word = ResolveOperation.model_validate(
        {"operation_key": key, "resolution": "happened", **_PROOF}
    )
    request = (await desk.command("payout", own.id, "resolve_operation", word))["request_id"]
    assert (_state(own, key), request) == ("in_doubt", f"payout.{own.id}-A2")
    await own.update("approve", request_id=request, decided_by="ana")
    summary = await own.result()
    assert (_state(own, key), summary.operation) == ("settled", first.operation)
    again = word.model_copy(update={"operation_key": key.replace(own.id, "other")})
    with pytest.raises(NotFound):
        await desk.command("payout", own.id, "resolve_operation", again)


async def test_what_undoes_a_twin_of_what_has_ended_is_settled_by_its_notification(
    quick: Engine,
) -> None:
    own = await Payout.asked(
        quick, alone=True, reason="customer_service_gesture", amount=eur("15.00")
    )
    first = await own.result()
    twin = _twin(PaymentType.CD, fresh_id(), 15_00)
    await quick.sandbox.payment(twin.gateway_id, "15.00", "EUR", "CD")
    key = _undo_in_doubt(own, business_key("payout", own.id, Purpose.CREDIT), twin)
    await quick.sandbox.own_booking(
        "RF",
        twin.gateway_id,
        amount_minor=15_00,
        merchant_transaction_id=merchant_transaction_id(key),
    )
    refund = str((await quick.sandbox.book(twin.gateway_id))[-1]["id"])
    now = datetime.now(UTC).isoformat()
    await own.signal("booking", gateway_id=refund, payment_type="RF", occurred_at=now)
    await until(lambda: _state(own, key) == "settled")
    assert (await own.result()).operation == first.operation


async def _great_refund(engine: Engine) -> Refund:
    """A part of 5000.01 EUR, approved by ben, which nobody answered; the limit is 5000.00."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "9000.00", "EUR")
    match = {"payment_type": "RF", "payment_id": payment}
    await engine.sandbox.arm("timeout_before_booking", match=match, delay_s=0)
    own = await Refund.asked(engine, payment, amount=eur("5000.01"))
    await own.until(state="waiting_for_approval")
    await own.update("approve", request_id=f"refund.{own.id}-A1", decided_by="ben")
    await own.until(state="in_doubt")
    return own


async def test_above_the_limit_nobody_settles_a_refund_alone(quick: Engine) -> None:
    own = await _great_refund(quick)
    request = f"refund.{own.id}-A2"
    answer = await _resolve(own, _key(own), "did_not_happen")
    assert answer == {"state": "in_doubt", "request_id": request}
    assert await _resolve(own, _key(own), "did_not_happen") == answer
    status = await own.until(lambda it: "approval_waiting" in it.attention)
    assert [it.outcome for it in status.approvals] == ["open"]
    kind, _ = await refused(own.update("approve", request_id=request, decided_by="BEN"))
    assert kind == "SecondPersonNeeded"
    await own.update("approve", request_id=request, decided_by="ana")
    summary = await own.result()
    assert (summary.state, [it.outcome for it in summary.approvals]) == ("refused", ["approved"])
    assert await own.book() == ["DB"]
    own.verify()


async def test_nobody_agrees_in_time_and_it_stays_in_doubt(quick: Engine) -> None:
    own = await _great_refund(quick)
    await _resolve(own, _key(own), "did_not_happen")
    assert await own.pass_time(hours=73)
    status = await own.until(lambda it: it.approvals[0].outcome == "expired")
    assert (status.state, "approval_waiting" in status.attention) == ("in_doubt", False)
    again = await _resolve(own, _key(own), "happened")
    assert again["request_id"] == f"refund.{own.id}-A3"
    await own.update("approve", request_id=again["request_id"], decided_by="ana")
    assert (await own.result()).state == "settled"
    own.verify()


async def test_above_the_limit_nobody_settles_a_capture_alone(quick: Engine) -> None:
    payment = fresh_id()
    await quick.sandbox.payment(payment, "9000.00", "EUR", "PA")
    own = PreAuth(quick, payment, payment)
    await own.start(own.request(payment, amount=eur("9000.00")))
    await own.until(state="authorized")
    match = {"payment_type": "CP", "payment_id": payment}
    await quick.sandbox.arm("result_code", match=match, code="000.400.030")
    await own.capture()
    key = business_key("preauthorization", own.id, Purpose.CAPTURE)
    request = (await _resolve(own, key, "happened"))["request_id"]
    assert request == f"preauthorization.{payment}-A1"
    status = await own.until(lambda it: "approval_waiting" in it.attention)
    assert (status.state, status.approvals[0].request_id) == ("in_doubt", request)
    kind, _ = await refused(own.update("approve", request_id=request, decided_by="Ben"))
    assert kind == "SecondPersonNeeded"
    await own.update("decline", request_id=request, decided_by="ana", reason="not on my list")
    assert (await own.status()).state == "in_doubt"
    request = (await _resolve(own, key, "happened"))["request_id"]
    await own.update("approve", request_id=request, decided_by="ana")
    assert (await own.result()).state == "captured"
    assert own.accounts() == {"acquirer": 9000_00, "sales": -9000_00}
    own.verify()


async def test_what_the_gateway_settles_meanwhile_waits_for_nobody(quick: Engine) -> None:
    own = await _great_refund(quick)
    assert own.payment is not None
    await _resolve(own, _key(own), "did_not_happen")
    await quick.sandbox.own_booking("RF", own.payment, amount_minor=5000_01)
    await reconcile(quick, own.payment)
    summary = await own.result()
    assert (summary.state, [it.outcome for it in summary.approvals]) == ("settled", ["expired"])
    own.verify()
