"""The named edge cases in which payment, gateway and bank disagree; see test_lifecycle_edges."""

import pytest

from disputes.chain import next_plan
from disputes.errors import MoneyHeld
from disputes.events import Booked, CallsHeld, Ruled
from disputes.messages import (
    BankRuling,
    Booking,
    Consent,
    RequestRebill,
    SubmitRepresentment,
)
from disputes.status import attention, status_of
from disputes.vocabulary import (
    NetworkEventKind,
    OperationState,
    Outcome,
    Purpose,
    Stage,
    Status,
)
from tests.support.story import Story, day, euros, terms

WON, LOST, PARTIAL = Outcome.MERCHANT_WON, Outcome.CARDHOLDER_WON, Outcome.PARTIAL
CB, CR, RB, RF = ("CB", 9200), ("CR", 9200), ("RB", 9200), ("RF", 9200)
SUBMIT = SubmitRepresentment(submitted_by="ann")


def charged_back(**changes: object) -> Story:
    return Story(terms(**changes)).sale().opened().payment().gateway()


def submitted(**changes: object) -> Story:
    return charged_back(**changes).on(1).evidence().command("submit_representment", SUBMIT)


def rebill() -> RequestRebill:
    consent = Consent(given_at=day(10), evidence_id="EV-consent")
    return RequestRebill(requested_by="ann", reason="agreed on the phone", consent=consent)


def assert_stands(story: Story, status: Status, in_hand: int, at_risk: int = 0) -> None:
    assert story.standing() is status
    assert (story.book.in_hand, story.book.at_risk) == (in_hand * 100, at_risk * 100)


def test_won_lost_won_where_the_gateway_undoes_nothing() -> None:
    """The reversal that nobody undid already shows the money back: nothing is sent again."""
    story = charged_back(capabilities={"undo_reversal": "adopt_only"})
    story.ruled(WON, 10).gateway().ruled(LOST, 20).gateway()
    assert "not_mirrored" in attention(story.case)
    assert_stands(story, Status.LOST, -15)

    story.ruled(WON, 30).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR]
    assert attention(story.case) == ()


def test_won_then_lost_where_the_gateway_books_its_own_undoing() -> None:
    story = charged_back(capabilities={"undo_reversal": "adopt_only"})
    story.ruled(WON, 10).gateway().ruled(LOST, 20).gateway()
    reversal = story.case.operations[-1].gateway_id
    assert reversal is not None

    story.booked_by_gateway(Purpose.UNDO, 9200, reversal)

    assert_stands(story, Status.LOST, -15)
    assert story.book.reading()[:2] == (0, 0)
    assert attention(story.case) == ()
    story.ruled(WON, 30).gateway()
    assert story.sent == [CB, CR, CR]
    assert_stands(story, Status.WON, 77)


def test_partial_win_where_only_whole_chargebacks_can_be_reversed() -> None:
    capabilities = {"partial_reversal_of_chargeback": False}
    story = charged_back(capabilities=capabilities).ruled(PARTIAL, 10, "40.00").gateway()

    assert story.sent == [CB]
    assert_stands(story, Status.PARTIALLY_WON, 25)
    assert "not_mirrored" in attention(story.case)


def test_refund_before_chargeback() -> None:
    """Double loss; represented with the refund as proof, the refunded part comes back."""
    story = Story().sale().refund(2000).opened().payment(refunded_minor=2000).gateway()
    assert "double_loss" in attention(story.case)
    assert story.sent == [("CB", 7200)]

    story.ruled(PARTIAL, 10, "20.00").gateway()

    assert_stands(story, Status.PARTIALLY_WON, -15)


def test_chargeback_on_partly_refunded_payment() -> None:
    story = Story().sale().refund(2000).opened(amount=euros("72.00"))
    story.payment(refunded_minor=2000).gateway()

    assert "double_loss" not in attention(story.case)
    assert_stands(story, Status.COLLECTING, -15, 72)


def test_amount_above_payment() -> None:
    story = Story().sale().opened(amount=euros("100.00")).payment().gateway()

    assert "amount_above_payment" in attention(story.case)
    assert story.sent == [CB]
    assert_stands(story, Status.COLLECTING, -23, 100)


def test_amount_above_payment_only_once_it_escalated() -> None:
    story = Story().sale().opened(stage=Stage.INQUIRY).payment()
    assert attention(story.case) == ()

    story.network(NetworkEventKind.ESCALATED, 5, "100.00")

    assert "amount_above_payment" in attention(story.case)


def test_rebill_after_loss() -> None:
    story = charged_back().ruled(LOST, 10).on(11).command("request_rebill", rebill()).gateway()

    assert_stands(story, Status.LOST, 77)
    assert story.sent == [CB, RB]
    assert status_of(story.case).recovered == "92.00"


def test_rebill_then_late_win() -> None:
    story = charged_back().ruled(LOST, 10).on(11).command("request_rebill", rebill()).gateway()
    story.ruled(WON, 20)
    assert_stands(story, Status.WON, 77)
    assert status_of(story.case).give_back_due == "92.00"

    story.gateway()

    assert story.sent == [CB, RB, CR, RF]
    assert_stands(story, Status.WON, 77)
    assert story.book.reading()[0] == 92, "the money is here once"
    with pytest.raises(MoneyHeld):
        story.ruled(LOST, 30).command("request_rebill", rebill())


def test_rebill_that_settles_after_the_win_is_given_back() -> None:
    story = charged_back().ruled(LOST, 10).on(11).command("request_rebill", rebill())
    plan = next_plan(story.case)
    assert plan is not None

    story.ruled(WON, 20).answer(plan).gateway()

    assert [call.purpose for call in story.calls] == [
        Purpose.BOOK,
        Purpose.REINSTATE,
        Purpose.GIVE_BACK,
    ]
    assert_stands(story, Status.WON, 77)
    assert story.book.reading()[0] == 92


def test_rebill_lost_again_before_it_was_given_back_stays_with_the_merchant() -> None:
    story = charged_back().ruled(LOST, 10).on(11).command("request_rebill", rebill()).gateway()
    story.ruled(WON, 20).ruled(LOST, 21).gateway()

    assert story.sent == [CB, RB]
    assert_stands(story, Status.LOST, 77)


def test_unknown_payment() -> None:
    story = Story().sale().opened().payment(known=False, entry_type=None, amount_minor=0).gateway()
    assert attention(story.case) == ("not_mirrored", "payment_unknown")
    assert story.sent == []

    story.ruled(LOST, 10)
    assert_stands(story, Status.LOST, -15)

    story.payment().gateway()
    assert story.sent == [CB]
    assert attention(story.case) == ()


def test_chargeback_refused_by_gateway() -> None:
    story = Story().sale().opened().payment()
    plan = next_plan(story.case)
    assert plan is not None
    story.answer(plan, OperationState.REFUSED)
    assert next_plan(story.case) is None, "the same again would be refused again"
    assert "not_mirrored" in attention(story.case)

    story.on(1).evidence().command("submit_representment", SUBMIT).ruled(WON, 10).gateway()

    assert_stands(story, Status.WON, 77)
    assert attention(story.case) == ()


def test_webhook_before_notice() -> None:
    """The booking of a chargeback that nobody has told of yet is not reversed."""
    story = Story().sale().opened(stage=Stage.INQUIRY).payment()
    story.booked_by_gateway(Purpose.BOOK, 9200)
    assert next_plan(story.case) is None
    assert story.standing() is Status.COLLECTING

    story.network(NetworkEventKind.ESCALATED, 10).gateway()

    assert_stands(story, Status.COLLECTING, -15, 92)
    assert story.sent == []


def test_webhook_of_a_second_chargeback_before_its_event() -> None:
    story = submitted().ruled(WON, 10).gateway()
    reversal = story.case.operations[-1].gateway_id
    assert reversal is not None
    story.booked_by_gateway(Purpose.UNDO, 9200, reversal)
    assert next_plan(story.case) is None
    assert story.standing() is Status.WON

    story.network(NetworkEventKind.SECOND_CHARGEBACK, 20, respond_by=day(50)).gateway()

    assert_stands(story, Status.READY, -15, 92)
    assert story.sent == [CB, CR]


def test_gateway_unknown_outcome_stops_calls_and_nothing_else() -> None:
    story = Story().sale().opened().payment()
    plan = next_plan(story.case)
    assert plan is not None
    story.answer(plan, OperationState.IN_DOUBT)
    assert next_plan(story.case) is None
    assert "operation_in_doubt" in attention(story.case)

    story.on(1).evidence().command("submit_representment", SUBMIT).ruled(WON, 10)
    assert_stands(story, Status.WON, 77)
    assert next_plan(story.case) is None

    story.answer(plan).gateway()
    assert story.sent == [CR]
    assert_stands(story, Status.WON, 77)


def test_chargeback_that_the_gateway_booked_already_is_adopted() -> None:
    story = Story().sale().opened()
    story.booked_by_gateway(Purpose.BOOK, 9200)

    story.payment().gateway()

    assert story.sent == []
    assert_stands(story, Status.COLLECTING, -15, 92)
    assert story.book.reading()[:3] == (0, 0, 92)


def test_an_entry_adopted_before_our_own_answer_counts_once() -> None:
    story = Story().sale().opened().payment()
    plan = next_plan(story.case)
    assert plan is not None
    story.booked_by_gateway(Purpose.BOOK, 9200)
    adopted = story.case.operations[-1]

    story.tell(_reported_as(plan.key, adopted.gateway_id or ""))

    assert [op.key for op in story.case.operations] == [plan.key]
    assert_stands(story, Status.COLLECTING, -15, 92)


def _reported_as(key: str, gateway_id: str) -> Booked:
    story = Story()
    story.booked_by_gateway(Purpose.BOOK, 9200)
    operation = story.case.operations[-1].model_copy(update={"key": key, "gateway_id": gateway_id})
    booking = Booking.model_validate(
        {"gateway_id": gateway_id, "payment_type": "CB", "occurred_at": day(0)}
    )
    return Booked(booking=booking, operation=operation)


def test_a_pre_arbitration_without_a_known_chargeback_takes_the_money() -> None:
    story = Story().sale().opened(stage=Stage.INQUIRY).payment()

    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 20).gateway()

    assert_stands(story, Status.COLLECTING, -15, 92)


def test_what_is_no_longer_owed_is_held_up_no_more() -> None:
    story = Story().sale().opened().payment()
    story.tell(CallsHeld(reason="money_held"))
    assert "money_held" in attention(story.case)

    story.network(NetworkEventKind.CHARGEBACK_WITHDRAWN, 3)

    assert attention(story.case) == ()


def test_an_amount_with_more_decimals_than_the_gateway_has_asks_for_a_person() -> None:
    dinar = {"amount": "1.255", "currency": "KWD"}
    story = Story(terms(expected_fee_minor=0)).opened(amount=dinar)

    story.payment(amount_minor=1255, currency="KWD").gateway()

    assert story.sent == []
    assert "not_mirrored" in attention(story.case)


def test_bank_ruling_for_an_unmoved_inquiry_moves_no_money() -> None:
    story = Story().sale().opened(stage=Stage.INQUIRY).payment()
    story.tell(Ruled(ruling=BankRuling(ruling_id="R", outcome=LOST, decided_at=day(5))), at=day(5))

    assert_stands(story.gateway(), Status.LOST, 92)
    assert story.sent == []
