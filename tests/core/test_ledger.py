"""Every reading of the ledger, through the rules and an in-memory book.

Whole euros, in the columns: acquirer, unmirrored, disputed, dispute loss, refunds, recovered,
give-back due, in hand, at risk. The payment is 92, the fee of each chargeback 15.
"""

import pytest

from disputes.chain import next_plan, owed_minor
from disputes.events import TimerKind
from disputes.ledger import (
    Account,
    ActsOn,
    Levels,
    entry_postings,
    fact_postings,
    levels,
    operation_postings,
)
from disputes.messages import AcceptLiability, Consent, RequestRebill
from disputes.money import Money
from disputes.status import attention
from disputes.vocabulary import (
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Purpose,
    Stage,
    Status,
)
from tests.support.story import Book, Story, day, euros

WON, LOST, PARTIAL = Outcome.MERCHANT_WON, Outcome.CARDHOLDER_WON, Outcome.PARTIAL


def charged_back() -> Story:
    return Story().sale().opened().payment().gateway()


def lost_and_rebilled() -> Story:
    return charged_back().ruled(LOST, 10).on(11).command("request_rebill", rebill()).gateway()


def rebill() -> RequestRebill:
    consent = Consent(given_at=day(10), evidence_id="EV-consent")
    return RequestRebill(requested_by="ann", reason="paid again on the phone", consent=consent)


def refunded_before(booked_minor: int) -> Story:
    """20 refunded, then 92 charged back, of which the gateway booked ``booked_minor``."""
    story = Story().sale().refund(2000).opened()
    story.booked_by_gateway(Purpose.BOOK, booked_minor)
    return story.payment(refunded_minor=2000).gateway()


def refused_by_gateway() -> Story:
    story = Story().sale().opened().payment()
    plan = next_plan(story.case)
    assert plan is not None
    return story.answer(plan, OperationState.REFUSED).gateway()


def test_before_any_dispute_a_captured_payment_is_in_hand_and_an_authorization_is_not() -> None:
    book = Book()
    book.post(entry_postings(PaymentType.PA, 9200, "EUR"))
    assert book.reading() == (0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert book.balances[Account.MEMO_AUTH] == 9200

    book.post(entry_postings(PaymentType.CP, 9200, "EUR"))

    assert book.reading() == (92, 0, 0, 0, 0, 0, 0, 92, 0)
    assert book.balances[Account.MEMO_AUTH] == 0


READINGS = {
    "chargeback open": (charged_back, (0, 0, 92, 0, 0, 0, 0, -15, 92)),
    "won": (lambda: charged_back().ruled(WON, 10).gateway(), (92, 0, 0, 0, 0, 0, 0, 77, 0)),
    "lost": (lambda: charged_back().ruled(LOST, 10).gateway(), (0, 0, 0, 92, 0, 0, 0, -15, 0)),
    "partial, merchant 40": (
        lambda: charged_back().ruled(PARTIAL, 10, "40.00").gateway(),
        (40, 0, 0, 52, 0, 0, 0, 25, 0),
    ),
    "won, then lost": (
        lambda: charged_back().ruled(WON, 10).gateway().ruled(LOST, 20).gateway(),
        (0, 0, 0, 92, 0, 0, 0, -15, 0),
    ),
    "won, then lost, then won in arbitration": (
        lambda: (
            charged_back()
            .ruled(WON, 10)
            .gateway()
            .ruled(LOST, 20)
            .gateway()
            .ruled(WON, 30, stage=Stage.ARBITRATION)
            .gateway()
        ),
        (92, 0, 0, 0, 0, 0, 0, 77, 0),
    ),
    "lost, rebilled": (lost_and_rebilled, (92, 0, 0, 92, 0, 92, 0, 77, 0)),
    "lost, rebilled, late win: fact": (
        lambda: lost_and_rebilled().ruled(WON, 20),
        (92, 92, 0, 0, 0, 0, 92, 77, 0),
    ),
    "lost, rebilled, late win: given back": (
        lambda: lost_and_rebilled().ruled(WON, 20).gateway(),
        (92, 0, 0, 0, 0, 0, 0, 77, 0),
    ),
    "refund 20, then chargeback 92": (
        lambda: refunded_before(9200),
        (-20, 0, 92, 0, 20, 0, 0, -35, 92),
    ),
    "refund 20, then chargeback 92, gateway books only 72": (
        lambda: refunded_before(7200),
        (0, -20, 92, 0, 20, 0, 0, -35, 92),
    ),
    "refund 20, 20 won by refund proof": (
        lambda: refunded_before(9200).ruled(PARTIAL, 10, "20.00").gateway(),
        (0, 0, 0, 72, 20, 0, 0, -15, 0),
    ),
    "refund 20, gateway booked 72, 20 won by refund proof": (
        lambda: refunded_before(7200).ruled(PARTIAL, 10, "20.00").gateway(),
        (0, 0, 0, 72, 20, 0, 0, -15, 0),
    ),
    "refund 20, gateway booked 72, lost": (
        lambda: refunded_before(7200).ruled(LOST, 10).gateway(),
        (0, -20, 0, 92, 20, 0, 0, -35, 0),
    ),
    "refund 20, gateway booked 72, won": (
        lambda: refunded_before(7200).ruled(WON, 10).gateway(),
        (72, 0, 0, 0, 20, 0, 0, 57, 0),
    ),
    "refund 20, gateway booked 92, won": (
        lambda: refunded_before(9200).ruled(WON, 10).gateway(),
        (72, 0, 0, 0, 20, 0, 0, 57, 0),
    ),
    "chargeback that the gateway refuses to book": (
        refused_by_gateway,
        (92, -92, 92, 0, 0, 0, 0, -15, 92),
    ),
}


@pytest.mark.parametrize("name", READINGS)
def test_the_books_read_as_the_ledger_says(name: str) -> None:
    told, reading = READINGS[name]

    assert told().book.reading() == reading


def test_a_late_win_on_a_rebilled_dispute_stands_between_booking_and_give_back() -> None:
    story = lost_and_rebilled().ruled(WON, 20)
    plan = next_plan(story.case)
    assert plan is not None
    assert plan.purpose is Purpose.REINSTATE

    story.answer(plan)

    assert story.book.reading() == (184, 0, 0, 0, 0, 0, 92, 77, 0)
    assert "give_back_due" in attention(story.case)


def test_two_disputes_of_one_payment_share_its_one_chargeback_at_the_gateway() -> None:
    """30 and 40 disputed, one CB booked: the other stays listed as unmirrored."""
    first = Story().sale().opened(amount={"amount": "30.00", "currency": "EUR"}).payment().gateway()
    second = Story(book=first.book)
    second.opened(dispute_id="D-1", amount={"amount": "40.00", "currency": "EUR"})
    second.payment(other_disputes=("D-2",))
    plan = next_plan(second.case)
    assert plan is not None

    second.answer(plan, OperationState.REFUSED).gateway()

    assert first.book.reading() == (62, -40, 70, 0, 0, 0, 0, -8, 70)
    assert {"not_mirrored", "second_dispute"} <= set(attention(second.case))


def test_a_rebill_that_is_charged_back_too_is_a_dispute_of_its_own() -> None:
    first = lost_and_rebilled()
    second = Story(book=first.book).opened(payment_id="0" * 31 + "9").payment().gateway()

    assert second.book.reading() == (0, 0, 92, 92, 0, 92, 0, -30, 92)


def test_a_reinstatement_of_another_amount_books_the_difference_and_calls_for_what_came() -> None:
    story = charged_back().ruled(WON, 10, "90.00")
    assert "fx_difference" in attention(story.case)

    story.gateway()

    assert story.sent == [("CB", 9200), ("CR", 9000)]
    assert story.book.balances[Account.FX_DIFFERENCE] == 200
    assert story.book.reading()[-2:] == (75, 0)


def test_a_loss_after_an_exchange_difference_loses_the_disputed_amount_and_no_more() -> None:
    story = charged_back().ruled(WON, 10, "90.00").gateway().ruled(LOST, 20).gateway()

    assert story.book.balances[Account.FX_DIFFERENCE] == 0
    assert story.book.reading() == (0, 0, 0, 92, 0, 0, 0, -15, 0)


def test_the_network_refund_of_an_rdr_alert_is_an_expense_without_a_call() -> None:
    story = Story().sale().opened(stage=Stage.ALERT, alert_program="rdr").payment().gateway()

    assert story.sent == []
    assert story.book.reading() == (92, -92, 0, 0, 92, 0, 0, 0, 0)


def test_a_fee_replaces_the_expected_one_and_its_return_takes_it_back() -> None:
    story = charged_back()
    assert story.book.balances[Account.FEES] == 1500

    story.network(NetworkEventKind.FEE_CHARGED, 2, "20.00", fee_type="chargeback")
    assert story.book.balances[Account.FEES] == 2000

    story.network(NetworkEventKind.FEE_RETURNED, 3, "20.00", fee_type="chargeback")
    assert story.book.balances[Account.FEES] == 0


def test_another_fee_comes_on_top_and_the_same_fee_told_twice_counts_once() -> None:
    story = charged_back()
    for number in (2, 3):
        story.network(NetworkEventKind.FEE_CHARGED, number, "250.00", fee_type="filing")

    assert story.book.balances[Account.FEES] == 1500 + 25000


def test_a_fee_in_another_currency_stands_in_its_own() -> None:
    story = charged_back()
    amount = Money(amount="20.00", currency="USD")
    story.network(NetworkEventKind.FEE_CHARGED, 2, fee_type="filing", amount=amount)

    assert levels(story.case).fees == (("EUR", 1500), ("USD", 2000))


def test_the_accepted_part_is_lost_at_once_and_the_rest_stays_at_risk() -> None:
    story = charged_back()
    story.command("accept_liability", AcceptLiability(accepted_by="ann", amount=euros("20.00")))

    assert story.standing() is Status.COLLECTING
    assert story.book.reading() == (0, 0, 72, 20, 0, 0, 0, -15, 72)

    story.ruled(WON, 10).gateway()

    assert story.standing() is Status.WON
    assert story.book.reading() == (72, 0, 0, 20, 0, 0, 0, 57, 0)


def test_a_part_once_accepted_stays_lost_when_the_bank_reopens_and_returns_the_case() -> None:
    story = charged_back()
    story.command("accept_liability", AcceptLiability(accepted_by="ann", amount=euros("20.00")))
    story.ruled(WON, 10).gateway()

    story.network(NetworkEventKind.SECOND_CHARGEBACK, 15, respond_by=day(40)).gateway()
    assert story.book.reading() == (0, 0, 72, 20, 0, 0, 0, -15, 72)

    story.ruled(WON, 20).gateway()
    assert story.book.reading() == (72, 0, 0, 20, 0, 0, 0, 57, 0)


def test_an_expired_case_loses_what_is_out() -> None:
    story = charged_back().until(TimerKind.DEADLINE)

    assert story.standing() is Status.EXPIRED
    assert story.book.reading() == (0, 0, 0, 92, 0, 0, 0, -15, 0)


@pytest.mark.parametrize("kind", PaymentType)
@pytest.mark.parametrize("referenced", [None, *PaymentType])
def test_every_entry_of_the_gateway_keeps_the_books_in_balance(
    kind: PaymentType, referenced: PaymentType | None
) -> None:
    book = Book()

    book.post(entry_postings(kind, 9200, "EUR", ActsOn(referenced) if referenced else None))

    assert sum(book.balances.values()) == 0


#: Entries that move money or an authorization, and where: debit first.
ENTRIES = {
    ("DB", None): [("acquirer", "sales")],
    ("RF", "DB"): [("refunds", "acquirer")],
    ("RV", "PA"): [("memo_auth_contra", "memo_auth")],
    ("RV", "DB"): [("sales", "acquirer")],
    ("CD", None): [("refunds", "acquirer")],
    ("RF", "CD"): [("acquirer", "refunds")],
    ("RB", "DB"): [("acquirer", "recovered")],
    ("CB", "DB"): [("unmirrored", "acquirer")],
    ("CR", "CB"): [("acquirer", "unmirrored")],
}


@pytest.mark.parametrize(("kind", "referenced"), ENTRIES)
def test_an_entry_of_the_gateway_posts_where_the_ledger_says(
    kind: str, referenced: str | None
) -> None:
    under = ActsOn(PaymentType(referenced)) if referenced else None

    postings = entry_postings(PaymentType(kind), 100, "EUR", under)

    assert [(it.debit, it.credit) for it in postings] == ENTRIES[kind, referenced]


def test_a_reversal_of_a_reversal_takes_the_money_back_again() -> None:
    (posting,) = entry_postings(PaymentType.CR, 100, "EUR", ActsOn(PaymentType.CR), undone=True)

    assert (posting.debit, posting.credit) == (Account.UNMIRRORED, Account.ACQUIRER)


@pytest.mark.parametrize("purpose", Purpose)
def test_every_purpose_moves_money_or_an_authorization_once(purpose: Purpose) -> None:
    postings = operation_postings(purpose, 9200, "EUR")

    assert {(it.amount_minor, it.currency) for it in postings} == {(9200, "EUR")}
    touched = [account for it in postings for account in (it.debit, it.credit)]
    assert len(touched) == len(set(touched))


def test_the_same_levels_post_nothing() -> None:
    same = levels(charged_back().case)

    assert fact_postings(same, same) == ()
    assert fact_postings(Levels(), Levels()) == ()


def test_a_loss_is_undone_before_the_reinstatement_posts() -> None:
    story = charged_back().ruled(LOST, 10)
    before = levels(story.case)

    texts = [it.text for it in fact_postings(before, levels(story.ruled(WON, 20).case))]

    assert texts == ["loss undone", "reinstatement"]


def test_nothing_is_owed_once_the_gateway_has_booked_what_the_facts_say() -> None:
    story = charged_back().ruled(WON, 10).gateway()

    assert owed_minor(story.case) == 0
    assert attention(story.case) == ()
