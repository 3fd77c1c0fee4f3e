"""Orders on a payment under dispute: refused at once, by the books alone."""

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from disputes.notification import NotifiedEntry
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.placeholders import Placeholders
from disputes.vocabulary import PaymentType
from tests.support.engine import Engine
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused
from tests.workflows.payment_hands import Order, Payout, Rebill, Refund, eur, fresh_id


async def _questions(engine: Engine, payment_id: str) -> int:
    """How often the gateway was asked about a payment."""
    seen = await engine.sandbox.requests()
    return sum(it["method"] == "GET" and payment_id in str(it["path"]) for it in seen)


async def _disputed(engine: Engine, **changes: object) -> Dispute:
    """Open, and on the books."""
    dispute = await Dispute.opened(engine, **changes)
    register = SqlPaymentRegister(engine.store)
    await until(lambda: bool(register.open_disputes(dispute.payment)))
    return dispute


@pytest.mark.parametrize("kind", [Refund, Payout, Rebill])
async def test_what_a_dispute_holds_is_refused_without_a_question(
    engine: Engine, kind: type[Order]
) -> None:
    """Questions about one payment are far apart: who asks before would wait for its turn."""
    dispute = await Dispute.booked(engine)
    asked = await _questions(engine, dispute.payment)
    assert asked > 0
    for _ in range(2):
        own = await kind.asked(engine, dispute.payment)
        name, details = await refused(own.case.result())
        assert (name, details) == ("MoneyHeld", {"operation_key": None})
    assert await _questions(engine, dispute.payment) == asked
    assert await dispute.booked_types() == ["DB", "CB"]


async def test_a_chargeback_without_a_notice_holds_the_money_until_the_bank_undoes_it(
    engine: Engine,
) -> None:
    """Its notification is a hint: the gateway is asked before anything is refused or sent."""
    first = await Refund.asked(engine)
    assert (await first.result()).state == "settled"  # the books know whose payment it is
    await engine.sandbox.own_booking("CB", str(first.payment), amount_minor=72_00)
    chargeback = str((await engine.sandbox.book(first.payment))[-1]["id"])
    told = NotifiedEntry(
        gateway_id=chargeback,
        payment_type=PaymentType.CB,
        referenced_id=first.payment,
        amount_minor=72_00,
        currency="EUR",
    )
    listed = Placeholders(engine.store).open(told)
    held = await Payout.asked(engine, first.payment)
    with pytest.raises(WorkflowFailureError) as failed:
        await held.case.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "MoneyHeld"
    assert f"{listed} is a chargeback without a notice" in failed.value.cause.message

    await engine.sandbox.own_booking("CR", chargeback, amount_minor=72_00)
    # By credit: what was ever charged back the gateway refunds no more.
    free = await Payout.asked(engine, first.payment)
    assert (await free.result()).state == "settled"


async def test_a_second_person_is_asked_first_and_the_books_after(engine: Engine) -> None:
    """By the time somebody approves it the dispute may be over; here it is not."""
    dispute = await _disputed(engine, amount=eur("9000.00"))
    own = await Refund.asked(engine, dispute.payment, amount=eur("5000.01"))
    status = await own.until(state="waiting_for_approval")
    assert status.approval is not None
    await own.update("approve", request_id=status.approval.request_id, decided_by="ben")
    assert (await refused(own.case.result()))[0] == "MoneyHeld"


async def test_what_was_sent_before_the_dispute_is_carried_to_its_end(engine: Engine) -> None:
    """Its run was lost while the money was on its way: no dispute makes it unsent."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    await engine.sandbox.arm("hang", match={"payment_type": "RF", "payment_id": payment}, delay_s=2)
    own = await Refund.asked(engine, payment)
    await own.until_posted("RF")
    await own.case.terminate()
    dispute = await _disputed(engine, payment_id=payment)
    await own.start(own.request())
    summary = await own.result()
    assert (summary.state, summary.raced) == ("settled", (dispute.id,))
    assert (await own.posts()).count("RF") == 1
