"""All cases at a glance, on both databases: what is counted is what the cases themselves show."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import event, text

from disputes.events import Submitted
from disputes.messages import SubmitRepresentment
from disputes.payment_steps import PaymentFile
from disputes.second_person import request
from disputes.specimens import cases
from disputes.status import status_of
from disputes.store.database import connected, make_engine
from disputes.store.engine import Store, open_store
from disputes.store.listing import CaseFilter
from disputes.store.migrations import migrate
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.portfolio import PortfolioReads
from disputes.store.projection import summed
from disputes.vocabulary import OperationState, Outcome, PaymentType
from tests.store.scene import START, Dispute, Scene, entry

SUMMED = ("charged_back", "at_risk", "give_back_due", "written_off", "recovered")


def _case(scene: Scene, name: str, minor: int = 92_00, **more: object) -> Dispute:
    case = Dispute(scene, name, [entry(PaymentType.DB, minor)])
    case.open(minor, **more)
    case.send()
    return case


@pytest.fixture
def some(scene: Scene) -> Scene:
    """Cases of two merchants: open, won, lost, rebilled, and one whose rebill is due back."""
    _case(scene, "open", 10_01)
    _case(scene, "other", 7_00, merchant_id="M-2")
    _case(scene, "won").ruled(Outcome.MERCHANT_WON)
    for name in ("lost", "rebilled", "won-late"):
        case = _case(scene, name)
        case.ruled(Outcome.CARDHOLDER_WON)
        if name != "lost":
            case.rebill(92_00)
            case.send()
        if name == "won-late":
            case.ruled(Outcome.MERCHANT_WON)
    return scene


def test_groups_and_sums_are_those_of_the_cases(some: Scene) -> None:
    found = PortfolioReads(some.store).portfolio(merchants=None)
    shown = some.reads.cases(CaseFilter())
    groups = {(it.currency, it.status, it.stage): it.cases for it in found.groups}
    assert groups == Counter((it.currency, it.status, it.stage) for it in shown)
    total: Counter[str] = Counter()
    for case in shown:
        total.update(summed(case))
    for name in SUMMED:
        assert total[f"{name}_minor"], f"no case has {name}"
        assert sum(getattr(it, f"{name}_minor") for it in found.groups) == total[f"{name}_minor"]
    assert sum(it.amount_minor for it in found.groups) == 10_01 + 7_00 + 4 * 92_00
    assert sum(it.needs_attention for it in found.groups) == sum(bool(it.attention) for it in shown)


@pytest.mark.parametrize(
    ("merchants", "merchant_id", "cases"),
    [
        (None, None, 6),
        (None, "M-2", 1),
        (("M-2", "M-3"), None, 1),
        (("M-2",), "M-1", 0),
        ((), None, 0),
    ],
)
def test_it_is_narrowed_to_merchants(
    some: Scene, merchants: tuple[str, ...] | None, merchant_id: str | None, cases: int
) -> None:
    found = PortfolioReads(some.store).portfolio(merchants=merchants, merchant_id=merchant_id)
    assert sum(it.cases for it in found.groups) == cases


def test_deadlines_are_those_of_cases_that_can_still_be_answered(scene: Scene) -> None:
    now = datetime.now(UTC)
    for name, hours in {"late": -1, "day": 23, "three": 70, "week": 160, "later": 200}.items():
        _case(scene, name, respond_by=now + timedelta(hours=hours))
    answered = _case(scene, "answered", respond_by=now + timedelta(hours=2))
    sent = Submitted(submission=SubmitRepresentment(submitted_by="ann"), packet_sha256="0" * 64)
    answered.record(sent)
    assert answered.case.status.value == "under_review"
    found = PortfolioReads(scene.store).portfolio(merchants=None)
    due = [
        sum(getattr(it, name) for it in found.groups)
        for name in ("overdue", "within_1_d", "within_3_d", "within_7_d")
    ]
    assert due == [1, 1, 2, 3]
    assert abs(found.as_of - now) < timedelta(minutes=5)


def test_doubts_and_requests_are_counted_wherever_they_are(scene: Scene) -> None:
    case = Dispute(scene, "doubtful", [entry(PaymentType.DB, 92_00)])
    case.open(92_00)
    record = scene.book.intend(case.plan, ())
    scene.book.mark_sent(case.plan.key, attempts=record.attempts)
    case.settle(case.plan, OperationState.IN_DOUBT)
    SqlPaymentRegister(scene.store).record(_file(2), None)
    reads = PortfolioReads(scene.store)
    found = reads.portfolio(merchants=None)
    [doubt] = found.doubts
    assert (doubt.currency, doubt.operations, doubt.amount_minor) == ("EUR", 1, 92_00)
    assert found.approvals_waiting == 2
    other = reads.portfolio(merchants=("M-9",))
    assert (other.doubts, other.approvals_waiting) == ((), 0)


def _file(waiting: int) -> PaymentFile:
    asked = [request(f"A-{n}", "ann", START, 24) for n in range(waiting)]
    over = request("A-0", "ann", START, 24).model_copy(update={"outcome": "declined"})
    shown = [it.model_dump_json() for it in asked[1:]]
    return PaymentFile(
        workflow_id=f"refund/R-{waiting}",
        kind="refund",
        merchant_id="M-1",
        state="in_doubt",
        revision=1,
        content="{}",
        status=f'{{"approval": {(asked or [over])[0].model_dump_json()},'
        f' "approvals": [{",".join([over.model_dump_json(), *shown])}]}}',
        at=START,
    )


@pytest.mark.usefixtures("some")
def test_it_is_read_from_the_index_alone(store: Store) -> None:
    """The rows are as wide as their statuses: of many cases that would be read through."""
    asked: list[tuple[str, Any]] = []

    def listen(*of: Any) -> None:  # noqa: ANN401 - connection, cursor, statement, parameters ...
        asked.append((of[2], of[3]))

    with store.read() as session:
        engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", listen)
    PortfolioReads(store).portfolio(merchants=None)
    event.remove(engine, "before_cursor_execute", listen)
    [(statement, parameters)] = [(sql, it) for sql, it in asked if "GROUP BY dispute_case" in sql]
    with store.read() as session:
        connection = session.connection()
        if engine.dialect.name == "postgresql":
            for way in ("enable_seqscan", "enable_bitmapscan"):
                connection.exec_driver_sql(f"SET LOCAL {way} = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        else:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        told = "\n".join(str(row) for row in plan)
    assert "Index Only Scan" in told or "COVERING INDEX" in told, told
    assert "case_by_portfolio" in told, told


def test_what_was_there_before_is_summed_too(database_url: str) -> None:
    """Setting up a database that has cases already fills in the new columns."""
    more = {"give_back_due": "5.00", "recovered": "-12.34"}
    shown = [status_of(case).model_copy(update=more) for case in cases()]
    engine = make_engine(database_url)
    with connected(engine, write=True) as connection:
        config = Config()
        config.set_main_option("script_location", "disputes.store:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        case = text(
            "INSERT INTO dispute_case (case_id, stage, status, finality, amount_minor, currency,"
            " needs_attention, sequence, status_json) VALUES (:id, '', '', '', 0, 'EUR', false, 1,"
            " :shown)"
        )
        for number, it in enumerate(shown):
            connection.execute(case, {"id": f"D-{number}", "shown": it.model_dump_json()})
        connection.execute(case, {"id": "nothing-shown", "shown": None})
        file = text(
            "INSERT INTO payment_file (workflow_id, kind, merchant_id, state, needs_attention,"
            " revision, content, status_json, updated_at) VALUES (:id, 'refund', 'M-1', '', false,"
            " 1, '{}', :shown, '2026-11-02')"
        )
        for number in range(3):
            connection.execute(file, {"id": f"refund/{number}", "shown": _file(number).status})
        connection.execute(file, {"id": "preauthorization/4", "shown": '{"approvals": []}'})
    engine.dispose()
    migrate(database_url)
    store = open_store(database_url)
    found = PortfolioReads(store).portfolio(merchants=None)
    store.close()
    for name in SUMMED:
        total = sum(summed(it)[f"{name}_minor"] for it in shown)
        assert sum(getattr(it, f"{name}_minor") for it in found.groups) == total
    assert found.approvals_waiting == 0 + 1 + 2
