"""The demo for people: what is going on while it runs, and what came of it."""

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from disputes.status import CaseStatus, TimelineEntry
from starter.demo_report import DemoReport, LedgerCheck
from starter.demo_script import Script
from starter.render import console, plain, say, table
from starter.render_case import timeline_table


class Stage:
    """Shows on stderr how far the play is; use it as a context."""

    def __init__(self, script: Script) -> None:
        acts = sum(map(len, script.acts.values())) + len(script.unreadable)
        self._progress = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[latest]}", markup=True),
            console=Console(stderr=True),
        )
        self._acts = self._progress.add_task("lines and commands", total=acts, latest="")
        self._cases = self._progress.add_task("cases closed", total=len(script.acts), latest="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.update(self._acts, latest="")
        self._progress.update(self._cases, latest="")
        self._progress.stop()

    def told(self, case_id: str, what: str) -> None:
        """A line or command reached a case."""
        latest = f"{case_id} {what.replace('_', ' ')}"
        self._progress.update(self._acts, advance=1, latest=latest)

    def closed(self, case_id: str) -> None:
        """A case has ended."""
        self._progress.update(self._cases, advance=1, latest=f"{case_id} closed")


def show(report: DemoReport) -> None:
    """Print everything that the demo showed; problems last, where they are seen."""
    out = console()
    for part in _tables(report):
        out.print(part)
        out.line()
    for line in _checks(report):
        out.print(line)
    say(
        f"{report.cases} cases lived {report.case_days:,} days of their own time"
        f" in {report.seconds:g} s"
    )


def _tables(report: DemoReport) -> Iterator[RenderableType]:
    yield _rejected(report)
    yield _outcomes(report)
    yield _books(report.ledger)
    yield from _lists(report.ledger)
    if report.example:
        yield _example(report.example, report.timeline)


def _rejected(report: DemoReport) -> RenderableType:
    rows = (
        (line.line_number, name, reason)
        for line in report.rejected_lines
        for name, reason in line.reasons.items()
    )
    return table("Rejected lines of the feed", (">line", "field", "reason"), rows)


def _outcomes(report: DemoReport) -> RenderableType:
    currencies = sorted(report.ledger.gateway)
    rows = (
        (
            line.outcome.replace("_", " "),
            line.cases,
            *(_grouped(line.amounts.get(currency)) for currency in currencies),
        )
        for line in report.outcomes
    )
    columns = ("", ">cases", *(f">{currency}" for currency in currencies))
    return table("Outcomes, and what was disputed", columns, rows)


def _books(ledger: LedgerCheck) -> RenderableType:
    currencies = sorted(ledger.gateway)
    lines = ledger.books | {
        "acquirer account": ledger.acquirer,
        "the gateway's own book": ledger.gateway,
    }
    rows = (
        (name, *(_grouped(amounts.get(currency)) for currency in currencies))
        for name, amounts in lines.items()
    )
    return table("The books", ("", *(f">{currency}" for currency in currencies)), rows)


def _grouped(amount: str | None) -> str:
    """An amount with its thousands apart; nothing for none."""
    if amount is None or not amount.strip("-0."):
        return ""
    whole, point, fraction = amount.partition(".")
    return f"{int(whole):,}{point}{fraction}"


def _lists(ledger: LedgerCheck) -> Iterator[RenderableType]:
    if ledger.not_settled:
        rows: Iterable[tuple[str | None, ...]] = (
            (note.key, note.state.value, note.reason) for note in ledger.not_settled
        )
        yield table("Operations that are not settled", ("key", "state", "reason"), rows)
    if ledger.unmirrored:
        rows = (
            (note.dispute_id, note.payment_id, f"{note.amount} {note.currency}")
            for note in ledger.unmirrored
        )
        yield table("Unmirrored at the gateway", ("dispute", "payment", ">amount"), rows)


def _example(case: CaseStatus, timeline: Sequence[TimelineEntry]) -> RenderableType:
    title = (
        f"One case: {case.dispute_id}, {case.network} {case.reason_code},"
        f" {case.disputed} {case.currency}, {case.status} ({case.finality})"
    )
    return timeline_table(timeline, title)


def _checks(report: DemoReport) -> Iterator[Text]:
    for problem in report.problems:
        yield Text(f"✗ {plain(problem)}", style="bold red")
    if report.problems:
        return
    ledger = report.ledger
    ended = ", ".join(f"{count} {state}" for state, count in sorted(ledger.operations.items()))
    rejected = len(report.rejected_lines)
    taken = f"{report.accepted} lines taken, {report.duplicates} repeats, {rejected} rejected"
    for line in (
        f"intake: {taken}; {report.commands} commands carried out",
        f"cases: all {report.cases} closed and final, nothing left at risk",
        f"operations: {ended}, none in doubt",
        "ledger: balanced; operations, postings and cases agree",
        "acquirer: equal to the gateway's own book, payment by payment, to the cent",
    ):
        yield Text(f"✓ {line}", style="green")
