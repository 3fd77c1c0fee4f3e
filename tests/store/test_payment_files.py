"""Payments' own workflows in the register: their files, operations, lapses and messages."""

import pytest

from disputes.events import Opened
from disputes.ledger import Account, Posting
from disputes.notices import Audience, Notice
from disputes.operations import GatewayEntry, business_key
from disputes.payment_steps import PaymentFile
from disputes.store.engine import Store
from disputes.store.notices import SqlNotices
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.postings import Place, post
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.vocabulary import OperationState, Outcome, PaymentType, Purpose
from tests.store.payments import Payments
from tests.store.scene import START, Dispute, Scene, entry, new_id, notice, terms
from tests.support.plans import own_plan

P, T = Purpose, PaymentType


@pytest.fixture
def register(store: Store) -> SqlPaymentRegister:
    return SqlPaymentRegister(store)


@pytest.fixture
def payments(scene: Scene) -> Payments:
    return Payments(scene)


def _file(workflow_id: str = "refund/R-1", **changes: object) -> PaymentFile:
    base = PaymentFile(
        workflow_id=workflow_id,
        kind="refund",
        merchant_id="M-1",
        state="requested",
        revision=1,
        content="{}",
        status="{}",
        at=START,
    )
    return base.model_copy(update=changes)


def _lapsed(payment_id: str, revision: int = 1) -> tuple[PaymentFile, str]:
    """What an authorization records once its time is over."""
    file = _file(
        f"preauthorization/{payment_id}",
        kind="preauthorization",
        payment_id=payment_id,
        state="expired",
        revision=revision,
    )
    return file, payment_id


# Files


def test_what_was_recorded_is_what_a_new_run_goes_on_from(register: SqlPaymentRegister) -> None:
    assert register.load("refund/R-1").content is None
    register.record(_file(content='{"a": 1}'), None)
    register.record(_file(content='{"a": 2}', revision=2), None)
    record = register.load("refund/R-1")
    assert (record.content, record.revision) == ('{"a": 2}', 2)


@pytest.mark.parametrize("late", [1, 2])
def test_an_outdated_recording_changes_nothing(register: SqlPaymentRegister, late: int) -> None:
    register.record(_file(content="newest", revision=3), None)
    register.record(_file(content="outdated", revision=late), None)
    record = register.load("refund/R-1")
    assert (record.content, record.revision) == ("newest", 3)


def test_an_outdated_recording_ends_a_lapsed_authorization_all_the_same(
    register: SqlPaymentRegister, payments: Payments
) -> None:
    payment = payments.shown(entry(T.PA, 9200))
    register.record(_file(f"preauthorization/{payment}", revision=5), None)
    register.record(*_lapsed(payment))
    assert payments.balances() == {}


# Operations, by the workflow's id


@pytest.mark.parametrize("other", ["R-10", "R-", "r-1", "R_1", "R-1.1", "R.1", "RR-1"])
def test_a_workflow_is_given_its_own_operations_only(
    register: SqlPaymentRegister, payments: Payments, other: str
) -> None:
    debit = payments.debit()
    payments.do(own_plan("refund", other, P.REFUND, 100, debit))
    payments.sent(own_plan("payout", "R-1", P.CREDIT, 100, payments.debit()))
    nothing = register.load("refund/R-1")
    assert (nothing.operations, nothing.unfinished) == ((), ())
    mine = own_plan("refund", "R-1", P.REFUND, 200, debit)
    payments.do(mine)
    assert [it.key for it in register.load("refund/R-1").operations] == [mine.key]
    [theirs] = register.load(f"refund/{other}").operations
    assert theirs.amount_minor == 100


@pytest.mark.parametrize("name", ["R_1", "a_._-_", "100.percent", "x" * 64])
def test_no_character_of_an_id_is_a_pattern(
    register: SqlPaymentRegister, payments: Payments, name: str
) -> None:
    mine = own_plan("refund", name, P.REFUND, 200, payments.debit())
    payments.do(mine)
    assert [it.key for it in register.load(f"refund/{name}").operations] == [mine.key]


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        (OperationState.INTENDED, False),
        (OperationState.SENT, False),
        (OperationState.IN_DOUBT, True),
        (OperationState.REFUSED, True),
        (OperationState.SETTLED, True),
    ],
)
def test_an_operation_has_an_outcome_or_is_unfinished(
    *, register: SqlPaymentRegister, payments: Payments, state: OperationState, ended: bool
) -> None:
    plan = own_plan("refund", "R-1", P.REFUND, 200, payments.debit())
    if state is OperationState.INTENDED:
        payments.scene.book.intend(plan, ())
    else:
        payments.sent(plan)
    if ended:
        payments.scene.book.settle(plan.key, state, gateway_id=new_id(), at=START)
    record = register.load("refund/R-1")
    assert [it.state for it in record.operations] == ([state] if ended else [])
    assert [it.key for it in record.unfinished] == ([] if ended else [plan.key])
    assert (register.operation(plan.key) is not None) is ended


@pytest.mark.parametrize("sent", [False, True])
def test_an_authorization_anew_goes_on_only_where_it_may_have_been_sent(
    *, register: SqlPaymentRegister, payments: Payments, sent: bool
) -> None:
    payment = new_id()
    plan = own_plan("preauthorization", payment, P.AUTHORIZE, 200)
    if sent:
        payments.sent(plan)
    else:
        payments.scene.book.intend(plan, ())
    unfinished = register.load(f"preauthorization/{payment}").unfinished
    assert [it.key for it in unfinished] == ([plan.key] if sent else [])


def test_what_undoes_a_twin_is_no_operation_of_the_workflow(
    register: SqlPaymentRegister, payments: Payments
) -> None:
    debit = payments.debit()
    key = f"{business_key('refund', 'R-1', P.REFUND)}:twin:{debit}:refund"
    payments.do(own_plan("refund", "R-1", P.REFUND, 200, debit, key=key))
    assert register.load("refund/R-1").operations == ()


def test_what_undoes_a_twin_and_is_in_doubt_is_told_apart(
    register: SqlPaymentRegister, payments: Payments
) -> None:
    def undo(owner: str, state: OperationState) -> str:
        debit = payments.debit()
        key = f"{business_key('refund', owner, P.REFUND)}:twin:{debit}:refund"
        payments.sent(own_plan("refund", owner, P.REFUND, 200, debit, key=key))
        payments.scene.book.settle(key, state, gateway_id=new_id(), at=START)
        return key

    doubtful = undo("R-1", OperationState.IN_DOUBT)
    undo("R-1", OperationState.SETTLED)
    undo("R-10", OperationState.IN_DOUBT)
    record = register.load("refund/R-1")
    assert [it.key for it in record.undoing] == [doubtful]
    assert (record.operations, record.unfinished) == ((), ())


def test_undecided_disputes_of_a_payment_are_told(
    register: SqlPaymentRegister, scene: Scene
) -> None:
    debit = entry(T.DB, 9200)
    assert register.open_disputes(debit.gateway_id) == ()
    dispute = scene.dispute("D-1", [debit], 9200)
    assert register.open_disputes(debit.gateway_id) == ("D-1",)
    assert register.open_disputes(new_id()) == ()
    dispute.ruled(Outcome.CARDHOLDER_WON)
    assert register.open_disputes(debit.gateway_id) == ()


def test_disputes_hold_the_money_of_their_merchant_and_never_a_payout(
    register: SqlPaymentRegister, scene: Scene, payments: Payments
) -> None:
    debit = entry(T.DB, 9200)
    dispute = scene.dispute("D-1", [debit], 9200)
    assert register.held_by("M-1", debit.gateway_id) == ("D-1",)
    assert register.held_by("M-2", debit.gateway_id) == ()
    dispute.ruled(Outcome.CARDHOLDER_WON)
    assert register.held_by("M-1", debit.gateway_id) == ()

    payout = payments.made(P.GOODWILL, 2000)
    about_it = Dispute(scene, "D-2", [debit])
    about_it.record(Opened(notice=notice("D-2", payout, 2000), terms=terms()))
    assert register.open_disputes(payout) == ("D-2",)
    assert register.held_by("M-1", payout) == ()


def test_who_wants_to_hear_of_a_booked_entry(register: SqlPaymentRegister, store: Store) -> None:
    register.record(_file("refund/doubt", state="in_doubt"), None)
    register.record(_file("refund/settled", state="settled"), None)
    register.record(_file("refund/taken-for-refused", state="refused"), None)
    register.record(_file("preauthorization/any", kind="preauthorization", state="expired"), None)
    named = ["refund/doubt", "refund/settled", "refund/taken-for-refused"]
    doubted = _file("preauthorization/doubt", kind="preauthorization", state="in_doubt")
    register.record(doubted, None)
    named += ["preauthorization/any", "preauthorization/doubt", "payout/nobody"]
    book = SqlReconciliationBook(store)
    unaware = ("preauthorization/doubt", "refund/doubt", "refund/taken-for-refused")
    assert book.unaware(named) == unaware
    assert book.on_file(named) == tuple(
        sorted(["preauthorization/any", "refund/settled", *unaware])
    )


# A lapse is a level


def _authorized(payments: Payments) -> GatewayEntry:
    authorization = entry(T.PA, 9200)
    payments.shown(authorization)
    assert payments.balances()[Account.MEMO_AUTH.value] == 9200
    return authorization


def test_what_lapses_is_held_no_longer(register: SqlPaymentRegister, payments: Payments) -> None:
    authorization = _authorized(payments)
    register.record(*_lapsed(authorization.gateway_id))
    assert payments.balances() == {}
    register.record(*_lapsed(authorization.gateway_id, 2))
    assert payments.balances() == {}
    assert payments.scene.ledger.verify() == []


def test_what_was_captured_before_stays(register: SqlPaymentRegister, payments: Payments) -> None:
    authorization = _authorized(payments)
    payments.made(P.CAPTURE, 3000, authorization.gateway_id)
    register.record(*_lapsed(authorization.gateway_id))
    assert payments.balances() == {"acquirer": 3000, "sales": -3000}
    assert payments.scene.ledger.verify() == []


@pytest.mark.parametrize("part", [9200, 3000])
def test_a_capture_that_shows_up_after_the_lapse_is_on_the_books(
    register: SqlPaymentRegister, payments: Payments, part: int
) -> None:
    authorization = _authorized(payments)
    register.record(*_lapsed(authorization.gateway_id))
    payments.shown(authorization, entry(T.CP, part, authorization.gateway_id))
    assert payments.balances() == {"acquirer": part, "sales": -part}
    register.record(*_lapsed(authorization.gateway_id, 2))
    assert payments.balances() == {"acquirer": part, "sales": -part}
    assert payments.scene.ledger.verify() == []


def test_a_capture_of_ours_that_was_sent_before_the_lapse_is_on_the_books(
    register: SqlPaymentRegister, payments: Payments
) -> None:
    authorization = _authorized(payments)
    plan = payments.plan(P.CAPTURE, 3000, authorization.gateway_id)
    payments.sent(plan)
    register.record(*_lapsed(authorization.gateway_id))
    payments.scene.book.settle(plan.key, OperationState.SETTLED, gateway_id=new_id(), at=START)
    assert payments.balances() == {"acquirer": 3000, "sales": -3000}
    assert payments.scene.ledger.verify() == []


def test_a_lapse_of_an_authorization_that_nobody_has_shown_yet(
    register: SqlPaymentRegister, payments: Payments
) -> None:
    authorization = entry(T.PA, 9200)
    register.record(*_lapsed(authorization.gateway_id))
    payments.shown(authorization, entry(T.CP, 3000, authorization.gateway_id))
    assert payments.balances() == {"acquirer": 3000, "sales": -3000}
    assert payments.scene.ledger.verify() == []


@pytest.mark.parametrize(
    ("purpose", "words"), [(P.CAPTURE, "has lapsed"), (P.REVERSE, "free by itself")]
)
def test_nothing_moves_on_what_has_lapsed(
    register: SqlPaymentRegister, payments: Payments, purpose: Purpose, words: str
) -> None:
    authorization = _authorized(payments)
    register.record(*_lapsed(authorization.gateway_id))
    assert words in payments.refusal(purpose, 100, authorization.gateway_id)


@pytest.mark.parametrize("minor", [500, -500])
@pytest.mark.parametrize("source", ["lapse", "gateway"])
def test_a_comparison_mends_a_lapsed_authorization_that_the_books_hold(
    *,
    register: SqlPaymentRegister,
    payments: Payments,
    store: Store,
    minor: int,
    source: str,
) -> None:
    """Whether the lapse was posted wrongly, or the authorization itself."""
    payment = _authorized(payments).gateway_id
    register.record(*_lapsed(payment))
    sides = [Account.MEMO_AUTH, Account.MEMO_AUTH_CONTRA]
    debit, credit = sides if minor > 0 else reversed(sides)
    with store.write() as session:
        place = Place("M-1", payment, payment, None, START)
        wrong = Posting(debit, credit, abs(minor), "EUR", "wrong")
        post(session, f"{source}:{payment}", place, [wrong])
    found = payments.scene.ledger.verify()
    assert any("has lapsed, but the books hold" in text for text in found)
    assert SqlReconciliationBook(store).correct(payment, START) > 0
    assert payments.scene.ledger.verify() == []
    assert payments.balances() == {}


# Messages


def _notice(notice_id: str, audience: Audience = "merchant", text: str = "news") -> Notice:
    return Notice(
        notice_id=notice_id, audience=audience, kind="k", merchant_id="M-1", at=START, text=text
    )


def test_a_message_is_told_once_for_its_id(store: Store) -> None:
    notices = SqlNotices(store)
    notices.tell(_notice("a", text="first"))
    notices.tell(_notice("a", text="again"))
    assert [it.text for it in notices.told()] == ["first"]


def test_messages_are_read_in_the_order_in_which_they_were_told(store: Store) -> None:
    notices = SqlNotices(store)
    names = ["z", "a", "m", "b", "y"]
    for name in names:
        notices.tell(_notice(name, "shopper" if name == "m" else "merchant"))
    read: list[str] = []
    while page := notices.told(after=read[-1] if read else None, limit=2):
        read += [it.notice_id for it in page]
    assert read == names
    assert [it.notice_id for it in notices.told(audience="shopper")] == ["m"]
    assert [it.notice_id for it in notices.told(audience="merchant", after="a")] == ["b", "y"]
