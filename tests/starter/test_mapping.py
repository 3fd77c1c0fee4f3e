"""Other providers' reports: their rows in our words, and what changed told to the case once."""

import csv
import io
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disputes.errors import ConfigurationError, InvalidMessage
from disputes.store.intake import IntakeBook
from starter.feed import NetworkEventLine, OpenedLine, RulingLine, read_line
from starter.feed_csv import Header
from starter.feed_file import How, take_file
from starter.intake import Intake
from starter.mapping import SHIPPED, load_mapping, read_row
from starter.progress import FeedReport
from starter.report import Report, is_outdated, lines_of
from tests.support.desk import desk_of, intake_of
from tests.support.engine import Engine, Json

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
ADYEN = {
    "Company Account": "Acme",
    "Merchant Account": "M-1",
    "Psp Reference": "QFQTPCQ8HXSKGK82",
    "Merchant Reference": "a" * 32,
    "Payment Method": "visa",
    "Record Date": "2026-10-20 10:00:00",
    "Record Date TimeZone": "CEST",
    "Dispute Currency": "EUR",
    "Dispute Amount": "92.5",
    "Record Type": "NotificationOfChargeback",
    "Dispute PSP Reference": "8815658961765250",
    "CB Reason Code": "13.1",
    "Dispute Date": "2026-10-20 10:00:00",
    "Dispute End Date": "2026-11-09",
}
CHECKOUT = {
    "Dispute ID": "dsp_9rjdlsd4epepfjyyf9vl",
    "Dispute Issue Date UTC": "2026-10-20T10:00:00",
    "Client Entity Name": "M-1",
    "Merchant Category Code": "5812",
    "Dispute Indicator": "ADJM",
    "Payment Reference": "b" * 32,
    "Payment Method": "VISA",
    "Reason Code": "10.4",
    "Dispute Amount": "81.50",
    "Dispute Currency": "gbp",
    "Evidence Required By UTC": "2026-11-09 18:00:00",
}
ROWS = {"adyen": ADYEN, "checkout": CHECKOUT}


def _csv(*rows: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _report(name: str = "adyen", **changes: str) -> Report:
    mapping, row = load_mapping(name), {**ROWS[name], **changes}
    raw = _csv(row).splitlines()[1].encode()
    return Report.of(mapping, read_row(mapping, Header(tuple(row)), raw))


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.toml")))
def test_a_shipped_mapping_reads_its_report_and_names_its_source(name: str) -> None:
    mapping = load_mapping(name)
    assert mapping.source.startswith("https://")
    (line,) = lines_of(_report(name), None, 0, NOW)
    opened = read_line(line, NOW).line
    assert isinstance(opened, OpenedLine)
    assert opened.data.network == "visa"
    assert opened.data.dispute_id.startswith(mapping.dispute_prefix)


def test_a_row_is_read_in_our_words() -> None:
    state = _report().state
    assert (state.amount, state.received_at) == ("92.50", "2026-10-20T08:00:00Z")
    assert state.respond_by == "2026-11-08T23:00:00Z"  # the day's first moment in Amsterdam
    assert _report("checkout").state.currency == "GBP"


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("Payment Method", "ideal", "not among the mapping's networks"),
        ("Record Type", "Paid", "not among the mapping's states"),
        ("Dispute Amount", "92.505", "at most 2 decimals"),
        ("Dispute Amount", "NaN", "decimals"),
        ("Dispute Amount", "a lot", "number"),
        ("Dispute Currency", "XXX", "ISO 4217"),
        ("Record Date", "20/10/2026", "moment"),
        ("CB Reason Code", "4111111111111111", "card number"),
        ("Dispute PSP Reference", "", "required"),
    ],
)
def test_a_bad_row_is_refused_by_the_providers_column(column: str, cell: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        _report("adyen", **{column: cell})
    assert reason in refused.value.fields[column]
    assert "4111" not in refused.value.message


def _told(before: Report, after: Report) -> list[tuple[str, str]]:
    lines = [read_line(line, NOW).line for line in lines_of(after, before.state, 1, NOW)]
    told = []
    for line in lines:
        if isinstance(line, NetworkEventLine):
            told.append(("event", line.data.kind.value))
        elif isinstance(line, RulingLine):
            told.append(("ruling", line.data.outcome.value))
    assert len(told) == len(lines)
    return told


@pytest.mark.parametrize(
    ("before", "changes", "told"),
    [
        ({}, {}, []),
        ({}, {"Company Account": "other"}, []),
        ({"Record Type": "RequestForInformation"}, {}, [("event", "escalated")]),
        ({}, {"Record Type": "Chargeback"}, [("event", "issuer_comment")]),
        ({}, {"Record Type": "ChargebackReversed"}, [("ruling", "merchant_won")]),
        ({}, {"Record Type": "SecondChargeback"}, [("event", "second_chargeback")]),
        ({}, {"Dispute Amount": "90.00"}, [("event", "issuer_comment")]),
        ({}, {"Dispute End Date": "2026-11-12"}, [("event", "issuer_comment")]),
        (
            {"Record Type": "SecondChargeback"},
            {"Record Type": "SecondChargeback", "Dispute End Date": "2026-11-12"},
            [("event", "second_chargeback")],
        ),
        (
            {},
            {"Record Type": "SecondChargeback", "Dispute Amount": "90.00"},
            [("event", "second_chargeback")],
        ),
        (
            {},
            {"Record Type": "ChargebackReversed", "Dispute Amount": "90.00"},
            [("ruling", "merchant_won"), ("event", "issuer_comment")],
        ),
        (
            {"Record Type": "SecondChargeback"},
            {
                "Record Type": "SecondChargeback",
                "Dispute End Date": "2026-11-12",
                "Dispute Amount": "90.00",
            },
            [("event", "second_chargeback"), ("event", "issuer_comment")],
        ),
    ],
)
def test_what_changed_becomes_events_and_rulings(
    before: dict[str, str], changes: dict[str, str], told: list[tuple[str, str]]
) -> None:
    assert _told(_report("adyen", **before), _report("adyen", **changes)) == told


def test_an_amount_that_changes_is_told_once() -> None:
    """By the event of the new state, or by a comment beside what cannot carry it."""
    again = {"Record Type": "SecondChargeback", "Dispute Amount": "90.00"}
    renewed = {**again, "Dispute End Date": "2026-11-12"}
    reversed_ = {**again, "Record Type": "ChargebackReversed"}
    second = _report(**{"Record Type": "SecondChargeback"})
    for before, after in ((_report(), again), (_report(), reversed_), (second, renewed)):
        lines = lines_of(_report(**after), before.state, 1, NOW)
        amounts = [json.loads(line)["data"].get("amount") for line in lines]
        assert [it for it in amounts if it] == [{"amount": "90.00", "currency": "EUR"}]
        assert len({json.loads(line)["event_id"] for line in lines}) == len(lines)


def test_a_row_that_is_older_than_the_last_is_known_as_such() -> None:
    older = _report("adyen", **{"Record Date": "2026-10-19 10:00:00"}).state
    assert is_outdated(_report().state, older)
    assert not is_outdated(older, _report().state)
    assert not is_outdated(_report("checkout").state, _report("checkout").state)


def test_a_network_is_known_however_the_mapping_spells_it(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text((SHIPPED / "adyen.toml").read_text().replace('visa = "visa"', 'VISA = "visa"'))
    row = ROWS["adyen"] | {"Payment Method": "Visa"}
    raw = _csv(row).splitlines()[1].encode()
    assert read_row(load_mapping(str(file)), Header(tuple(row)), raw).network == "visa"


def test_a_wrong_mapping_file_is_told_by_key(tmp_path: Path) -> None:
    text = (SHIPPED / "adyen.toml").read_text()
    wrong = {
        "timezone": text.replace("Europe/Amsterdam", "Europe/Nowhere"),
        "networks": text.replace('visa = "visa"', 'visa = "viza"'),
        "dispute_id": text.replace("dispute_id =", "#"),
        "not TOML": "name = ",
    }
    for told, content in wrong.items():
        file = tmp_path / "wrong.toml"
        file.write_text(content)
        with pytest.raises(ConfigurationError, match=told):
            load_mapping(str(file))
    with pytest.raises(ConfigurationError, match="shipped are adyen, checkout"):
        load_mapping("nobody")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(ADYEN)), st.text(max_size=30), max_size=4))
def test_no_row_is_a_crash_and_no_bad_one_is_taken(changes: dict[str, str]) -> None:
    """A row that is read, and what follows from it, is refused or is a notice like any other."""
    mapping, row = load_mapping("adyen"), {**ADYEN, **changes}
    cells = ",".join('"' + cell.replace('"', '""') + '"' for cell in row.values())
    with suppress(InvalidMessage):
        report = Report.of(mapping, read_row(mapping, Header(tuple(row)), cells.encode()))
        (line,) = lines_of(report, None, 0, NOW)
        assert isinstance(read_line(line, NOW).line, OpenedLine)


async def _take(
    engine: Engine, folder: Path, *rows: dict[str, str], intake: Intake | None = None
) -> FeedReport:
    feed = folder / "report.csv"
    feed.write_text("\N{ZERO WIDTH NO-BREAK SPACE}" + _csv(*rows))
    how = How(mapping=load_mapping("adyen"))
    return await take_file(intake or intake_of(engine), feed, datetime.now(UTC), how)


def _adyen(notice: Json) -> dict[str, str]:
    """A row about the payment and the dispute of a notice."""
    return {
        **ADYEN,
        "Merchant Reference": notice["payment_id"],
        "Dispute Amount": "92.00",
        "Dispute PSP Reference": notice["dispute_id"],
    }


async def test_a_report_opens_a_case_and_later_ones_tell_it_what_changed(
    engine: Engine, tmp_path: Path
) -> None:
    notice = await engine.notice()
    now = datetime.now(UTC)
    first = {
        **_adyen(notice),
        "Record Date": (now - timedelta(hours=3)).isoformat(),
        "Dispute Date": (now - timedelta(hours=3)).isoformat(),
        "Dispute End Date": (now + timedelta(days=20)).isoformat(),
    }
    won = {
        **first,
        "Record Type": "ChargebackReversed",
        "Record Date": (now - timedelta(hours=1)).isoformat(),
    }
    assert (await _take(engine, tmp_path, first)).accepted == 1
    case_id = f"adyen-{notice['dispute_id']}"
    case = engine.handle(case_id)
    await engine.settled(case, 1)
    assert (await _take(engine, tmp_path, first, first)).duplicates == 2
    again = await _take(engine, tmp_path, first, won, won)
    assert (again.accepted, again.duplicates) == (1, 2)
    await engine.until(case, lambda it: it.status == "won")
    # Yesterday's file once more: nothing turns back.
    assert (await _take(engine, tmp_path, first, won)).duplicates == 2
    told = [entry.what for entry in await desk_of(engine).timeline(case_id)]
    assert told.count("opened") == told.count("ruled") == 1


async def test_a_dispute_first_seen_as_a_second_chargeback_is_lost_in_its_second_cycle(
    engine: Engine, tmp_path: Path
) -> None:
    notice = await engine.notice()
    now = datetime.now(UTC)
    row = {
        **_adyen(notice),
        "Record Type": "SecondChargeback",
        "Record Date": (now - timedelta(hours=1)).isoformat(),
        "Dispute Date": (now - timedelta(days=40)).isoformat(),
        "Dispute End Date": "",
    }
    earlier = {
        **row,
        "Record Type": "Chargeback",
        "Record Date": (now - timedelta(days=40)).isoformat(),
    }
    taken = await _take(engine, tmp_path, row, earlier)
    assert (taken.accepted, taken.duplicates, taken.rejected) == (1, 1, 0)
    case = engine.handle(f"adyen-{notice['dispute_id']}")
    status = await engine.until(case, lambda it: it.status == "lost")
    assert (status.cycle, status.written_off) == (2, "92.00")


async def test_what_an_intake_left_behind_is_delivered_by_the_next(
    engine: Engine, tmp_path: Path
) -> None:
    """Killed between keeping a change and delivering it."""
    notice = await engine.notice()
    row = _adyen(notice)
    report = _report("adyen", **row)
    lines = lines_of(report, None, 0, NOW)
    book = IntakeBook(engine.store)
    state = report.state.json_text
    assert book.reports.change("adyen", report.dispute_id, state, lines, 0)
    assert not book.reports.change("adyen", report.dispute_id, state, lines, 0)
    assert (await _take(engine, tmp_path, row)).accepted == 1
    await engine.until(engine.handle(report.dispute_id), lambda it: it.disputed == "92.00")
    last = book.reports.last("adyen", report.dispute_id)
    assert last is not None
    assert last.pending_json is None
