"""The ledger as people read it: a statement, the balances, and what differs from the gateway."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Group, RenderableType

from disputes.ledger import IN_HAND, INCOME_AND_EXPENSE, Account
from disputes.money import Money, to_decimal
from disputes.reconciliation import Difference, ReconciliationReport
from disputes.store.ledger import AccountBalance, LedgerLine, Unmirrored
from disputes.store.verification import BookDifference
from starter.render import amount, say, table, when

#: What the ledger notes in the gateway's words, in a statement's.
_WORDS = {
    "PA": "authorization",
    "CP": "capture",
    "DB": "sale",
    "RV": "reversal",
    "RF": "refund",
    "CD": "credit",
    "RB": "rebill",
    "CB": "chargeback booked",
    "CR": "reversal booked",
    "book": "chargeback booked",
    "reinstate": "reinstatement booked",
    "undo": "reinstatement undone",
    "give back": "rebill given back",
    "give back credit": "rebill given back",
}


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A posting and what was in hand and at risk after it; minor units of its currency."""

    line: LedgerLine
    in_hand: int
    at_risk: int


def running(lines: Iterable[LedgerLine]) -> Iterator[StatementLine]:
    """Postings in their order, each with the positions of its currency after it."""
    in_hand, at_risk = Counter[str](), Counter[str]()
    for line in lines:
        in_hand[line.currency] += _moved(line, IN_HAND)
        at_risk[line.currency] += _moved(line, (Account.DISPUTED,))
        yield StatementLine(line, in_hand[line.currency], at_risk[line.currency])


def _moved(line: LedgerLine, accounts: Sequence[Account]) -> int:
    return line.amount_minor * ((line.debit in accounts) - (line.credit in accounts))


def statement(payment_id: str, lines: Sequence[LedgerLine]) -> RenderableType:
    """A payment's statement, one for each currency, and the totals of its accounts."""
    parts: list[RenderableType] = []
    ordered = sorted(running(lines), key=lambda it: it.line.currency)
    for currency, group in groupby(ordered, key=lambda it: it.line.currency):
        shown = list(group)
        title = f"Statement of payment {payment_id} in {currency}"
        parts += [_statement(title, currency, shown), _totals(currency, shown)]
    return Group(*parts)


def _statement(title: str, currency: str, shown: Sequence[StatementLine]) -> RenderableType:
    nothing = to_decimal(0, currency)
    opening = ("", "", "opening", "", "", "", "", nothing, nothing)
    rows = (
        (
            item.line.id,
            when(item.line.moment),
            _WORDS.get(item.line.text, item.line.text),
            item.line.dispute_id,
            item.line.debit.value,
            item.line.credit.value,
            to_decimal(item.line.amount_minor, currency),
            to_decimal(item.in_hand, currency),
            to_decimal(item.at_risk, currency),
        )
        for item in shown
    )
    columns = (">#", "when", "text", "dispute", "debit", "credit", ">amount", ">in hand")
    stands = (to_decimal(minor, currency) for minor in (shown[-1].in_hand, shown[-1].at_risk))
    closing = ("", "", "closing", "", "", "", "", *stands)
    return table(title, (*columns, ">at risk"), (opening, *rows, closing))


def _totals(currency: str, shown: Sequence[StatementLine]) -> RenderableType:
    debits, credits_ = Counter[Account](), Counter[Account]()
    for item in shown:
        debits[item.line.debit] += item.line.amount_minor
        credits_[item.line.credit] += item.line.amount_minor
    rows = (
        (
            account.value,
            *(to_decimal(minor, currency) for minor in _sides(debits, credits_, account)),
        )
        for account in Account
        if debits[account] or credits_[account]
    )
    return table("Accounts", ("account", ">debit", ">credit", ">balance"), rows)


def _sides(
    debits: Counter[Account], credits_: Counter[Account], account: Account
) -> tuple[int, int, int]:
    return debits[account], credits_[account], debits[account] - credits_[account]


def trial_balance(balances: Sequence[AccountBalance]) -> RenderableType:
    """Every account of every book, and the identity that must hold in each."""
    rows: list[tuple[object, ...]] = []
    for (merchant, currency), group in groupby(balances, lambda it: (it.merchant_id, it.currency)):
        book = {item.account: item.amount_minor for item in group}
        rows += [
            (merchant, currency, account.value, to_decimal(minor, currency))
            for account, minor in book.items()
        ]
        sums = {
            "in hand": sum(book.get(account, 0) for account in IN_HAND),
            "at risk": book.get(Account.DISPUTED, 0),
            "income less expense": -sum(book.get(account, 0) for account in INCOME_AND_EXPENSE),
        }
        rows += [("", "", name, to_decimal(minor, currency)) for name, minor in sums.items()]
    return table("Balances", ("merchant", "currency", "account", ">balance"), rows)


def unmirrored(lines: Iterable[Unmirrored]) -> RenderableType:
    """What the bank moved and the gateway does not show."""
    rows = (
        (line.dispute_id, line.payment_id, amount(line.amount_minor, line.currency))
        for line in lines
    )
    columns = ("dispute", "payment", ">amount")
    return table("Moved by the bank, not shown by the gateway", columns, rows)


def say_report(report: ReconciliationReport) -> None:
    """Print what a comparison found, every difference with its command on a line of its own."""
    done = f"compared {report.compared} payments ({report.entries} entries of the gateway)"
    corrected = f", corrected {report.corrected}" if report.corrected else ""
    say(f"{done}, adopted {report.adopted}{corrected}, flagged {report.flagged}")
    for difference in report.differences:
        say(_described(difference))
        say(f"    {difference.what_to_do}")
    unlisted = report.flagged - len(report.differences)
    if unlisted:
        say(f"and {unlisted} more: resolve these, then compare again")


def say_differences(found: Iterable[BookDifference]) -> None:
    """Print in what the books do not add up, every difference with its command."""
    for difference in found:
        say(difference.text)
        say(f"    {difference.what_to_do}")


def _described(difference: Difference) -> str:
    parts = (
        f"{difference.type}: {difference.text}",
        _labelled("payment", difference.payment_id),
        _labelled("dispute", difference.dispute_id),
        _labelled("operation", difference.operation_key),
        _labelled("entry", difference.gateway_id),
        _labelled("ours", _text(difference.ours)),
        _labelled("theirs", _text(difference.theirs)),
    )
    return "; ".join(part for part in parts if part)


def _labelled(name: str, value: str | None) -> str:
    return f"{name} {value}" if value else ""


def _text(money: Money | None) -> str | None:
    return f"{money.amount} {money.currency}" if money else None
