"""Lists, statements and the intake's memory."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from disputes.errors import Conflict
from disputes.events import Assigned
from disputes.ledger import Account
from disputes.messages import Assign
from disputes.status import CaseStatus
from disputes.store.intake import IntakeBook
from disputes.store.listing import MOST_FOUND, CaseFilter
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.store.tables import CaseRow
from disputes.vocabulary import OperationState, Outcome, PaymentType
from tests.store.scene import START, Dispute, Scene, entry


@pytest.fixture
def three(scene: Scene) -> list[Dispute]:
    """Three cases: one won, one assigned to ann, one smaller and with an earlier deadline."""
    won = scene.dispute("won-1", [entry(PaymentType.DB, 9200)], 9200)
    won.ruled(Outcome.MERCHANT_WON)
    ann = scene.dispute("ann-1", [entry(PaymentType.DB, 9200)], 9200)
    ann.record(Assigned(assignment=Assign(assignee="ann")))
    soon = Dispute(scene, "soon-1", [entry(PaymentType.DB, 9200)])
    soon.open(500, respond_by=START + timedelta(days=2), reason_code="10.4")
    return [won, ann, soon]


def _ids(scene: Scene, wanted: CaseFilter) -> list[str]:
    return [status.dispute_id for status in scene.reads.cases(wanted)]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (CaseFilter(), ["soon-1", "ann-1", "won-1"]),
        (CaseFilter(limit=1), ["soon-1"]),
        (CaseFilter(status="won"), ["won-1"]),
        (CaseFilter(stage="inquiry"), []),
        (CaseFilter(merchant_id="M-2"), []),
        (CaseFilter(network="visa", assignee="ann"), ["ann-1"]),
        (CaseFilter(due_before=START + timedelta(days=3)), ["soon-1"]),
        (CaseFilter(q="10.4"), ["soon-1"]),
        (CaseFilter(q="ann"), ["ann-1"]),
        (CaseFilter(q="ANN"), []),
        (CaseFilter(q="n_1"), []),
        (CaseFilter(sort="amount", limit=2), ["won-1", "ann-1"]),
        (CaseFilter(sort="updated_at", limit=2), ["won-1", "ann-1"]),
    ],
)
def test_cases_are_found_by_what_one_knows_of_them(
    scene: Scene, wanted: CaseFilter, found: list[str]
) -> None:
    assert _ids(scene, wanted) == found


@pytest.mark.usefixtures("three")
def test_a_search_goes_on_page_by_page_those_without_a_deadline_last(scene: Scene) -> None:
    with scene.store.write() as session:
        undated = "UPDATE dispute_case SET next_deadline = NULL WHERE case_id = 'ann-1'"
        session.connection().execute(text(undated))
    found = []
    wanted = CaseFilter(q="13.1", limit=1)
    while True:
        page = scene.reads.page(wanted)
        found += [CaseStatus.model_validate_json(status).dispute_id for status in page.statuses]
        if page.next is None:
            break
        wanted = replace(wanted, after=page.next)
    assert found == ["won-1", "ann-1"]
    assert _ids(scene, CaseFilter(q="13.1")) == found


def test_a_search_finds_a_few_among_the_many_of_others(scene: Scene) -> None:
    """What is cut off is what fits: another merchant's cases take nobody's place."""

    def row(name: str, merchant: str, status: str) -> CaseRow:
        return CaseRow(
            case_id=name,
            merchant_id=merchant,
            payment_id="a" * 32,
            arn="9" * 23,
            reason_code="13.1",
            status=status,
            status_json=f'{{"dispute_id": "{name}"}}',
        )

    few = {f"D-{n}" for n in range(20)}
    with scene.store.write() as session:
        session.add_all(row(f"D-0{n:04}", "M-1", "lost") for n in range(MOST_FOUND + 500))
        session.flush()
        session.add_all(row(name, "M-2", "collecting") for name in few)
    for q in ("13.1", "9" * 23, "a" * 32, "D-"):
        for narrowed in (
            CaseFilter(merchants=("M-2",)),
            CaseFilter(merchants=("M-2", "M-3")),
            CaseFilter(merchant_id="M-2"),
            CaseFilter(status="collecting"),
        ):
            page = scene.reads.page(replace(narrowed, q=q, limit=500))
            assert {json.loads(status)["dispute_id"] for status in page.statuses} == few
        assert (
            scene.reads.page(CaseFilter(q=q, merchant_id="M-1", status="collecting")).statuses == ()
        )


def test_what_is_told_late_is_posted_when_it_is_told(scene: Scene) -> None:
    """Whoever has read the ledger of the day on which the bank ruled must not miss it."""
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    dispute.send()
    ruling, told = dispute.ruling(Outcome.MERCHANT_WON), dispute.now + timedelta(days=7)
    late = dispute.happen(ruling).model_copy(update={"recorded_at": told})
    dispute.events[-1] = late
    assert late.at < told
    scene.register.record("D-1", [late])
    week = scene.ledger.entries(START - timedelta(days=1), told)
    assert not [line for line in week if line.source.endswith(late.event_id)]
    after = scene.ledger.entries(told, told + timedelta(days=1))
    assert {(line.source, line.moment) for line in after} == {(f"fact:D-1/{late.event_id}", told)}


def test_a_status_is_what_the_case_itself_would_say(scene: Scene, three: list[Dispute]) -> None:
    for dispute in three:
        status = scene.reads.status(dispute.case_id)
        assert status is not None
        assert status.sequence == len(dispute.events)
        assert status.status == dispute.case.status


def test_the_timeline_tells_every_event(scene: Scene, three: list[Dispute]) -> None:
    entries = scene.reads.timeline(three[0].case_id)
    assert [line.what for line in entries] == ["opened", "payment_known", "ruled"]


def test_operations_are_listed_by_state(scene: Scene, three: list[Dispute]) -> None:
    plan = three[1].plan
    scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=0)
    assert [row.key for row in scene.reads.operations(state=OperationState.SENT)] == [plan.key]


def test_a_statement_shows_the_whole_payment_with_where_each_line_comes_from(scene: Scene) -> None:
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    operation = dispute.send()
    lines = scene.ledger.show(dispute.payment_id)
    assert [(line.source, line.debit, line.amount_minor) for line in lines] == [
        ("fact:D-1/E-1", Account.DISPUTED, 9200),
        ("fact:D-1/E-1", Account.FEES, 1500),
        (f"gateway:{dispute.payment_id}", Account.ACQUIRER, 9200),
        (operation.key, Account.UNMIRRORED, 9200),
    ]


#: A posting that somebody wrote by hand.
_COPY = (
    "INSERT INTO ledger (merchant_id, currency, root_id, entry_id, dispute_id, source, line,"
    " moment, debit, credit, amount_minor, text) SELECT merchant_id, {currency}, root_id, entry_id,"
    " dispute_id, {source}, 9, moment, debit, credit, amount_minor, text FROM ledger"
    " WHERE debit = 'acquirer'"
)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM operation WHERE payment_type = 'CB'", "have no case or operation"),
        ("UPDATE operation SET amount_minor = 1 WHERE payment_type = 'CB'", "other money is"),
        ("UPDATE operation SET state = 'sent' WHERE payment_type = 'CB'", "is sent, but"),
        ("DELETE FROM case_event WHERE kind = 'ruled'", "not what its events fold to"),
        ("UPDATE dispute_case SET levels_json = NULL", "not what its events fold to"),
        (_COPY.format(source="'by hand'", currency="currency"), "have no case or operation"),
        (_COPY.format(source="source", currency="currency"), "other money is"),
        (_COPY.format(source="source", currency="'USD'"), "other money is"),
    ],
)
def test_damage_to_the_books_is_found_and_corrected_by_new_entries(
    scene: Scene, damage: str, told: str
) -> None:
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    dispute.send()
    dispute.ruled(Outcome.CARDHOLDER_WON)
    assert scene.ledger.verify() == []
    with scene.store.write() as session:
        session.connection().execute(text(damage))
    found = scene.ledger.differences()
    assert any(told in difference.text for difference in found)
    command = f"disputes reconcile --payment {dispute.payment_id}"
    assert {difference.what_to_do for difference in found} == {command}
    before, book = scene.ledger.show(dispute.payment_id), SqlReconciliationBook(scene.store)
    assert book.amiss(dispute.payment_id)
    assert book.correct(dispute.payment_id, dispute.now)
    assert scene.ledger.verify() == []
    after = scene.ledger.show(dispute.payment_id)
    assert after[: len(before)] == before
    assert {line.text for line in after[len(before) :]} <= {"correction"}
    assert not book.correct(dispute.payment_id, dispute.now)


def test_a_line_of_the_feed_is_new_then_pending_then_delivered(scene: Scene) -> None:
    intake = IntakeBook(scene.store)
    line = ("E-1", "a" * 64, "dispute.ruling", "D-1")
    assert intake.begin(*line) == "new"
    assert intake.begin(*line) == "pending"
    intake.delivered("E-1")
    intake.delivered("E-1")
    assert intake.begin(*line) == "delivered"


@pytest.mark.parametrize(
    ("kind", "dispute_id", "fields"),
    [
        ("dispute.ruling", "D-1", ["data"]),
        ("dispute.ruling", "D-2", ["dispute_id"]),
        ("dispute.evidence", "D-2", ["type", "dispute_id"]),
    ],
)
def test_an_event_id_with_other_content_is_a_conflict_that_names_the_fields(
    scene: Scene, kind: str, dispute_id: str, fields: list[str]
) -> None:
    intake = IntakeBook(scene.store)
    intake.begin("E-1", "a" * 64, "dispute.ruling", "D-1")
    with pytest.raises(Conflict) as conflict:
        intake.begin("E-1", "b" * 64, kind, dispute_id)
    assert conflict.value.details == {"fields": fields}
