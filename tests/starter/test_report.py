"""A provider's report tells a case the bank's last word, whichever of its rows came first."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from disputes.case import Case
from disputes.errors import InvalidMessage
from disputes.events import Body, CaseEvent, Opened, Reported, Ruled
from disputes.ledger import levels
from disputes.lifecycle import advance
from disputes.store import open_store
from disputes.store.migrations import migrate
from disputes.store.reports import ReportBook
from disputes.vocabulary import NetworkEventKind, Outcome, Stage, Status
from starter.feed import Entry, NetworkEventLine, OpenedLine, RulingLine
from starter.mapping import Mapping, ReportState, State, load_mapping
from starter.report import Report
from starter.report_desk import ReportDesk
from tests.support.story import terms

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY = "2026-10-25T00:00:00Z"
LATER = "2026-10-27T00:00:00Z"
_STAGES = {"pre_arbitration": Stage.PRE_ARBITRATION, "arbitration": Stage.ARBITRATION}
#: A state for each event that a report's row can stand for.
EVENTS = {
    kind.value: State(
        stage=_STAGES.get(kind.value.rpartition("_")[0], Stage.CHARGEBACK), event=kind
    )
    for kind in NetworkEventKind
    if not kind.value.startswith("fee_")
}


class Cases:
    """Cases that a report desk tells, through the rules alone."""

    def __init__(self, url: str, mapping: Mapping) -> None:
        migrate(url)
        self.store = open_store(url)
        self._mapping = mapping
        self.desk = ReportDesk(ReportBook(self.store), self._take)
        self.entries: dict[str, list[Entry]] = defaultdict(list)

    async def row(self, dispute_id: str, state: str, **changes: str | None) -> bool:
        """The desk takes a row of the run that began at ``NOW``."""
        row = {
            "dispute_id": dispute_id,
            "merchant_id": "M-1",
            "payment_id": "b" * 32,
            "network": "visa",
            "reason_code": "13.1",
            "amount": "92.00",
            "currency": "EUR",
            "received_at": "2026-10-20T10:00:00Z",
        }
        told = ReportState.model_validate(row | {"state": state} | changes)
        return await self.desk.take(Report.of(self._mapping, told), NOW)

    async def _take(self, entry: Entry, _now: datetime) -> dict[str, str]:
        self.entries[entry.dispute_id or ""].append(entry)
        return {}

    def case(self, dispute_id: str) -> Case:
        """The case after all that it was told."""
        case = Case(case_id=dispute_id)
        for sequence, entry in enumerate(self.entries[dispute_id], 1):
            event_id, at, body = _fact(entry)
            event = CaseEvent(
                sequence=sequence, event_id=event_id, at=at, recorded_at=NOW, actor="t", body=body
            )
            case = advance(case, event)
        return case


def _fact(entry: Entry) -> tuple[str, datetime, Body]:
    match entry.line:
        case OpenedLine(data=notice):
            return "opened", notice.received_at, Opened(notice=notice, terms=terms())
        case RulingLine(data=ruling):
            return f"ruling:{ruling.ruling_id}", ruling.decided_at, Ruled(ruling=ruling)
        case NetworkEventLine(data=event):
            return f"event:{event.event_id}", event.occurred_at, Reported(event=event)
    raise AssertionError(entry)


@pytest.fixture
def checkout(sqlite_url: str) -> Iterator[Cases]:
    """Cases of a report that does not tell when a dispute changed."""
    mapping = load_mapping("checkout")
    lost = State(
        stage=Stage.PRE_ARBITRATION,
        event=NetworkEventKind.PRE_ARBITRATION_OPENED,
        outcome=Outcome.CARDHOLDER_WON,
    )
    inquiry = State(stage=Stage.INQUIRY)
    fee = State(stage=Stage.CHARGEBACK, event=NetworkEventKind.FEE_CHARGED)
    states = (
        mapping.states | EVENTS | {"lost pre-arbitration": lost, "fee": fee, "inquiry": inquiry}
    )
    cases = Cases(sqlite_url, mapping.model_copy(update={"states": states}))
    yield cases
    cases.store.close()


@pytest.mark.parametrize("changed_at", [None, DAY])
async def test_the_last_of_several_changes_decides_where_their_moments_do_not(
    checkout: Cases, changed_at: str | None
) -> None:
    ids = [f"D-{number}" for number in range(40)]
    for dispute_id in ids:
        for state in ("ADJM", "RPDW", "RPDL"):
            assert await checkout.row(dispute_id, state, changed_at=changed_at)
    assert {checkout.case(dispute_id).status for dispute_id in ids} == {Status.LOST}


async def test_what_a_state_says_the_network_did_comes_before_its_ruling(
    checkout: Cases,
) -> None:
    for state in ("ADJM", "RPDW", "lost pre-arbitration"):
        await checkout.row("D-1", state)
    assert checkout.case("D-1").status is Status.LOST


async def test_a_row_that_is_older_than_the_last_says_nothing_after_changes_of_one_day(
    checkout: Cases,
) -> None:
    for state in ("ADJM", "RPDW", "RPDL"):
        assert await checkout.row("D-1", state, changed_at=DAY)
    assert not await checkout.row("D-1", "RPDW", changed_at="2026-10-24T23:59:59Z")
    assert await checkout.row("D-1", "ARBW", changed_at="2026-10-25T00:00:01Z")
    moments = [_fact(entry)[1] for entry in checkout.entries["D-1"][1:]]
    day = datetime.fromisoformat(DAY)
    assert moments[0] == day
    assert moments == sorted(set(moments))
    assert moments[-1] == day + timedelta(seconds=1)  # what the report tells is told as it is


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999Z", "2027-10-25T00:00:00Z"])
async def test_a_row_of_the_future_does_not_silence_those_that_follow(
    adyen: Cases, moment: str
) -> None:
    """A slip of the year, or the last moment there is where a program knows none."""
    for state in ("Chargeback", "ChargebackReversed", "SecondChargeback"):
        with pytest.raises(InvalidMessage) as refused:
            await adyen.row("D-1", state, changed_at=moment)
        assert refused.value.fields == {"Record Date": "is more than a day in the future"}
        assert await adyen.row("D-1", state, changed_at=DAY)
    assert adyen.case("D-1").status is Status.LOST


@pytest.fixture
def adyen(sqlite_url: str) -> Iterator[Cases]:
    """Cases of a report that tells when a dispute changed."""
    cases = Cases(sqlite_url, load_mapping("adyen"))
    yield cases
    cases.store.close()


def _end(case: Case) -> tuple[object, ...]:
    """What a case has come to, and by which fact: the next is compared with it."""
    waits_since = case.waits_since and case.waits_since.replace(microsecond=0)
    clock = (case.respond_by if case.answerable else None, waits_since)
    return (
        case.status,
        case.stage,
        case.cycle,
        case.finality,
        levels(case),
        clock,
        case.last_meaning,
    )


@pytest.mark.parametrize("respond_by", [None, "2026-12-20T00:00:00Z"])
@pytest.mark.parametrize("state", [*EVENTS, "RPDW", "RPDL"])
async def test_a_dispute_first_seen_in_a_later_state_ends_as_one_seen_before(
    checkout: Cases, state: str, respond_by: str | None
) -> None:
    for dispute_id, rows in {
        "in-order": (("ADJM", DAY), (state, LATER)),
        "late": ((state, LATER),),
        "turned": ((state, LATER), ("ADJM", DAY)),
    }.items():
        for told, changed_at in rows:
            await checkout.row(dispute_id, told, changed_at=changed_at, respond_by=respond_by)
    seen_before = _end(checkout.case("in-order"))
    assert _end(checkout.case("late")) == seen_before
    assert _end(checkout.case("turned")) == seen_before


@pytest.mark.parametrize("state", [*EVENTS, "RPDW", "RPDL", "lost pre-arbitration"])
async def test_a_report_that_skips_the_chargeback_after_an_inquiry_ends_as_one_that_does_not(
    checkout: Cases, state: str
) -> None:
    await checkout.row("skipped", "inquiry", changed_at=DAY)
    await checkout.row("told", "inquiry", changed_at=DAY)
    await checkout.row("told", "ADJM", changed_at="2026-10-27T00:00:00Z")
    for dispute_id in ("skipped", "told"):
        await checkout.row(dispute_id, state, changed_at="2026-10-27T01:00:00Z")
    skipped, told = checkout.case("skipped"), checkout.case("told")
    assert _end(skipped) == _end(told)
    assert told.money_moved


async def test_a_fee_first_seen_opens_the_case_and_is_not_told_as_the_disputed_amount(
    checkout: Cases,
) -> None:
    await checkout.row("D-1", "fee")
    assert [entry.line.type for entry in checkout.entries["D-1"]] == ["dispute.opened"]
