"""Our books against the gateway's: found, taken over, told to the case, or left to a person."""

import asyncio
from datetime import UTC, datetime

from disputes.money import Money
from disputes.reconciliation import ReconciliationReport
from disputes.status import CaseStatus
from disputes.store.reads import Reads
from disputes.vocabulary import OperationState, PaymentType
from tests.store.scene import Scene, entry
from tests.support.engine import Engine
from tests.support.reconciliation import reconcile
from tests.support.waiting import until
from tests.workflows.hands import Dispute
from tests.workflows.payment_hands import PreAuth


def _found(report: ReconciliationReport) -> list[tuple[str, str]]:
    return [(it.type.value, it.what_to_do) for it in report.differences]


async def _doubted(engine: Engine, payment_type: str, dispute: Dispute) -> str:
    """The gateway books the next call of a type and asks for a person: gives its key."""
    match = {"payment_type": payment_type, "payment_id": dispute.payment}
    code = "000.400.030"
    await engine.sandbox.arm("result_code_after_booking", match=match, code=code)
    if payment_type == "CR":
        await dispute.rule("merchant_won")
    else:
        await dispute.request_rebill()
    status = await dispute.until(lambda it: "operation_in_doubt" in it.attention)
    return _key(status)


def _key(status: CaseStatus) -> str:
    [key] = [op.key for op in status.operations if op.state == "in_doubt"]
    return key


async def test_nothing_differs_after_a_whole_life(quick: Engine) -> None:
    dispute = await Dispute.booked(quick)
    await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    report = await reconcile(quick, dispute.payment)
    assert (report.compared, report.entries, report.adopted, report.flagged) == (1, 3, 0, 0)


async def test_a_booking_behind_our_back_is_adopted_and_the_case_goes_on(quick: Engine) -> None:
    """The acquirer reversed the chargeback by itself, and its notification was lost."""
    dispute = await Dispute.booked(quick)
    [_, chargeback] = await dispute.book()
    await dispute.gateway_books("CR", str(chargeback["id"]), 92_00)
    report = await reconcile(quick, dispute.payment)
    assert (report.adopted, report.flagged) == (1, 0)
    await dispute.until(booked_out="0.00")
    await dispute.rule("merchant_won")
    await dispute.until(status="won")
    await dispute.money_is(acquirer=92_00)
    assert await dispute.booked_types() == ["DB", "CB", "CR"]


async def test_a_twin_that_was_booked_long_after_is_undone_in_the_night(quick: Engine) -> None:
    """Denied twice it went out again under the same reference; then the first was booked too."""
    dispute = await Dispute.lost(quick)
    assert await dispute.days_pass(2)
    await dispute.request_rebill()
    await dispute.until(rebilled="92.00")
    await quick.sandbox.own_booking(
        "RB",
        dispute.payment,
        amount_minor=92_00,
        merchant_transaction_id=dispute.operations()[-1].merchant_transaction_id,
    )
    assert _found(await reconcile(quick, dispute.payment)) == []
    assert await dispute.booked_types() == ["DB", "CB", "RB", "RB", "RF"]
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)
    report = await reconcile(quick, dispute.payment)
    assert (report.adopted, _found(report)) == (0, [])
    assert len(await dispute.book()) == 5


async def test_a_refund_behind_our_back_is_told_to_the_case(quick: Engine) -> None:
    """What was refunded cannot be charged back too: the case asks for a person."""
    inquiry = await Dispute.opened(quick, stage="inquiry")
    await inquiry.until(lambda status: status.operations == ())
    await until(lambda: bool(_known(inquiry)))
    await inquiry.gateway_books("RF", inquiry.payment, 30_00)
    report = await reconcile(quick, inquiry.payment)
    assert (report.adopted, report.flagged) == (1, 0)
    await inquiry.until(lambda status: "double_loss" in status.attention)


async def test_a_chargeback_seen_at_an_inquiry_is_its_own_once_the_bank_says_so(
    quick: Engine,
) -> None:
    """A ruling is the first word of it; nothing else makes the case ask the gateway again."""
    inquiry = await Dispute.opened(quick, stage="inquiry")
    await until(lambda: bool(_known(inquiry)))
    await inquiry.gateway_books("CB", inquiry.payment, 92_00)
    assert (await reconcile(quick, inquiry.payment)).flagged == 1
    await inquiry.rule("merchant_won", stage="chargeback")
    await inquiry.until(status="won", booked_out="0.00")
    assert (await reconcile(quick, inquiry.payment)).flagged == 0
    await inquiry.money_is(acquirer=92_00)
    assert await inquiry.booked_types() == ["DB", "CB", "CR"]


async def test_a_payment_without_a_dispute_is_taken_over_too(quick: Engine) -> None:
    """Its refund goes on the books; a chargeback does, and asks for the notice that explains it."""
    payment_id = str((await quick.notice())["payment_id"])
    scene = Scene(quick.store)
    sale = entry(PaymentType.DB, 92_00, gateway_id=payment_id)
    await asyncio.to_thread(scene.book.adopt_own, "M-1", payment_id, [sale], datetime.now(UTC))
    await quick.sandbox.own_booking("RF", payment_id, amount_minor=30_00)
    refunded = await reconcile(quick, payment_id)
    assert (refunded.adopted, refunded.flagged) == (1, 0)
    await quick.sandbox.own_booking("CB", payment_id, amount_minor=50_00)
    charged_back = await reconcile(quick, payment_id)
    assert charged_back.adopted == 1
    assert _found(charged_back) == [("unexplained", "disputes intake FILE (its notice)")]
    lines = await asyncio.to_thread(scene.ledger.show, payment_id)
    assert [(str(it.debit), it.amount_minor) for it in lines] == [
        ("acquirer", 92_00),
        ("refunds", 30_00),
        ("unmirrored", 50_00),
    ]
    assert await asyncio.to_thread(scene.ledger.verify) == []


def _known(dispute: Dispute) -> bool:
    events = Reads(dispute.engine.store).events(dispute.id)
    return any(event.body.kind == "payment_known" for event in events)


async def test_a_comparison_alone_changes_nothing(quick: Engine) -> None:
    dispute = await Dispute.booked(quick)
    [_, chargeback] = await dispute.book()
    await dispute.gateway_books("CR", str(chargeback["id"]), 92_00)
    report = await reconcile(quick, dispute.payment, adopt=False)
    command = f"disputes reconcile --payment {dispute.payment}"
    assert _found(report) == [("missing_here", command)]
    assert report.adopted == 0
    assert (await dispute.status()).booked_out == "92.00"
    assert [op.payment_type for op in dispute.operations()] == ["CB"]


async def test_a_lost_operation_in_doubt_is_settled_and_the_case_goes_on(quick: Engine) -> None:
    dispute = await Dispute.booked(quick)
    await _doubted(quick, "CR", dispute)
    report = await reconcile(quick, dispute.payment)
    assert (report.adopted, report.flagged) == (1, 0)
    await dispute.until(booked_out="0.00", attention=())
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_a_rebill_in_doubt_is_settled_too(quick: Engine) -> None:
    dispute = await Dispute.lost(quick)
    assert await dispute.days_pass(2)
    await _doubted(quick, "RB", dispute)
    report = await reconcile(quick, dispute.payment)
    assert (report.adopted, report.flagged) == (1, 0)
    await dispute.until(rebilled="92.00", attention=())
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)


async def test_a_case_in_doubt_hears_what_anothers_question_proved(quick: Engine) -> None:
    """The books have its chargeback, so nothing differs; while it doubts it sends no reversal."""
    notice = await quick.notice()
    match = {"payment_type": "CB", "payment_id": notice["payment_id"]}
    code = "000.400.030"
    await quick.sandbox.arm("result_code_after_booking", match=match, code=code)
    dispute = Dispute(quick, notice)
    await quick.open(notice)
    await dispute.until(lambda it: "operation_in_doubt" in it.attention)
    other = await Dispute.opened(quick, payment_id=dispute.payment, stage="inquiry")
    await until(lambda: bool(_known(other)))
    assert [op.state for op in dispute.operations()] == [OperationState.SETTLED]
    report = await reconcile(quick, dispute.payment)
    assert (report.adopted, report.flagged) == (0, 0)
    await dispute.until(attention=())
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR"]


async def test_an_authorization_in_doubt_hears_what_anothers_question_proved(
    quick: Engine,
) -> None:
    own = await PreAuth.opened(quick)
    match = {"payment_type": "CP", "payment_id": own.payment}
    code = "000.400.030"
    await quick.sandbox.arm("result_code_after_booking", match=match, code=code)
    await own.capture()
    await own.until(state="in_doubt")
    capture = str((await quick.sandbox.book(own.payment))[-1]["id"])
    other = await Dispute.opened(quick, payment_id=capture, stage="inquiry")
    await until(lambda: bool(_known(other)))
    assert (await own.until(state="in_doubt")).state == "in_doubt"
    await reconcile(quick, str(own.payment))
    assert (await own.result()).state == "captured"


async def test_what_a_notification_told_first_settles_the_doubt_later(quick: Engine) -> None:
    """The entry was adopted before anybody knew that it is the operation in doubt."""
    dispute = await Dispute.booked(quick)
    await _doubted(quick, "CR", dispute)
    [_, chargeback, reversal] = await dispute.book()
    await dispute.booking("CR", str(reversal["id"]), str(chargeback["id"]))
    await dispute.until(booked_out="0.00")
    report = await reconcile(quick, dispute.payment)
    assert report.flagged == 0
    await dispute.until(booked_out="0.00", attention=())
    await dispute.money_is(acquirer=92_00)


async def test_a_closed_case_hears_of_a_late_booking(quick: Engine) -> None:
    dispute = await Dispute.lost(quick)
    await dispute.ends()
    [_, chargeback] = await dispute.book()
    reversal = await dispute.gateway_books("CR", str(chargeback["id"]), 92_00)
    report = await reconcile(quick, dispute.payment)
    assert (report.adopted, report.flagged) == (1, 0)

    def heard() -> bool:
        events = Reads(quick.store).events(dispute.id)
        return any(event.event_id == f"booking:{reversal}:CR" for event in events)

    await until(heard)


async def test_another_amount_is_flagged_with_the_command_that_resolves_it(quick: Engine) -> None:
    """A person refuses what we sent; then the gateway's own amount can be adopted."""
    dispute = await Dispute.booked(quick)
    match = {"payment_type": "CR", "payment_id": dispute.payment}
    await quick.sandbox.arm("timeout_before_booking", match=match, delay_s=0)
    await dispute.rule("partial", merchant_amount={"amount": "40.00", "currency": "EUR"})
    key = _key(await dispute.until(lambda it: "operation_in_doubt" in it.attention))
    [sent] = [op for op in dispute.operations() if op.key == key]
    [_, chargeback] = await dispute.book()
    await quick.sandbox.own_booking(
        "CR",
        str(chargeback["id"]),
        amount_minor=35_00,
        merchant_transaction_id=sent.merchant_transaction_id,
    )
    flagged = await reconcile(quick, dispute.payment)
    again = f"disputes reconcile --payment {dispute.payment}"
    resolve = f"disputes resolve {dispute.id} {key} did_not_happen --by NAME --proof TEXT"
    assert _found(flagged) == [("other_amount", f"{resolve}, then: {again}")]
    [difference] = flagged.differences
    assert (difference.ours, difference.theirs) == (Money.of(40_00, "EUR"), Money.of(35_00, "EUR"))

    doubt = {"operation_key": key, "resolution": "did_not_happen", "resolved_by": "ana"}
    await dispute.update("resolve_operation", doubt | {"proof": "booked with 35.00"})
    await dispute.until(attention=("not_mirrored",))
    resolved = await reconcile(quick, dispute.payment)
    assert (resolved.adopted, resolved.flagged) == (1, 0)
    await dispute.until(booked_out="52.00", attention=())
    await dispute.money_is(acquirer=40_00, dispute_loss=52_00)


async def test_what_the_gateway_denies_stays_with_a_person(quick: Engine) -> None:
    """One denial is no proof: nothing is changed, and the command is told."""
    dispute = await Dispute.booked(quick)
    match = {"payment_type": "CR", "payment_id": dispute.payment}
    await quick.sandbox.arm("timeout_before_booking", match=match, delay_s=0)
    await dispute.rule("partial", merchant_amount={"amount": "40.00", "currency": "EUR"})
    key = _key(await dispute.until(lambda it: "operation_in_doubt" in it.attention))
    report = await reconcile(quick, dispute.payment)
    resolve = f"disputes resolve {dispute.id} {key} did_not_happen --by NAME --proof TEXT"
    assert _found(report) == [("denied", resolve)]
    assert _key(await dispute.status()) == key


async def test_what_a_person_settled_gets_its_entry_once(quick: Engine) -> None:
    """The acquirer booked by hand what we had sent: the word and the entry are one."""
    dispute = await Dispute.booked(quick)
    match = {"payment_type": "CR", "payment_id": dispute.payment}
    await quick.sandbox.arm("timeout_before_booking", match=match, delay_s=0)
    await dispute.rule("partial", merchant_amount={"amount": "40.00", "currency": "EUR"})
    key = _key(await dispute.until(lambda it: "operation_in_doubt" in it.attention))
    [_, chargeback] = await dispute.book()
    reversal = await dispute.gateway_books("CR", str(chargeback["id"]), 40_00)
    doubt = {"operation_key": key, "resolution": "happened", "resolved_by": "ana"}
    await dispute.update("resolve_operation", doubt | {"proof": "the acquirer's list"})
    await dispute.until(booked_out="52.00", attention=())
    report = await reconcile(quick, dispute.payment)
    assert (report.adopted, report.flagged) == (1, 0)
    assert [op.gateway_id for op in dispute.operations() if op.key == key] == [reversal]
    await dispute.money_is(acquirer=40_00, dispute_loss=52_00)
