"""Notifications are kept once, given to one process at a time, and list a lonely chargeback."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, permutations

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from disputes.decode import canonical_of, sha256
from disputes.errors import Conflict
from disputes.events import OperationReported
from disputes.known import untold
from disputes.notification import (
    TOLD,
    Arrival,
    Bearings,
    Known,
    Nobody,
    Notification,
    NotifiedEntry,
    Route,
    Suspect,
    TellDisputes,
    TellWorkflow,
    Wait,
    placeholder_id,
    route,
)
from disputes.operations import GatewayEntry, Plan
from disputes.payment_steps import PaymentFile
from disputes.reconciliation import FIRST, LAST, ListPayments, ReconciliationWindow
from disputes.store.database import connected, make_engine
from disputes.store.engine import Store, open_store
from disputes.store.inbox import Due, Inbox, InboxState
from disputes.store.listing import CaseFilter
from disputes.store.migrations import migrate
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.placeholders import Placeholders
from disputes.store.reads import Reads
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.store.register import SqlRegister
from disputes.store.tables import CaseRow
from disputes.terms import Capabilities
from disputes.vocabulary import OperationState, Outcome, PaymentType, Purpose, Stage
from tests.store.payments import Payments
from tests.store.scene import Dispute, Scene, entry, new_id, notice
from tests.support.plans import own_plan

_numbers = count()
LEASE = timedelta(minutes=1)
_EVERYTHING = Capabilities(refund_after_chargeback=True)
AT = datetime(2026, 11, 3, tzinfo=UTC)


def _cb(payment_id: str, **more: object) -> NotifiedEntry:
    base = {
        "gateway_id": new_id(),
        "payment_type": PaymentType.CB,
        "referenced_id": payment_id,
        "amount_minor": 92_00,
        "currency": "EUR",
    }
    return NotifiedEntry.model_validate(base | more)


def _keep(inbox: Inbox, told: NotifiedEntry, meaning: str | None = None) -> bool:
    kept = Notification(type="PAYMENT", entry=told)
    return _keep_as(inbox, kept, sha256(f"{next(_numbers)}"), meaning)


def _keep_as(inbox: Inbox, kept: Notification, digest: str, meaning: str | None = None) -> bool:
    [fresh] = inbox.keep_all([Arrival(notification=kept, sha256=digest, meaning=meaning)])
    return fresh


def _take(inbox: Inbox) -> Due:
    [due] = inbox.claim_due(10, LEASE)
    return due


def test_one_is_kept_once_by_its_content_and_by_its_meaning(store: Store) -> None:
    inbox = Inbox(store)
    kept = Notification(type="PAYMENT", entry=_cb(new_id()))
    assert _keep_as(inbox, kept, "a" * 64, "m" * 64)
    assert not _keep_as(inbox, kept, "a" * 64, "m" * 64)
    assert not _keep_as(inbox, kept, "b" * 64, "m" * 64)
    assert not _keep_as(inbox, kept, "a" * 64, "n" * 64)
    # Without a meaning only the content tells two apart.
    assert _keep_as(inbox, Notification(type="test", ignored="a test"), "c" * 64)
    assert _keep_as(inbox, Notification(type="test", ignored="a test"), "d" * 64)
    assert [line.state for line in inbox.lines()].count(InboxState.RECEIVED) == 1
    assert len(inbox.lines(InboxState.IGNORED)) == 2


def test_what_came_together_is_kept_together_and_each_once(store: Store) -> None:
    inbox = Inbox(store)
    kept = Notification(type="PAYMENT", entry=_cb(new_id()))
    arrived = [
        Arrival(notification=kept, sha256=digest * 64, meaning=meaning)
        for digest, meaning in [("c", "x"), ("a", None), ("b", "x"), ("a", None), ("d", "y")]
    ]
    assert inbox.keep_all(arrived) == [True, True, False, False, True]
    assert {line.sha256[0] for line in inbox.lines()} == {"a", "c", "d"}


def test_what_is_ignored_is_kept_and_never_due(store: Store) -> None:
    inbox = Inbox(store)
    _keep_as(inbox, Notification(type="RISK", ignored="not about a payment"), "a" * 64)
    assert inbox.claim_due(10, LEASE) == []
    [line] = inbox.lines()
    assert (line.type, line.state, line.reason) == ("RISK", "ignored", "not about a payment")


def test_each_is_given_to_one_of_many_processes(store: Store) -> None:
    inbox = Inbox(store)
    for _ in range(40):
        _keep(inbox, _cb(new_id()))
    with ThreadPoolExecutor(8) as pool:
        rounds = pool.map(lambda _: inbox.claim_due(3, LEASE), range(24))
        taken = [due.sha256 for claimed in rounds for due in claimed]
    assert len(taken) == len(set(taken))
    while more := inbox.claim_due(3, LEASE):
        taken += [due.sha256 for due in more]
    assert len(set(taken)) == len(taken) == 40


def test_what_a_dead_process_took_is_due_again_and_its_late_word_counts_no_more(
    store: Store,
) -> None:
    inbox = Inbox(store)
    _keep(inbox, _cb(new_id()))
    [dead] = inbox.claim_due(1, timedelta())
    heir = _take(inbox)
    assert heir.sha256 == dead.sha256
    inbox.again(dead, timedelta(), reason="too late")
    assert inbox.claim_due(10, LEASE) == []
    inbox.finish(heir, InboxState.DELIVERED, case_id="D-1")
    inbox.again(heir, timedelta(), reason="too late")
    [line] = inbox.lines()
    assert (line.state, line.case_id, line.reason) == ("delivered", "D-1", None)
    assert inbox.claim_due(10, LEASE) == []


def test_what_is_parked_comes_back_after_its_pause(store: Store) -> None:
    inbox = Inbox(store)
    _keep(inbox, _cb(new_id()))
    inbox.again(_take(inbox), timedelta(hours=1), reason="no case explains it")
    assert inbox.claim_due(10, LEASE) == []
    [line] = inbox.lines(InboxState.PARKED)
    assert line.reason == "no case explains it"


@pytest.mark.parametrize(
    ("told", "known", "expected"),
    [
        ({}, {}, True),
        ({"amount_minor": 91_99}, {}, False),
        ({"currency": "USD"}, {}, False),
        ({"amount_minor": None}, {}, False),
        ({}, {"gateway_reference": "f" * 32}, False),
        ({}, {"booked": True}, False),
        ({}, {"stage": "alert"}, False),
        ({}, {"stage": "inquiry"}, False),
        ({}, {"stage": "arbitration"}, True),
        ({}, {"stage": "inquiry", "gateway_reference": "c" * 32}, True),
        ({"referenced_id": "e" * 32}, {}, False),
        ({"referenced_id": None}, {}, False),
        ({"referenced_id": None, "arn": "7" * 23}, {"arn": "7" * 23}, True),
        ({"referenced_id": None, "arn": "7" * 23}, {"arn": "8" * 23}, False),
        ({"referenced_id": None}, {"gateway_reference": "c" * 32}, True),
        ({"amount_minor": 1}, {"gateway_reference": "c" * 32, "booked": True}, True),
    ],
)
def test_a_chargeback_belongs_to_who_names_it_or_has_its_payment_and_amount(
    told: dict[str, object], known: dict[str, object], *, expected: bool
) -> None:
    base = {"dispute_id": "D-1", "payment_id": "d" * 32, "amount_minor": 92_00, "currency": "EUR"}
    suspect = Suspect.model_validate(base | known)
    chargeback = _cb("d" * 32, **({"gateway_id": "c" * 32} | told))
    found = route(chargeback, Bearings(suspects=(suspect,)))
    wanted = TellDisputes(("D-1",)) if expected else Wait("no case explains it", orphan=True)
    assert found == wanted


@pytest.mark.parametrize(
    ("known", "others", "expected"),
    [
        ({}, [], True),
        ({"parent_known": True}, [], False),
        ({}, [{"stage": "alert"}], True),
        ({}, [{}], False),
        ({}, [{"arn": "8" * 23}], True),
    ],
)
def test_a_reversal_of_what_nobody_knows_belongs_to_the_one_case_of_its_arn(
    known: dict[str, object], others: list[dict[str, object]], *, expected: bool
) -> None:
    base = {"dispute_id": "D-1", "payment_id": "d" * 32, "arn": "7" * 23, "booked": True}
    suspects = [base, *(base | {"dispute_id": "D-2"} | other for other in others)]
    reversal = _cb("d" * 32, payment_type=PaymentType.CR, referenced_id=None, arn="7" * 23)
    found = route(reversal, Bearings.model_validate({"suspects": suspects} | known))
    assert found == (
        TellDisputes(("D-1",)) if expected else Wait("it reverses nobody's chargeback")
    )


def test_a_case_is_told_of_a_chargeback_once_and_another_when_it_took_another(
    scene: Scene,
) -> None:
    """Two disputes for one amount on one payment: what the first leaves is the second's."""
    payment = entry(PaymentType.DB, 92_00)
    first, second = (scene.dispute(name, [payment], 30_00) for name in ("D-1", "D-2"))
    booked = [entry(PaymentType.CB, 30_00, payment.gateway_id) for _ in range(2)]
    inbox = Inbox(scene.store)
    for shown in booked:
        _keep(inbox, _cb(payment.gateway_id, gateway_id=shown.gateway_id, amount_minor=30_00))

    def look() -> dict[str, Route]:
        looked = {}
        for due in inbox.claim_due(10, LEASE):
            way = route(due.entry, due.bearings)
            told = way.dispute_ids[0] if isinstance(way, TellDisputes) else None
            inbox.again(due, timedelta(), reason=TOLD, case_id=told or due.bearings.told)
            looked[due.entry.gateway_id] = way
        return looked

    taken, left = (shown.gateway_id for shown in booked)
    assert look() == dict.fromkeys((taken, left), TellDisputes(("D-1",)))
    assert look() == dict.fromkeys((taken, left), Wait(TOLD, orphan=True, told="D-1"))
    for shown in booked:
        scene.book.adopt_entry("D-1", shown, first.now)
    assert look() == {taken: Known("D-1"), left: TellDisputes(("D-2",))}
    scene.book.adopt_entry("D-2", booked[1], second.now)
    assert look() == {taken: Known("D-1"), left: Known("D-2")}


def test_a_lonely_chargeback_is_listed_once_and_moves_nothing(store: Store) -> None:
    told = _cb(new_id())
    placeholders = Placeholders(store)
    case_id = placeholder_id(told.gateway_id)
    assert placeholders.open(told) == placeholders.open(told) == case_id
    [listed] = Reads(store).cases(CaseFilter(status="awaiting_notice"))
    assert (listed.dispute_id, listed.payment_id) == (case_id, told.referenced_id)
    assert (listed.disputed, listed.currency) == ("92.00", "EUR")
    assert listed.attention == ("notice_missing",)
    assert Reads(store).events(case_id) == ()
    assert Reads(store).operations() == ()
    assert SqlRegister(store).load(case_id).events == ()


def test_the_dispute_that_takes_the_chargeback_over_ends_its_placeholder(scene: Scene) -> None:
    """In one transaction: at no moment are there two cases, and none is a second dispute."""
    payment = entry(PaymentType.DB, 92_00)
    told = _cb(payment.gateway_id)
    alias = placeholder_id(told.gateway_id)
    Placeholders(scene.store).open(told)
    shown = [
        payment,
        entry(PaymentType.CB, 92_00, payment.gateway_id, gateway_id=told.gateway_id),
    ]
    dispute = scene.dispute("D-1", shown, 92_00)
    known = dispute.case.payment
    assert known is not None
    assert [op.gateway_id for op in known.booked] == [told.gateway_id]
    assert known.other_disputes == ()
    assert [case.dispute_id for case in scene.reads.cases(CaseFilter())] == ["D-1"]
    assert scene.reads.status(alias) == scene.reads.status("D-1")
    assert scene.reads.timeline(alias) == scene.reads.timeline("D-1")
    assert scene.register.meant(alias) == "D-1"
    assert scene.register.placeholder(alias) is None
    assert Placeholders(scene.store).open(told) is None
    assert scene.ledger.verify() == []


def test_a_placeholder_that_opened_at_that_very_moment_is_ended_afterwards(scene: Scene) -> None:
    payment = entry(PaymentType.DB, 92_00)
    chargeback = entry(PaymentType.CB, 92_00, payment.gateway_id)
    late = _cb(payment.gateway_id, gateway_id=chargeback.gateway_id)
    scene.dispute("D-1", [payment, chargeback], 92_00)
    with scene.store.write() as session:
        session.add(CaseRow(case_id=placeholder_id(late.gateway_id), status_json="{}"))
    Placeholders(scene.store).close(late.gateway_id)
    with scene.store.read() as session:
        assert session.get(CaseRow, placeholder_id(late.gateway_id)) is None
        assert session.get(CaseRow, "D-1") is not None


def test_a_payment_with_a_lonely_chargeback_is_not_refunded(scene: Scene) -> None:
    """The money is gone already, although nobody knows yet by which dispute."""
    payments = Payments(scene)
    debit = payments.debit()
    Placeholders(scene.store).open(_cb(debit))
    assert "without a notice" in payments.refusal(Purpose.REFUND, 10_00, debit)


def test_a_lonely_chargeback_that_is_undone_in_full_holds_nothing_and_ends(scene: Scene) -> None:
    """Booked by mistake and reversed, and no notice ever comes: the books decide what it holds."""
    payments = Payments(scene)
    payment = entry(PaymentType.DB, 92_00)
    chargeback = entry(PaymentType.CB, 92_00, payment.gateway_id)
    part = entry(PaymentType.CR, 90_00, chargeback.gateway_id)
    rest = entry(PaymentType.CR, 2_00, chargeback.gateway_id)
    told = _cb(payment.gateway_id, gateway_id=chargeback.gateway_id)
    listed = placeholder_id(told.gateway_id)
    debit = payments.shown(payment, chargeback, part)
    refund = partial(payments.plan, Purpose.REFUND, 10_00, debit, capabilities=_EVERYTHING)
    assert Placeholders(scene.store).open(told) == listed
    # A person reads which chargeback it is, and what to do.
    reason = payments.do(refund()).reason or ""
    assert reason.startswith(f"{listed} is a chargeback without a notice")
    assert "feed its notice" in reason
    # No refund is its own: it is no case.
    assert payments.do(refund(dispute_id=listed)).reason == reason

    payments.shown(payment, chargeback, part, rest)
    assert payments.do(refund()).state is OperationState.SETTLED
    assert Placeholders(scene.store).open(told) is None
    assert not scene.reads.cases(CaseFilter())

    again = entry(PaymentType.CR, 2_00, rest.gateway_id)
    payments.shown(payment, chargeback, part, rest, again)
    assert Placeholders(scene.store).open(told) == listed
    assert payments.do(refund()).reason == reason


def test_another_chargeback_on_the_payment_keeps_its_placeholder(scene: Scene) -> None:
    payment = entry(PaymentType.DB, 92_00)
    told = _cb(payment.gateway_id, amount_minor=40_00)
    Placeholders(scene.store).open(told)
    scene.dispute("D-1", [payment], 92_00)
    listed = {case.dispute_id for case in scene.reads.cases(CaseFilter())}
    assert listed == {"D-1", placeholder_id(told.gateway_id)}


def test_a_case_that_opens_under_the_placeholders_own_id_takes_its_place(scene: Scene) -> None:
    """A person who has no other id for the dispute may use this one."""
    payment = entry(PaymentType.DB, 92_00)
    told = _cb(payment.gateway_id)
    own = placeholder_id(told.gateway_id)
    Placeholders(scene.store).open(told)
    chargeback = entry(PaymentType.CB, 92_00, payment.gateway_id, gateway_id=told.gateway_id)
    scene.dispute(own, [payment, chargeback], 92_00)
    [listed] = scene.reads.cases(CaseFilter())
    assert (listed.dispute_id, listed.status) == (own, "collecting")
    assert scene.register.placeholder(own) is None
    assert scene.register.meant(own) == own


def test_an_id_that_was_claimed_before_it_became_an_alias_opens_no_second_case(
    scene: Scene,
) -> None:
    """Two notices of one chargeback at one moment: the one whose case comes later is refused."""
    payment = entry(PaymentType.DB, 92_00)
    told = _cb(payment.gateway_id)
    alias = placeholder_id(told.gateway_id)
    claim = (f"dispute/{alias}", "{}")
    Placeholders(scene.store).open(told)
    assert scene.register.claim(*claim)  # its case has not asked the register yet
    chargeback = entry(PaymentType.CB, 92_00, payment.gateway_id, gateway_id=told.gateway_id)
    scene.dispute("D-1", [payment, chargeback], 92_00)
    [refused, other] = scene.register.claim_all([claim, ("dispute/D-2", "{}")])
    assert isinstance(refused, Conflict)
    assert (refused.fields, refused.known_as, other) == (("dispute_id",), "D-1", True)


def test_a_case_that_has_opened_under_such_an_id_is_always_reached_by_it(scene: Scene) -> None:
    """Its chargeback went to another dispute of the same payment and amount in the end."""
    payment = entry(PaymentType.DB, 92_00)
    chargeback = entry(PaymentType.CB, 92_00, payment.gateway_id)
    own = placeholder_id(chargeback.gateway_id)
    scene.dispute(own, [payment], 92_00)
    scene.dispute("D-1", [payment, chargeback], 92_00)
    assert scene.register.meant(own) == own
    assert scene.reads.status(own) != scene.reads.status("D-1")
    assert scene.register.claim(f"dispute/{own}", "{}")


def _whom(scene: Scene, told: NotifiedEntry) -> Route:
    inbox = Inbox(scene.store)
    _keep(inbox, told)
    due = _take(inbox)
    inbox.finish(due, InboxState.DELIVERED)
    return route(due.entry, due.bearings)


def test_the_books_know_whose_an_entry_is(scene: Scene) -> None:
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 92_00)], 92_00)
    payment = dispute.payment_id
    plan = dispute.plan
    ours = _cb(payment, merchant_transaction_id=plan.merchant_transaction_id)
    assert _whom(scene, ours) == TellDisputes(("D-1",))  # it is not known yet that we would send
    record = scene.book.intend(plan, ())
    assert isinstance(_whom(scene, ours), Wait)
    scene.book.mark_sent(plan.key, attempts=record.attempts)
    assert isinstance(_whom(scene, ours), Wait)
    dispute.settle(plan, OperationState.IN_DOUBT)
    assert _whom(scene, ours) == TellDisputes(("D-1",))
    dispute.settle(plan, gateway_id=ours.gateway_id)
    assert _whom(scene, ours) == Known("D-1")
    other = ours.model_copy(update={"gateway_id": new_id()})
    assert _whom(scene, other) == TellDisputes(("D-1",))  # a twin of it
    reversal = _cb(ours.gateway_id, payment_type=PaymentType.CR)
    assert _whom(scene, reversal) == TellDisputes(("D-1",))
    stranger = _cb(new_id(), payment_type=PaymentType.CR)
    assert isinstance(_whom(scene, stranger), Wait)
    refund = _cb(payment, payment_type=PaymentType.RF, amount_minor=1_00)
    assert _whom(scene, refund) == TellDisputes(("D-1",))
    capture = _cb(new_id(), payment_type=PaymentType.CP)
    assert isinstance(_whom(scene, capture), Nobody)


def test_who_takes_it_for_in_doubt_is_told_what_anothers_question_proved(scene: Scene) -> None:
    """Its case, which sends nothing while it doubts, has not heard what the books know."""
    payment = entry(PaymentType.DB, 92_00)
    doubting = scene.dispute("D-B", [payment], 92_00)
    plan = doubting.plan
    record = scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=record.attempts)
    doubting.settle(plan, OperationState.IN_DOUBT)
    booked = entry(PaymentType.CB, 92_00, payment.gateway_id, mtid=plan.merchant_transaction_id)
    shown = [payment, booked]
    Dispute(scene, "D-A", shown).open(10_00)
    told = _cb(
        payment.gateway_id,
        gateway_id=booked.gateway_id,
        merchant_transaction_id=plan.merchant_transaction_id,
    )
    assert _whom(scene, told) == TellDisputes(("D-B",))
    compared = SqlReconciliationBook(scene.store)
    news = untold(compared.payment(payment.gateway_id, shown))
    assert [(case, op.key) for case, op in news] == [("D-B", plan.key)]
    proved = scene.book.adopt_entry("D-B", booked, doubting.now)
    assert proved is not None
    doubting.record(OperationReported(operation=proved))
    assert _whom(scene, told) == Known("D-B")
    assert untold(compared.payment(payment.gateway_id, shown)) == ()
    doubting.ruled(Outcome.MERCHANT_WON)
    assert doubting.send().purpose is Purpose.REINSTATE


def _refund_sent(scene: Scene) -> tuple[GatewayEntry, Plan]:
    """A payment, and the refund R-1 of 10.00 on its way."""
    payment = entry(PaymentType.DB, 92_00)
    scene.book.adopt_own("M-1", payment.gateway_id, [payment], AT)
    plan = own_plan("refund", "R-1", Purpose.REFUND, 10_00, payment.gateway_id)
    record = scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=record.attempts)
    return payment, plan


def test_a_workflow_hears_of_its_operation_that_a_disputes_question_proved(scene: Scene) -> None:
    payment, plan = _refund_sent(scene)
    scene.book.settle(plan.key, OperationState.IN_DOUBT, at=AT)
    file = PaymentFile(
        workflow_id="refund/R-1",
        kind="refund",
        merchant_id="M-1",
        state="in_doubt",
        revision=1,
        content="{}",
        status="{}",
        at=AT,
    )
    register = SqlPaymentRegister(scene.store)
    register.record(file, None)
    refund = entry(PaymentType.RF, 10_00, payment.gateway_id, mtid=plan.merchant_transaction_id)
    scene.dispute("D-A", [payment, refund], 10_00)
    told = _cb(payment.gateway_id, payment_type=PaymentType.RF, gateway_id=refund.gateway_id)
    assert _whom(scene, told) == TellWorkflow("refund/R-1")
    register.record(file.model_copy(update={"state": "settled", "revision": 2}), None)
    assert _whom(scene, told) == Known()


def _told(scene: Scene, dispute: Dispute, shown: GatewayEntry) -> None:
    """The webhook of an entry, as often as it is looked at: a case that is told takes it over."""
    way = _whom(scene, _cb(dispute.payment_id, gateway_id=shown.gateway_id))
    if way == TellDisputes((dispute.case_id,)):
        taken = scene.book.adopt_entry(dispute.case_id, shown, dispute.now)
        if taken is not None:
            dispute.record(OperationReported(operation=taken))


@pytest.mark.parametrize("stage", [Stage.ALERT, Stage.INQUIRY])
@pytest.mark.parametrize("order", list(permutations(("early", "webhook", "notice"))))
def test_the_chargeback_after_an_alert_is_its_own_disputes_in_any_order(
    scene: Scene, order: tuple[str, ...], stage: Stage
) -> None:
    """It came with an id of its own; taken for the alert's, what is won would not come back."""
    payment = entry(PaymentType.DB, 92_00)
    chargeback = entry(PaymentType.CB, 92_00, payment.gateway_id)
    early, dispute = Dispute(scene, "D-1", [payment]), Dispute(scene, "D-2", [payment])
    for place, step in enumerate(order):
        if step == "webhook":
            early.entries = dispute.entries = [payment, chargeback]
        elif step == "early":
            early.open(92_00, stage=stage)
        else:
            dispute.open(92_00)
        if "webhook" in order[: place + 1]:
            _told(scene, early, chargeback)
            _told(scene, dispute, chargeback)
    dispute.ruled(Outcome.MERCHANT_WON)
    assert dispute.send().purpose is Purpose.REINSTATE
    assert scene.reads.operations(dispute_id="D-1") == ()
    assert scene.readings() == {"acquirer": 92, "in_hand": 77}
    assert scene.ledger.verify() == []


def test_a_payments_own_operation_in_doubt_leads_to_its_own_workflow(scene: Scene) -> None:
    payment, plan = _refund_sent(scene)
    refund = _cb(
        payment.gateway_id,
        payment_type=PaymentType.RF,
        merchant_transaction_id=plan.merchant_transaction_id,
    )
    assert isinstance(_whom(scene, refund), Wait)
    scene.book.settle(plan.key, OperationState.IN_DOUBT, at=AT)
    assert _whom(scene, refund) == TellWorkflow("refund/R-1")


def test_a_comparison_with_the_gateway_takes_no_placeholder_for_a_dispute(store: Store) -> None:
    told = _cb(new_id())
    Placeholders(store).open(told)
    book = SqlReconciliationBook(store)
    window = ReconciliationWindow(since=FIRST, until=LAST)
    assert book.payments(ListPayments(window=window, size=10)).payments == ()
    assert book.payment(str(told.referenced_id), ()).disputes == ()


def test_cases_from_before_the_webhook_are_found_by_what_their_notices_name(
    database_url: str,
) -> None:
    """Setting up a database that has cases already fills in the new columns."""
    engine = make_engine(database_url)
    with connected(engine, write=True) as connection:
        config = Config()
        config.set_main_option("script_location", "disputes.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        named = notice("D-1", "d" * 32, 92_00, gateway_reference="c" * 32, arn="7" * 23)
        claim = text("INSERT INTO claim VALUES ('dispute/D-1', '', :content, '2026-11-02')")
        connection.execute(claim, {"content": canonical_of(named)})
        case = text(
            "INSERT INTO dispute_case (case_id, stage, status, finality, amount_minor, currency,"
            " needs_attention, sequence) VALUES (:id, '', '', '', 9200, 'EUR', false, 1)"
        )
        for case_id in ("D-1", "D-2"):
            connection.execute(case, {"id": case_id})
    engine.dispose()
    migrate(database_url)
    store = open_store(database_url)
    with store.read() as session:
        found = text("SELECT case_id, gateway_reference, arn FROM dispute_case ORDER BY case_id")
        rows = [tuple(row) for row in session.connection().execute(found)]
    store.close()
    assert rows == [("D-1", "c" * 32, "7" * 23), ("D-2", None, None)]
