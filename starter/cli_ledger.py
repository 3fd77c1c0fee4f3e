"""Commands on the books: whether they add up, a payment's statement, the gateway's side."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from disputes.errors import NotFound, Refusal
from disputes.money import to_decimal
from disputes.reconciliation import FIRST, LAST, ReconciliationReport, ReconciliationWindow
from disputes.settings import Settings
from disputes.store.ledger import AccountBalance, LedgerBook, Unmirrored
from starter.cli_office import AsJson, database, environment, message, own_id, print_json
from starter.reconciler import Reconciler
from starter.render import console, say
from starter.render_ledger import (
    StatementLine,
    running,
    say_differences,
    say_report,
    statement,
    trial_balance,
    unmirrored,
)
from workflows.connection import connect

_DAY = timedelta(days=1)
_Limit = Annotated[int | None, typer.Option(min=1, help="Compare so many payments at most.")]
_After = Annotated[str | None, typer.Option(help="Go on after this payment.")]
_ledger = typer.Typer(help="The ledger.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_ledger, name="ledger")
    app.command("reconcile")(reconcile)


@_ledger.command("verify")
def verify(
    *,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="Compare with the gateway too; changes nothing.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(help="Only payments with operations since then (UTC).")
    ] = None,
    limit: _Limit = None,
    after: _After = None,
    as_json: AsJson = False,
) -> None:
    """Check that the books add up; exit code 1 if they do not."""
    if not gateway and (since or limit or after):
        raise typer.BadParameter("--since, --limit and --after need --gateway")
    store = database()
    book = LedgerBook(store)
    differences, open_lines, balances = book.differences(), book.unmirrored(), book.balances()
    store.close()
    report = None
    if gateway:
        from_ = since.replace(tzinfo=UTC) if since else FIRST
        report = _compare(_window(from_, LAST, adopt=False, limit=limit, after=after))
    if as_json:
        found: dict[str, object] = {
            "balanced": not differences,
            "differences": [difference.model_dump(mode="json") for difference in differences],
            "balances": [_with_amount(line) for line in balances],
            "unmirrored": [_with_amount(line) for line in open_lines],
        }
        print_json(found | ({"gateway": report.model_dump(mode="json")} if report else {}))
    else:
        if balances:
            console().print(trial_balance(balances))
        if open_lines:
            console().print(unmirrored(open_lines))
        say_differences(differences)
        if not differences:
            say("balanced")
        if report:
            say_report(report)
            _say_where_to_go_on(report, since)
        else:
            say("the gateway was not asked: disputes ledger verify --gateway")
    if differences:
        raise Refusal(f"the books do not add up in {len(differences)} places")
    _refuse_differences(report)


@_ledger.command("show")
def show(payment_id: str, *, as_json: AsJson = False) -> None:
    """Show a payment's statement: every posting with what was in hand and at risk after it."""
    store = database()
    lines = LedgerBook(store).show(payment_id)
    store.close()
    if not lines:
        raise NotFound("the ledger has nothing on this payment")
    if as_json:
        print_json([_line(item) for item in running(lines)])
    else:
        console().print(statement(payment_id, lines))


def reconcile(
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="A day (UTC); default: yesterday."),
    ] = None,
    since: Annotated[datetime | None, typer.Option("--from", help="First moment (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Moment after the last.")] = None,
    payment_id: Annotated[str | None, typer.Option("--payment", help="One payment alone.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare with the gateway and take over what it shows; exit code 1 if differences stay."""
    ways = [day is not None, payment_id is not None, since is not None or until is not None]
    if sum(ways) > 1 or (since is None) != (until is None):
        raise typer.BadParameter("give --date, or --from and --to, or --payment")
    if payment_id is not None:
        report = _compare(_window(FIRST, LAST, payment_id=payment_id))
        if not report.compared:
            raise NotFound("the books have nothing on this payment")
    elif since and until:
        report = _compare(_window(since.replace(tzinfo=UTC), until.replace(tzinfo=UTC)))
    else:
        asked = day.date() if day else datetime.now(UTC).date() - _DAY
        report = _compare(_day(asked), asked.isoformat())
    if as_json:
        print_json(report)
    else:
        say_report(report)
    _refuse_differences(report)


def _day(asked: date) -> ReconciliationWindow:
    start = datetime(asked.year, asked.month, asked.day, tzinfo=UTC)
    return _window(start, start + _DAY)


def _window(since: datetime, until: datetime, **more: object) -> ReconciliationWindow:
    moments = {"from": since.isoformat(), "to": until.isoformat()}
    return message(ReconciliationWindow, **moments, **more)


def _compare(window: ReconciliationWindow, name: str | None = None) -> ReconciliationReport:
    content = window.model_dump(mode="json", exclude_none=True)

    async def run() -> ReconciliationReport:
        env = environment()
        settings = Settings.from_env(env)
        reconciler = Reconciler(await connect(env), settings.task_queue)
        return await reconciler.run(name or own_id("window", content), window)

    return asyncio.run(run())


def _say_where_to_go_on(report: ReconciliationReport, since: datetime | None) -> None:
    if report.next_after:
        again = f" --since {since:%Y-%m-%dT%H:%M:%S}" if since else ""
        again += f" --limit {report.window.limit} --after {report.next_after}"
        say(f"more payments follow: disputes ledger verify --gateway{again}")


def _refuse_differences(report: ReconciliationReport | None) -> None:
    if report and report.flagged:
        raise Refusal(f"the books and the gateway differ in {report.flagged} places")


def _line(item: StatementLine) -> dict[str, object]:
    line = item.line
    shown: dict[str, object] = line.model_dump(mode="json", exclude={"amount_minor"})
    return shown | {
        "amount": to_decimal(line.amount_minor, line.currency),
        "in_hand": to_decimal(item.in_hand, line.currency),
        "at_risk": to_decimal(item.at_risk, line.currency),
    }


def _with_amount(line: AccountBalance | Unmirrored) -> dict[str, object]:
    shown: dict[str, object] = line.model_dump(mode="json", exclude={"amount_minor"})
    return shown | {"amount": to_decimal(line.amount_minor, line.currency)}
