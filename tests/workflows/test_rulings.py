"""Rulings in every order and number: the money follows the bank, once."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.engine import Engine, Json
from tests.workflows.hands import Dispute, refused


def _ignored(timeline: list[Json], what: str = "ruled") -> list[str | None]:
    return [entry.get("ignored") for entry in timeline if entry["what"] == what]


async def test_ruling_before_evidence(engine: Engine) -> None:
    """A win without any evidence is a win, and its money comes back."""
    dispute = await Dispute.booked(engine)
    await dispute.rule("merchant_won")
    won = await dispute.until(status="won", booked_out="0.00")
    assert (won.finality, won.reinstated) == ("provisional", "92.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)
    assert (await dispute.ends())["finality"] == "final"


@pytest.mark.parametrize("how", ["dispute_opened", "open"])
async def test_ruling_before_notice(engine: Engine, how: str) -> None:
    """What comes first waits in the case, and counts once the notice is there."""
    dispute = Dispute(engine, await engine.notice())
    await dispute.rule("merchant_won")
    waiting = await dispute.until(lambda status: status.sequence == 1)
    assert (waiting.status, waiting.operations) == ("awaiting_notice", ())
    if how == "open":
        opened = await dispute.update("open", dispute.notice)
        assert opened["dispute_id"] == dispute.id
    else:
        await dispute.tell(how, dispute.notice)
    await dispute.until(status="won", booked_out="0.00")
    assert await dispute.booked_types() == ["DB"]
    await dispute.money_is(acquirer=92_00)
    assert (await dispute.ends())["status"] == "won"


async def test_a_fact_that_never_gets_its_notice_asks_for_a_person(engine: Engine) -> None:
    dispute = Dispute(engine, await engine.notice())
    await dispute.rule("merchant_won")
    await dispute.until(lambda status: status.sequence == 1)
    assert await dispute.days_pass(15)
    waiting = await dispute.until(lambda status: "notice_missing" in status.attention)
    assert waiting.status == "awaiting_notice"
    await dispute.update("open", dispute.notice)
    assert "notice_missing" not in (await dispute.until(status="won")).attention


async def test_duplicate_ruling(engine: Engine) -> None:
    """The same ruling three times is one event and one call."""
    dispute = await Dispute.booked(engine)
    ruling = await dispute.rule("merchant_won")
    for _ in range(2):
        await dispute.tell("bank_ruling", ruling)
    await dispute.until(status="won", booked_out="0.00")
    assert _ignored(await dispute.timeline()) == [None]
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_same_ruling_other_id(engine: Engine) -> None:
    """The same meaning under another id is kept on the timeline, and moves nothing."""
    dispute = await Dispute.booked(engine)
    await dispute.rule("merchant_won")
    await dispute.rule("merchant_won")
    await dispute.until(lambda status: status.booked_out == "0.00")
    first, second = _ignored(await dispute.timeline())
    assert first is None
    assert second == "says the same as the fact before it"
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_a_ruling_id_with_other_content_changes_nothing(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    ruling = await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    await dispute.tell("bank_ruling", ruling | {"outcome": "cardholder_won"})
    status = await dispute.until(lambda status: "message_not_taken" in status.attention)
    assert status.status == "won"
    reasons = _ignored(await dispute.timeline(), "not_taken")
    assert reasons == ["known already with other content"]
    await dispute.money_is(acquirer=92_00)


async def test_won_then_lost(engine: Engine) -> None:
    """What came back is taken again, by undoing the reversal."""
    dispute = await Dispute.booked(engine)
    await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    await dispute.rule("cardholder_won")
    lost = await dispute.until(status="lost", booked_out="92.00")
    assert (lost.written_off, lost.reinstated) == ("92.00", "0.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR", "CR"]
    await dispute.money_is(dispute_loss=92_00)


async def test_lost_then_won(engine: Engine) -> None:
    """A late win gives the money back, and the loss is undone."""
    dispute = await Dispute.lost(engine)
    await dispute.money_is(dispute_loss=92_00)
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_won_lost_won(engine: Engine) -> None:
    """Every turn moves the money once: at the end the merchant has it, not twice."""
    dispute = await Dispute.booked(engine)
    for outcome, out in (("merchant_won", 0), ("cardholder_won", 92), ("merchant_won", 0)):
        await dispute.rule(outcome)
        await dispute.until(booked_out=f"{out}.00")
    assert (await dispute.ends())["status"] == "won"
    assert await dispute.booked_types() == ["DB", "CB", "CR", "CR", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_a_ruling_told_late_does_not_overturn_a_later_one(engine: Engine) -> None:
    """Rulings count in the order in which the bank made them."""
    dispute = await Dispute.booked(engine)
    earlier = (await dispute.now()).isoformat()
    await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    known = (await dispute.status()).sequence
    await dispute.rule("cardholder_won", decided_at=earlier)
    await dispute.until(lambda status: status.sequence > known, status="won")
    assert (await dispute.ends())["status"] == "won"
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_rulings_that_cross_the_calls_end_in_one_position(engine: Engine) -> None:
    """Eight rulings at once, while calls are under way: the last of them decides."""
    dispute = await Dispute.booked(engine)
    start = await dispute.now()
    outcomes = ["merchant_won", "cardholder_won"] * 4
    moments = [(start + timedelta(milliseconds=n)).isoformat() for n in range(len(outcomes))]
    both = zip(outcomes, moments, strict=True)
    await asyncio.gather(*(dispute.rule(outcome, decided_at=at) for outcome, at in both))
    await dispute.until(lambda status: status.sequence > len(outcomes), booked_out="92.00")
    await dispute.until(status="lost")
    await dispute.money_is(dispute_loss=92_00)


async def test_late_evidence(engine: Engine) -> None:
    """After the answer went out a command is refused, and a signal kept with the reason."""
    dispute = await Dispute.booked(engine)
    await dispute.represent()
    item = {"evidence_id": "E-late", "evidence_type": "invoice", "submitted_by": "ana", "text": "x"}
    kind, details = await refused(dispute.update("add_evidence", item))
    assert kind == "IllegalTransition"
    assert details["status"] == "under_review"
    assert "add_evidence" not in details["allowed"]
    await dispute.tell("evidence_submitted", item)
    await dispute.until(lambda status: "message_not_taken" in status.attention)
    [reason] = _ignored(await dispute.timeline(), "not_taken")
    assert reason is not None
    assert "under_review" in reason
    assert "invoice" not in (await dispute.status()).checklist.present


async def test_partial_win(engine: Engine) -> None:
    """What returns is reversed in part; the rest is a loss."""
    dispute = await Dispute.booked(engine)
    share = {"amount": "40.00", "currency": "EUR"}
    await dispute.rule("partial", merchant_amount=share)
    status = await dispute.until(status="partially_won", booked_out="52.00")
    assert (status.reinstated, status.written_off) == ("40.00", "52.00")
    await dispute.money_is(acquirer=40_00, dispute_loss=52_00)
    assert (await dispute.ends())["status"] == "partially_won"


async def test_won_in_two_parts_then_lost_then_won(engine: Engine) -> None:
    """A reversal made of two parts is undone in two, and comes back whole."""
    dispute = await Dispute.booked(engine)
    await dispute.rule("partial", merchant_amount={"amount": "40.00", "currency": "EUR"})
    await dispute.until(booked_out="52.00")
    for outcome, out in (("merchant_won", 0), ("cardholder_won", 92), ("merchant_won", 0)):
        await dispute.rule(outcome)
        await dispute.until(lambda status: status.sequence > 0, booked_out=f"{out}.00")
    await dispute.until(status="won")
    await dispute.money_is(acquirer=92_00)


async def test_a_partial_ruling_that_does_not_add_up_asks_for_a_person(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    shares: Json = {
        "merchant_amount": {"amount": "40.00", "currency": "EUR"},
        "cardholder_amount": {"amount": "40.00", "currency": "EUR"},
    }
    await dispute.rule("partial", **shares)
    status = await dispute.until(lambda status: "ruling_unclear" in status.attention)
    assert status.status == "collecting"
    assert await dispute.booked_types() == ["DB", "CB"]
    await dispute.rule("partial", merchant_amount=shares["merchant_amount"])
    await dispute.until(status="partially_won", booked_out="52.00")
    await dispute.money_is(acquirer=40_00, dispute_loss=52_00)
