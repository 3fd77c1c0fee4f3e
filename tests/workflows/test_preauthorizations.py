"""Pre-authorizations: captured, reversed, authorized anew or expired, and never unnoticed."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateStage

from disputes.store.notices import SqlNotices
from tests.support.engine import Engine
from tests.support.plans import REGISTRATION
from tests.workflows.hands import refused
from tests.workflows.payment_hands import PreAuth, eur, fresh_id

_ACCEPTED = WorkflowUpdateStage.ACCEPTED


async def test_a_capture_takes_all_that_is_open_and_ends_it(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    answer = await own.capture()
    assert (answer["state"], answer["operation"]["state"]) == ("captured", "settled")
    summary = await own.result()
    assert (summary.captured, summary.open_amount) == ("92.00", "0.00")
    assert await own.book() == ["PA", "CP"]
    assert own.accounts() == {"acquirer": 92_00, "sales": -92_00}
    own.verify()


async def test_parts_are_captured_and_the_rest_is_released(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    first = await own.capture("30.00")
    await own.capture("20.00")
    assert first["state"] == "partially_captured"
    status = await own.status()
    assert (status.captured, status.open_amount) == ("50.00", "42.00")
    kind, details = await refused(own.capture("42.01"))
    assert kind == "InvalidMessage"
    assert "42.00 EUR is open" in details["fields"]["amount"]
    assert (await own.reverse())["state"] == "captured"
    assert await own.book() == ["PA", "CP", "CP", "RV"]
    assert own.accounts() == {"acquirer": 50_00, "sales": -50_00}
    own.verify()


async def test_a_reversal_keeps_its_reason_and_ends_it(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    assert (await own.reverse("product_unavailable"))["state"] == "reversed"
    summary = await own.result()
    assert summary.state == "reversed"
    assert any("product_unavailable" in note.what for note in (await own.status()).timeline)
    assert own.accounts() == {}


async def test_an_unknown_reason_of_a_reversal_is_refused_by_its_field(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    kind, details = await refused(own.reverse("just because"))
    assert (kind, list(details["fields"])) == ("InvalidMessage", ["reason"])


async def test_an_increase_can_be_captured_with_the_rest(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    await own.update("increase", amount=eur("8.00"), requested_by="ana")
    assert (await own.status()).authorized == "100.00"
    await own.capture()
    assert own.accounts() == {"acquirer": 100_00, "sales": -100_00}


async def test_all_conditions_met_in_time_capture_it(engine: Engine) -> None:
    own = await PreAuth.opened(engine, capture_when=["order_fulfilled", "fraud_cleared"])
    await own.met("fraud_cleared")
    status = await own.until(lambda it: any(c.met_at is not None for c in it.conditions))
    assert status.state == "authorized"
    await own.met("order_fulfilled")
    assert (await own.result()).state == "captured"
    assert await own.book() == ["PA", "CP"]


async def test_the_ladder_says_which_condition_is_missing(engine: Engine) -> None:
    own = await PreAuth.opened(
        engine, on_expiry="capture", capture_when=["order_fulfilled", "fraud_cleared"]
    )
    await own.met("fraud_cleared")
    assert await own.pass_time(hours=121)
    first = await own.until(lambda it: "expiry_near" in it.attention)
    assert "waits for order_fulfilled" in first.timeline[-1].what
    assert not await own.pass_time(hours=60)
    summary = await own.result()
    assert (summary.state, summary.captured) == ("expired", "0.00")
    told = [it for it in SqlNotices(engine.store).told(limit=1000) if it.payment_id == own.payment]
    kinds = [it.kind.removeprefix("preauthorization_") for it in told]
    assert kinds == ["ladder", "ladder", "action", "expiry"]
    assert all("order_fulfilled" in it.text for it in told)
    assert "it is not captured" in told[2].text
    assert await own.book() == ["PA"]
    assert own.accounts() == {}
    own.verify()


@pytest.mark.parametrize(
    ("action", "state", "booked"),
    [("capture", "captured", ["PA", "CP"]), ("reverse", "reversed", ["PA", "RV"])],
)
async def test_the_policy_acts_shortly_before_it_lapses(
    engine: Engine, action: str, state: str, booked: list[str]
) -> None:
    own = await PreAuth.opened(engine, on_expiry=action)
    assert await own.pass_time(hours=163)
    assert await own.book() == ["PA"]
    assert not await own.pass_time(hours=2)
    assert (await own.result()).state == state
    assert await own.book() == booked
    own.verify()


async def test_without_an_action_a_person_is_asked_and_the_rest_expires(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    await own.capture("10.00")
    assert await own.pass_time(hours=165)
    status = await own.until(lambda it: "expiry_action_needed" in it.attention)
    assert status.state == "partially_captured"
    assert not await own.pass_time(hours=4)
    summary = await own.result()
    assert (summary.state, summary.captured, summary.open_amount) == ("expired", "10.00", "0.00")
    assert own.accounts() == {"acquirer": 10_00, "sales": -10_00}
    own.verify()


async def test_it_is_authorized_anew_before_the_old_one_is_released(engine: Engine) -> None:
    own = await PreAuth.opened(
        engine,
        on_expiry="reauthorize",
        registration_id=REGISTRATION,
        capture_when=["fraud_cleared"],
    )
    assert not await own.pass_time(hours=165)
    summary = await own.result()
    assert summary.state == "reversed"
    assert summary.reauthorized_as is not None
    anew = PreAuth(engine, summary.reauthorized_as, summary.reauthorized_as)
    status = await anew.until(state="authorized")
    assert (status.authorized, status.on_expiry) == ("92.00", "reauthorize")
    assert [it.condition for it in status.conditions] == ["fraud_cleared"]
    assert status.expires_at > summary.expires_at
    assert await own.book() == ["PA", "RV"]
    # What is told to the old one reaches the one that took its place.
    await own.met("fraud_cleared")
    assert (await anew.result()).state == "captured"
    assert anew.accounts() == {"acquirer": 92_00, "sales": -92_00}
    own.verify()


async def test_the_old_one_stays_where_the_new_one_is_declined(engine: Engine) -> None:
    own = await PreAuth.opened(engine, on_expiry="reauthorize", registration_id=REGISTRATION)
    await engine.sandbox.arm("refuse", times=None, match={"payment_type": "PA"})
    assert await own.pass_time(hours=165)
    status = await own.until(lambda it: "authorize_refused" in it.attention)
    assert (status.state, status.open_amount) == ("authorized", "92.00")
    assert await own.book() == ["PA"]
    assert (await own.capture())["state"] == "captured"


async def test_an_expiry_that_the_gateway_knows_first_is_taken_over(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    await engine.sandbox.arm(
        "refuse", code="700.300.400", match={"payment_type": "CP", "payment_id": own.payment}
    )
    answer = await own.capture()
    assert (answer["state"], answer["operation"]["state"]) == ("expired", "refused")
    assert "time for it has passed" in answer["operation"]["reason"]
    summary = await own.result()
    assert summary.state == "expired"
    assert own.accounts() == {}


async def test_a_late_success_after_the_expiry_is_adopted_and_told(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    assert not await own.pass_time(hours=169)
    assert (await own.result()).state == "expired"
    assert own.payment is not None
    await engine.sandbox.own_booking("CP", own.payment, amount_minor=92_00)
    late = (await engine.sandbox.book(own.payment))[-1]
    await own.signal(
        "booking",
        gateway_id=late["id"],
        payment_type="CP",
        occurred_at=datetime.now(UTC).isoformat(),
    )
    status = await own.until(lambda it: "late_capture" in it.attention)
    assert (status.state, status.captured) == ("captured", "92.00")
    await own.result()
    assert own.accounts() == {"acquirer": 92_00, "sales": -92_00}
    own.verify()


async def test_a_capture_under_way_when_the_time_is_over_is_waited_for(quick: Engine) -> None:
    own = await PreAuth.opened(quick, hours=5)
    await quick.sandbox.arm(
        "timeout_after_booking", match={"payment_type": "CP", "payment_id": own.payment}, delay_s=2
    )
    answer = await own.capture("60.00")
    assert answer["operation"]["state"] == "settled"
    assert await own.posts() == ["CP"]
    assert not await own.pass_time(hours=6)
    summary = await own.result()
    assert (summary.state, summary.captured) == ("expired", "60.00")
    own.verify()


async def test_a_cancel_that_races_a_capture_releases_only_the_rest(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    await engine.sandbox.arm(
        "hang", match={"payment_type": "CP", "payment_id": own.payment}, delay_s=1
    )
    capture = await own.case.start_update(
        "capture", {"requested_by": "ana", "amount": eur("60.00")}, wait_for_stage=_ACCEPTED
    )
    reversal = await own.reverse()
    assert (await capture.result())["operation"]["state"] == "settled"
    assert reversal["operation"]["amount"] == "32.00"
    assert own.accounts() == {"acquirer": 60_00, "sales": -60_00}


async def test_a_cancel_after_a_whole_capture_is_refused(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    await engine.sandbox.arm(
        "hang", match={"payment_type": "CP", "payment_id": own.payment}, delay_s=1
    )
    capture = await own.case.start_update(
        "capture", {"requested_by": "ana"}, wait_for_stage=_ACCEPTED
    )
    kind, details = await refused(own.reverse())
    assert (kind, details["status"]) == ("IllegalTransition", "captured")
    assert (await capture.result())["state"] == "captured"
    assert await own.book() == ["PA", "CP"]


async def test_the_days_come_from_the_rulebook_where_nobody_tells_them(engine: Engine) -> None:
    own = await PreAuth.opened(engine, hours=None, card_present=True)
    status = await own.status()
    lasts = status.expires_at - datetime.now(UTC)
    assert timedelta(days=4, hours=23) < lasts <= timedelta(days=5)
    assert "card_present: 5 days" in status.expires_why
    assert status.rulebook.version


async def test_where_no_rule_is_known_a_person_is_told(engine: Engine) -> None:
    own = await PreAuth.opened(engine, hours=None, network="unionpay")
    status = await own.status()
    assert "expiry_unknown" in status.attention


async def test_the_same_start_again_finds_it_and_another_is_a_conflict(engine: Engine) -> None:
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR", "PA")
    own = PreAuth(engine, payment, payment)
    request = PreAuth.request(payment)
    await own.start(request)
    await own.until(lambda it: bool(it.operations) or it.state == "authorized")
    await own.capture()
    await own.result()
    await own.start(request)
    assert (await own.result()).state == "captured"
    await own.start(request | {"merchant_id": "M-2"})
    kind, details = await refused(own.case.result())
    assert (kind, details["fields"]) == ("Conflict", ["merchant_id"])
    assert await own.book() == ["PA", "CP"]


async def test_a_start_of_the_wrong_shape_names_its_fields(engine: Engine) -> None:
    own = PreAuth(engine, fresh_id(), None)
    await own.start(PreAuth.request(own.id, on_expiry="reauthorize", amount=eur("92")))
    kind, details = await refused(own.case.result())
    assert kind == "InvalidMessage"
    assert "amount" in next(iter(details["fields"]))


async def test_a_message_that_cannot_be_read_is_noted_by_its_hash(engine: Engine) -> None:
    own = await PreAuth.opened(engine)
    await own.signal("condition_met", condition="stars aligned", occurred_at="2026-01-01T00:00:00Z")
    status = await own.until(lambda it: "message_not_taken" in it.attention)
    assert "stars aligned" not in status.timeline[-1].what
    assert "SHA-256" in status.timeline[-1].what


async def test_an_authorization_that_the_gateway_does_not_know_is_told(engine: Engine) -> None:
    payment = fresh_id()
    own = PreAuth(engine, payment, payment)
    await own.start(PreAuth.request(payment, hours=30))
    await own.until(lambda it: "payment_unknown" in it.attention)
    assert (await refused(own.capture()))[0] == "MoneyHeld"
    assert not await own.pass_time(hours=40)
    assert (await own.result()).state == "expired"
