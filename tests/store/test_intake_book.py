"""The intake's books: lines known for ever, months told again, rows of reports."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from disputes.errors import Conflict
from disputes.store.intake import IntakeBook, LineKey
from disputes.store.tables import MerchantMonthRow
from tests.store.scene import Scene

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def _line(number: int, digest: str = "a") -> LineKey:
    return LineKey(f"E-{number}", digest * 64, "dispute.ruling", "D-1")


def _month(settled: int, event_id: str, merchant: str = "M-1") -> MerchantMonthRow:
    return MerchantMonthRow(
        merchant_id=merchant,
        network="visa",
        month="2026-10",
        settled_count=settled,
        settled_minor=100,
        currency="EUR",
        fraud_reports=0,
        event_id=event_id,
        told_at=NOW,
    )


def test_lines_are_noted_together_and_each_gets_its_own_answer(scene: Scene) -> None:
    book = IntakeBook(scene.store)
    assert book.begin_all([_line(2), _line(1)]) == ["new", "new"]
    book.delivered("E-2")
    again, changed, new, twice = book.begin_all([_line(2), _line(1, "b"), _line(3), _line(3)])
    assert (again, new, twice) == ("delivered", "new", "pending")
    assert isinstance(changed, Conflict)
    assert book.delivered_of(["E-1", "E-2", "E-9"]) == {"E-2": "a" * 64}
    assert book.delivered_of([]) == {}


def test_claims_are_taken_together_and_each_gets_its_own_answer(scene: Scene) -> None:
    claims = [("dispute/2", '{"a":1}'), ("dispute/1", '{"a":1}')]
    assert scene.register.claim_all(claims) == [True, True]
    same, other = scene.register.claim_all([claims[0], ("dispute/1", '{"a":2}')])
    assert same is False
    assert isinstance(other, Conflict)
    assert other.fields == ("a",)


def test_of_two_claims_of_one_id_in_one_go_the_first_has_it(scene: Scene) -> None:
    claims = [("dispute/2", "{}"), ("dispute/1", '{"a":1}'), ("dispute/1", '{"a":2}')]
    two, first, second = scene.register.claim_all(claims)
    assert (two, first) == (True, True)
    assert isinstance(second, Conflict)
    assert scene.register.claim("dispute/1", '{"a":1}') is False


def test_many_intakes_at_once_neither_wait_for_ever_nor_note_a_line_twice(scene: Scene) -> None:
    """Each sends the same lines in another order."""
    book = IntakeBook(scene.store)
    lines = [_line(number) for number in range(40)]
    orders = [lines, lines[::-1], lines[20:] + lines[:20], lines[::2] + lines[1::2]]
    with ThreadPoolExecutor(4) as threads:
        seen = [one for told in threads.map(book.begin_all, orders) for one in told]
        assert seen.count("new") == 40
        assert seen.count("pending") == 120
        ids = [[line.event_id for line in order] for order in orders]
        list(threads.map(lambda order: book.delivered(*order), ids))
    assert len(book.delivered_of(ids[0])) == 40


def test_the_month_that_is_told_last_holds(scene: Scene) -> None:
    book = IntakeBook(scene.store)
    book.begin_all([LineKey(name, "a" * 64, "merchant.month", None) for name in ("A", "B", "C")])
    assert book.tell_months([_month(7, "A"), _month(5, "C", "M-0"), _month(8, "B")]) == [
        *(False, False, True)
    ]
    assert book.tell_months([_month(8, "B")]) == [False]
    with scene.store.read() as session:
        month = session.get_one(MerchantMonthRow, ("M-1", "visa", "2026-10"))
    assert (month.settled_count, month.event_id) == (8, "B")
    assert set(book.delivered_of(["A", "B", "C"])) == {"A", "B", "C"}


def test_a_change_of_a_report_is_kept_once_until_it_is_settled(scene: Scene) -> None:
    reports = IntakeBook(scene.store).reports
    assert reports.last("adyen", "D-1") is None
    assert reports.change("adyen", "D-1", "{}", ["one"], 0)
    assert not reports.change("adyen", "D-1", '{"late":1}', [], 0)
    assert reports.change("adyen", "D-1", '{"a":1}', ["two"], 1)
    reports.settle("adyen", "D-1", 1)  # of the change before: the newest is not delivered
    last = reports.last("adyen", "D-1")
    assert last is not None
    assert (last.state_json, last.changes, last.pending_json) == ('{"a":1}', 2, '["two"]')
    reports.settle("adyen", "D-1", 2)
    settled = reports.last("adyen", "D-1")
    assert settled is not None
    assert settled.pending_json is None
    assert reports.last("checkout", "D-1") is None
