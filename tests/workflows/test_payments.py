"""Disputes that do not fit their payment: refunds before, too much, twice, unknown, refused."""

from collections.abc import Callable

from disputes.decode import sha256
from disputes.status import CaseStatus
from tests.support.engine import Engine, Json
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused


def _attends(code: str) -> Callable[[CaseStatus], bool]:
    return lambda status: code in status.attention


def _eur(amount: str) -> Json:
    return {"amount": amount, "currency": "EUR"}


async def _refunded(engine: Engine, minor: int) -> Dispute:
    """A dispute over 92.00 on a payment of which a part was refunded before."""
    notice = await engine.notice()
    await engine.sandbox.own_booking("RF", notice["payment_id"], amount_minor=minor)
    await engine.open(notice)
    dispute = Dispute(engine, notice)
    await dispute.until(_attends("double_loss"))
    return dispute


async def test_refund_before_chargeback(engine: Engine) -> None:
    """The money went twice: represented with the refund as proof, it comes back once."""
    dispute = await _refunded(engine, 92_00)
    await dispute.money_is(acquirer=0, unmirrored=-92_00, disputed=92_00)
    await dispute.represent()
    await dispute.rule("merchant_won")
    await dispute.until(status="won")
    await dispute.money_is(acquirer=0)
    assert await dispute.booked_types() == ["DB", "RF"]


async def test_chargeback_on_partly_refunded_payment(engine: Engine) -> None:
    """The gateway books what the payment still held; the bank's whole fact stays visible."""
    dispute = await _refunded(engine, 20_00)
    await dispute.until(booked_out="72.00")
    await dispute.money_is(acquirer=0, unmirrored=-20_00, disputed=92_00)
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    await dispute.money_is(acquirer=72_00)


async def test_amount_above_payment(engine: Engine) -> None:
    """The case opens, for the bank's money is gone; only what the entry held is booked."""
    payment = sha256("above the payment")[:32]
    await engine.sandbox.payment(payment, "92.00", "EUR")
    dispute = await Dispute.booked(engine, payment_id=payment, amount=_eur("100.00"))
    status = await dispute.until(_attends("amount_above_payment"), booked_out="92.00")
    assert status.status == "collecting"
    await dispute.money_is(acquirer=0, unmirrored=-8_00, disputed=100_00)
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def test_two_disputes_one_payment(engine: Engine) -> None:
    """Both stand on the books, one chargeback at the gateway; the other waits for a person."""
    payment = sha256("two disputes")[:32]
    await engine.sandbox.payment(payment, "92.00", "EUR")
    first = await Dispute.booked(engine, payment_id=payment, amount=_eur("30.00"))
    second = await Dispute.booked(engine, payment_id=payment, amount=_eur("40.00"))
    await second.until(lambda status: {"second_dispute", "not_mirrored"} <= set(status.attention))
    assert await first.booked_types() == ["DB", "CB"]
    await first.money_is(acquirer=62_00, unmirrored=-40_00, disputed=70_00)
    await second.rule("merchant_won")
    await second.until(status="won")
    await first.money_is(acquirer=62_00, disputed=30_00)
    await first.rule("merchant_won")
    await first.until(status="won", booked_out="0.00")
    await first.money_is(acquirer=92_00)


async def test_unknown_reason_code(engine: Engine) -> None:
    """It opens with attention; what is complete only a person can say."""
    dispute = await Dispute.booked(engine, reason_code="99.9")
    status = await dispute.until(_attends("unknown_reason_code"))
    assert (status.status, status.checklist.unruled) == ("collecting", True)
    await dispute.add_evidence()
    submission: Json = {"submitted_by": "ana"}
    kind, details = await refused(dispute.update("submit_representment", submission))
    assert kind == "IncompleteEvidence"
    assert details["missing"]
    await dispute.update("submit_representment", submission | {"allow_incomplete": True})
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def test_an_unruled_code_is_never_submitted_by_itself(engine: Engine) -> None:
    dispute = await Dispute.booked(engine, reason_code="99.9")
    await dispute.add_evidence()
    assert await dispute.days_pass(26)
    await dispute.until(status="expired")


async def test_unknown_payment(engine: Engine) -> None:
    """The gateway does not know it: nothing is called, the bank's fact is on the books."""
    dispute = await Dispute.opened(engine, payment_id=sha256("nobody's payment")[:32])
    await dispute.until(_attends("payment_unknown"), status="collecting")
    await dispute.money_is(unmirrored=-92_00, disputed=92_00)
    await dispute.represent()
    await dispute.rule("merchant_won")
    await dispute.until(status="won")
    assert (await dispute.ends())["booked_out"] == "0.00"
    assert await dispute.book() == []
    await dispute.money_is()


async def test_a_payment_that_the_gateway_learns_of_later_is_found_by_itself(
    engine: Engine,
) -> None:
    payment_id = sha256("a payment that comes late")[:32]
    dispute = await Dispute.opened(engine, payment_id=payment_id)
    await dispute.until(_attends("payment_unknown"), status="collecting")
    await engine.sandbox.payment(payment_id, "92.00", "EUR")
    assert await dispute.days_pass(1)
    status = await dispute.until(booked_out="92.00")
    assert "payment_unknown" not in status.attention
    await dispute.money_is(disputed=92_00)
    assert await dispute.booked_types() == ["DB", "CB"]


async def test_a_payment_that_never_comes_is_left_to_a_person(engine: Engine) -> None:
    """The gateway is asked ever more rarely, and not after the policy's days."""
    dispute = await Dispute.opened(engine, payment_id=sha256("never comes")[:32])
    await dispute.until(_attends("payment_unknown"), status="collecting")
    counts = []
    for days in (1, 12, 2, 5):
        assert await dispute.days_pass(days)
        await dispute.until(_attends("payment_unknown"))
        told = [entry["what"] for entry in await dispute.timeline()]
        counts.append(told.count("payment_known"))
    assert 5 < counts[0] < counts[1] < counts[2] == counts[3] < 20


async def test_chargeback_refused_by_gateway(engine: Engine) -> None:
    """The fact stays unmirrored, a person is told, and the case goes on."""
    notice = await engine.notice()
    match = {"payment_type": "CB", "payment_id": notice["payment_id"]}
    await engine.sandbox.arm("refuse", match=match)
    await engine.open(notice)
    dispute = Dispute(engine, notice)
    status = await dispute.until(_attends("not_mirrored"))
    assert [op.state for op in status.operations] == ["refused"]
    await dispute.money_is(acquirer=92_00, unmirrored=-92_00, disputed=92_00)
    await dispute.represent()
    await dispute.rule("merchant_won")
    await dispute.until(status="won")
    await dispute.money_is(acquirer=92_00)
    assert await dispute.booked_types() == ["DB"]


async def test_a_chargeback_that_the_gateway_booked_meanwhile_is_adopted(engine: Engine) -> None:
    """Ours is refused as the second one; the gateway's own takes its place."""
    notice = await engine.notice()
    match = {"payment_type": "CB", "payment_id": notice["payment_id"]}
    await engine.sandbox.arm("hang", match=match, delay_s=2.0)
    await engine.open(notice)
    dispute = Dispute(engine, notice)
    await until(dispute.is_sent)
    await dispute.gateway_books("CB", dispute.payment, 92_00)
    status = await dispute.until(booked_out="92.00")
    assert "not_mirrored" not in status.attention
    await dispute.money_is(disputed=92_00)
    assert await dispute.booked_types() == ["DB", "CB"]


async def test_webhook_before_notice(engine: Engine) -> None:
    """The gateway's own chargeback and its notice make one case with one chargeback."""
    dispute = Dispute(engine, await engine.notice())
    chargeback = await dispute.gateway_books("CB", dispute.payment, 92_00)
    await dispute.booking("CB", chargeback, dispute.payment)
    named = dispute.notice | {"gateway_reference": chargeback}
    await dispute.update("open", named)
    status = await dispute.until(booked_out="92.00")
    assert (status.status, status.attention) == ("collecting", ())
    await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_a_reversal_that_the_gateway_booked_first_is_not_posted_again(engine: Engine) -> None:
    """A booking moves the money, never the status; the ruling then finds nothing to do."""
    dispute = await Dispute.booked(engine)
    [_, chargeback] = await dispute.book()
    reversal = await dispute.gateway_books("CR", str(chargeback["id"]), 92_00)
    await dispute.booking("CR", reversal, str(chargeback["id"]))
    assert (await dispute.until(booked_out="0.00")).status == "collecting"
    await dispute.money_is(acquirer=92_00, unmirrored=-92_00, disputed=92_00)
    await dispute.rule("merchant_won")
    await dispute.until(status="won")
    await dispute.money_is(acquirer=92_00)
    assert await dispute.booked_types() == ["DB", "CB", "CR"]


async def test_a_booking_that_the_gateway_denies_holds_nothing_up(engine: Engine) -> None:
    """Told with an id alone, and the id is wrong: the case's own calls go on."""
    dispute = await Dispute.booked(engine)
    told: Json = {"gateway_id": sha256("nobody's")[:32], "payment_type": "CR"}
    moment = (await dispute.now()).isoformat()
    await dispute.tell("booking", told | {"occurred_at": moment})
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00", attention=())
    await dispute.money_is(acquirer=92_00)


async def test_currencies_with_other_decimals_than_the_wire(engine: Engine) -> None:
    """Yen have none, dinars three: what two decimals can say is booked to the unit."""
    yen = await Dispute.booked(engine, amount={"amount": "5000", "currency": "JPY"})
    dinar = await Dispute.booked(engine, amount={"amount": "12.350", "currency": "KWD"})
    assert [entry["amount_minor"] for entry in await yen.book()] == [5000, 5000]
    assert [entry["amount_minor"] for entry in await dinar.book()] == [12_350, 12_350]
    for dispute, minor in ((yen, 5000), (dinar, 12_350)):
        await dispute.rule("merchant_won")
        await dispute.until(status="won")
        await dispute.money_is(acquirer=minor)


async def test_what_the_wire_cannot_say_is_booked_by_a_person(engine: Engine) -> None:
    """The case opens and asks; the gateway's own entry is then adopted."""
    payment = sha256("dinars")[:32]
    await engine.sandbox.payment(payment, "12.350", "KWD")
    share = {"amount": "2.255", "currency": "KWD"}
    dispute = await Dispute.opened(engine, payment_id=payment, amount=share)
    await dispute.until(_attends("not_mirrored"), status="collecting")
    await dispute.money_is(acquirer=12_350, unmirrored=-2_255, disputed=2_255)
    chargeback = await dispute.gateway_books("CB", payment, 2_255)
    amount = {"amount": share, "referenced_id": payment}
    moment = (await dispute.now()).isoformat()
    told: Json = {"gateway_id": chargeback, "payment_type": "CB", "occurred_at": moment}
    await dispute.tell("booking", told | amount)
    await dispute.until(booked_out="2.255", attention=())
    await dispute.money_is(acquirer=10_095, disputed=2_255)
