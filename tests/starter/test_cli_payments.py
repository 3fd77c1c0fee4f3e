"""Pre-authorizations, refunds, payouts and rebills as a user of the command line runs them."""

import json
from typing import Any

from disputes.store.reads import Reads
from tests.support.command import Done, disputes
from tests.support.engine import Engine
from tests.support.plans import REGISTRATION
from tests.support.waiting import until
from tests.workflows.payment_hands import fresh_id


async def _run(engine: Engine, *arguments: str) -> Done:
    return await disputes(*arguments, env=engine.env)


async def _json(engine: Engine, *arguments: str) -> Any:  # noqa: ANN401 - whatever it prints
    done = await _run(engine, *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


async def _payment(engine: Engine, amount: str = "92.00", kind: str = "DB") -> str:
    payment_id = fresh_id()
    await engine.sandbox.payment(payment_id, amount, "EUR", kind)
    return payment_id


async def test_a_pre_authorization_is_opened_captured_in_part_and_reversed(engine: Engine) -> None:
    payment = await _payment(engine, kind="PA")
    watch = ("preauth", "open", payment, "--merchant", "M-1", "--network", "visa")
    moment = ("--authorized-at", "2126-11-01T00:00:00Z", "--capture-when", "fraud_cleared")
    opened = await _json(engine, *watch, "--amount", "92.00 EUR", *moment)
    assert opened == {"payment_id": payment, "known": False}
    again = await _json(engine, *watch, "--amount", "92.00 EUR", *moment)
    assert again["known"]
    other = await _run(engine, *watch, "--amount", "93.00 EUR", *moment)
    assert (other.code, "amount" in other.err) == (1, True)

    part = ("preauth", "capture", payment, "--by", "ann", "--amount", "30.00 EUR", "--id", "first")
    for _ in range(2):
        captured = await _json(engine, *part)
        assert captured["operation"]["amount"] == "30.00"
    too_much = await _run(engine, *part[:-3], "62.01 EUR")
    assert (too_much.code, too_much.out) == (1, "")
    assert "62.00 EUR is open" in too_much.err

    shown = await _run(engine, "preauth", "show", payment)
    for word in ("partially captured", "fraud_cleared", "missing", "30.00", "visa"):
        assert word in shown.out
    listed = await _json(engine, "preauth", "list", "--state", "partially_captured")
    assert payment in [it["payment_id"] for it in listed]

    done = await _run(
        engine, "preauth", "reverse", payment, "--reason", "product_unavailable", "--by", "ann"
    )
    assert "reverse of 62.00 settled; it is captured" in done.out
    closed = await _run(engine, "preauth", "capture", payment, "--by", "ann")
    assert (closed.code, "possible now: nothing" in closed.err) == (1, True)
    assert (await _json(engine, "preauth", "show", payment))["captured"] == "30.00"


async def test_a_condition_told_by_command_captures(engine: Engine) -> None:
    payment = await _payment(engine, kind="PA")
    watch = ("preauth", "open", payment, "--merchant", "M-1", "--network", "visa")
    moment = ("--authorized-at", "2126-11-01T00:00:00Z", "--capture-when", "order_fulfilled")
    await _json(engine, *watch, "--amount", "92.00 EUR", *moment)
    await engine.client.get_workflow_handle(f"preauthorization/{payment}").describe()
    told = await _run(engine, "preauth", "condition", payment, "order_fulfilled")
    assert told.code == 0, told.err
    await engine.client.get_workflow_handle(f"preauthorization/{payment}").result()
    assert (await _json(engine, "preauth", "show", payment))["state"] == "captured"
    unknown = await _run(engine, "preauth", "condition", fresh_id(), "order_fulfilled")
    assert unknown.code == 1


async def test_a_refund_is_asked_for_once_and_told_to_the_shopper(engine: Engine) -> None:
    payment = await _payment(engine)
    ask = ("refund", "request", payment, "--merchant", "M-1", "--amount", "20.00 EUR")
    why = ("--reason", "change_of_mind", "--by", "ann")
    first = await _json(engine, *ask, *why)
    assert (first["state"], first["operation"]["type"]) == ("settled", "RF")
    again = await _json(engine, *ask, *why)
    assert again["id"] == first["id"]
    assert [str(it["payment_type"]) for it in await engine.sandbox.book(payment)] == ["DB", "RF"]
    shown = await _run(engine, "refund", "show", first["id"])
    assert "the shopper should have it by" in shown.out
    told = await _json(engine, "notices", "--audience", "shopper", "--limit", "1000")
    assert [it["kind"] for it in told if it["payment_id"] == payment] == ["refund_sent"]
    refused = await _run(engine, *ask[:-1], "72.01 EUR", *why)
    assert (refused.code, refused.out) == (1, "")
    assert "only 72.00 EUR is left" in refused.err
    listed = await _json(engine, "refund", "list", "--state", "settled")
    assert first["id"] in [it["id"] for it in listed]


async def test_an_inquiry_is_settled_by_its_own_refund(engine: Engine) -> None:
    """Above the limit a second person approves; a wrong amount is refused with its reason."""
    large = {"amount": "9200.00", "currency": "EUR"}
    notice = await engine.notice(stage="inquiry", amount=large)
    case, own = await engine.open(notice), notice["dispute_id"]
    register = Reads(engine.store)
    await until(
        lambda: any(it.body.kind == "payment_known" for it in register.events(own)),
    )
    ask = ("refund", "dispute", own, "--by", "ann")
    wrong = await _run(engine, *ask, "--amount", "9200.01")
    assert (wrong.code, "more than what is left" in wrong.err) == (1, True)
    asked = await _json(engine, *ask)
    assert (asked["status"], asked["request_id"]) == ("collecting", f"{own}-A1")
    assert (await _run(engine, "approve", asked["request_id"], "--by", "bob")).code == 0
    await engine.until(case, lambda status: status.status == "deflected")
    again = await _run(engine, *ask)
    assert (again.code, "while the case is deflected" in again.err) == (1, True)


async def test_a_payout_above_the_limit_waits_for_a_second_person(engine: Engine) -> None:
    ask = ("payout", "request", REGISTRATION, "--merchant", "M-1", "--amount", "6000.00 EUR")
    why = ("--reason", "customer_service_gesture", "--by", "ann", "--id", "PO-big")
    asked = await _json(engine, *ask, *why)
    request = asked["approval"]["request_id"]
    assert (asked["state"], request) == ("waiting_for_approval", "payout.PO-big-A1")
    own = await _run(engine, "approve", request, "--by", "ann")
    assert (own.code, "second person" in own.err) == (1, True)
    assert (await _run(engine, "approve", request, "--by", "bob")).code == 0
    await engine.client.get_workflow_handle("payout/PO-big").result()
    shown = await _run(engine, "payout", "show", "PO-big")
    assert "settled" in shown.out
    assert REGISTRATION not in shown.out


async def test_a_rebill_on_a_debit_goes_by_the_same_command(engine: Engine) -> None:
    payment = await _payment(engine)
    ask = ("rebill", "RB-cli", "--payment", payment, "--merchant", "M-1", "--by", "ann")
    done = await _json(engine, *ask, "--amount", "5.00 EUR", "--reason", "final_amount_differs")
    assert (done["state"], done["operation"]["type"]) == ("settled", "RB")
    shown = await _run(engine, "show", "rebill/RB-cli")
    assert "final_amount_differs" in shown.out
    wrong = await _run(engine, *ask, "--amount", "5.00 EUR", "--reason", "we feel like it")
    assert (wrong.code, "reason" in wrong.err) == (1, True)
    without = await _run(engine, "rebill", "D-1", "--by", "ann", "--reason", "x")
    assert without.code == 2


async def test_a_captures_doubt_above_the_limit_is_approved_by_a_second_person(
    engine: Engine,
) -> None:
    payment = await _payment(engine, "9000.00", kind="PA")
    watch = ("preauth", "open", payment, "--merchant", "M-1", "--network", "visa")
    moment = ("--authorized-at", "2126-11-01T00:00:00Z")
    await _json(engine, *watch, "--amount", "9000.00 EUR", *moment)
    match = {"payment_type": "CP", "payment_id": payment}
    await engine.sandbox.arm("result_code", match=match, code="000.400.030")
    await _json(engine, "preauth", "capture", payment, "--by", "ann")
    key = f"preauthorization:{payment}:capture:1"
    owner = f"preauthorization/{payment}"
    told = await _run(
        engine, "resolve", owner, key, "happened", "--by", "ann", "--proof", "the list"
    )
    request = f"preauthorization.{payment}-A1"
    assert (told.code, request in told.out) == (0, True)
    shown = await _run(engine, "preauth", "show", payment)
    assert "waits for a second person" in shown.out
    own = await _run(engine, "approve", request, "--by", "ann")
    assert (own.code, "second person" in own.err) == (1, True)
    approved = await _run(engine, "approve", request, "--by", "bob")
    assert approved.code == 0, approved.err
    await engine.client.get_workflow_handle(owner).result()
    assert (await _json(engine, "preauth", "show", payment))["state"] == "captured"


async def test_what_the_gateway_refuses_ends_with_its_reason(engine: Engine) -> None:
    payment = await _payment(engine)
    await engine.sandbox.arm("refuse", match={"payment_type": "RF", "payment_id": payment})
    ask = ("refund", "request", payment, "--merchant", "M-1", "--amount", "20.00 EUR")
    refused = await _run(engine, *ask, "--reason", "change_of_mind", "--by", "ann")
    assert (refused.code, refused.out) == (1, "")
    assert "the gateway refused it" in refused.err
