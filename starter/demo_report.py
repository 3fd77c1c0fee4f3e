"""Whether a played script adds up: by the feed, by the books, and by the gateway's own book."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from pydantic import BaseModel

from disputes.ledger import Account
from disputes.money import to_decimal, to_minor
from disputes.status import CaseStatus, TimelineEntry
from disputes.store.engine import Store
from disputes.store.ledger import LedgerBook, Unmirrored
from disputes.store.listing import CaseFilter
from disputes.store.reads import OperationLine, Reads
from disputes.vocabulary import Finality, OperationState, Status
from starter.demo_player import Played
from starter.demo_script import Script
from starter.intake import Outcome
from starter.progress import RejectedLine

#: Decimal strings by currency.
Amounts = dict[str, str]
#: Signed minor units by payment root and currency.
Position = Mapping[tuple[str, str], int]
_REBILLED = "of them rebilled"
_BOOKS = {
    "sold": (Account.SALES, -1),
    "written off": (Account.DISPUTE_LOSS, 1),
    "recovered by rebills": (Account.RECOVERED, -1),
    "fees": (Account.FEES, 1),
    "still at risk": (Account.DISPUTED, 1),
    "owed back to shoppers": (Account.GIVEBACK_DUE, -1),
}
#: A refusal of the gateway leaves the fact unmirrored: it is told, and adds up.
_ENDED = frozenset({OperationState.SETTLED, OperationState.REFUSED})


class OutcomeLine(BaseModel):
    """Cases of one outcome, and what was disputed (or rebilled) in them."""

    outcome: str
    cases: int
    amounts: Amounts


class OperationNote(BaseModel):
    """An operation that is not settled, and why."""

    key: str
    state: OperationState
    reason: str | None


class UnmirroredNote(BaseModel):
    """Money that the bank moved and the gateway does not show."""

    dispute_id: str | None
    payment_id: str
    amount: str
    currency: str


class LedgerCheck(BaseModel):
    """The books, and how they compare with the gateway's own.

    ``books``: balance by name, then by currency; ``acquirer`` and ``gateway``: the same position
    from either side.
    """

    balanced: bool
    books: dict[str, Amounts]
    acquirer: Amounts
    gateway: Amounts
    operations: dict[str, int]
    not_settled: list[OperationNote]
    unmirrored: list[UnmirroredNote]


class DemoReport(BaseModel):
    """What a demo showed; ``problems`` is empty when everything adds up, ``example`` is one case.

    ``seconds``: wall time of the play; ``case_days``: what passed on the clocks of all cases.
    """

    seconds: float
    cases: int
    case_days: int
    accepted: int
    duplicates: int
    rejected_lines: list[RejectedLine]
    commands: int
    outcomes: list[OutcomeLine]
    ledger: LedgerCheck
    example: CaseStatus | None
    timeline: list[TimelineEntry]
    problems: list[str]


def report_of(
    script: Script, played: Played, store: Store, gateway: Position, seconds: float
) -> DemoReport:
    """Read the books and compare.

    Args:
        script: what was played.
        played: what came of it.
        store: the engine's database.
        gateway: the gateway's own position.
        seconds: wall time of the play.
    """
    reads, book = Reads(store), LedgerBook(store)
    cases = reads.cases(CaseFilter(limit=len(script.acts) + 1))
    operations = reads.operations()
    acquirer = book.positions(Account.ACQUIRER)
    differences = book.verify()
    example = max(cases, key=_eventful, default=None)
    return DemoReport(
        seconds=round(seconds, 1),
        cases=len(cases),
        case_days=_lived(reads, cases).days,
        accepted=played.outcomes[Outcome.ACCEPTED],
        duplicates=played.outcomes[Outcome.DUPLICATE],
        rejected_lines=sorted(played.rejected, key=lambda line: line.line_number),
        commands=played.commands,
        outcomes=list(_outcomes(cases)),
        ledger=LedgerCheck(
            balanced=not differences,
            books={
                name: _by_currency(book.positions(account), sign)
                for name, (account, sign) in _BOOKS.items()
            },
            acquirer=_by_currency(acquirer),
            gateway=_by_currency(gateway),
            operations=Counter(operation.state.value for operation in operations),
            not_settled=[_note(op) for op in operations if op.state is not OperationState.SETTLED],
            unmirrored=[_unmirrored(line) for line in book.unmirrored()],
        ),
        example=example,
        timeline=list(reads.timeline(example.dispute_id)) if example else [],
        problems=[
            *played.problems,
            *_intake_problems(script, played),
            *_case_problems(script, cases),
            *differences,
            *(f"operation {op.key} is {op.state}" for op in operations if op.state not in _ENDED),
            *_position_problems(acquirer, gateway),
        ],
    )


def _eventful(case: CaseStatus) -> tuple[int, int]:
    return len({operation.purpose for operation in case.operations}), case.sequence


def _lived(reads: Reads, cases: Iterable[CaseStatus]) -> timedelta:
    histories = (reads.events(case.dispute_id) for case in cases)
    return sum(
        (events[-1].recorded_at - events[0].recorded_at for events in histories), timedelta()
    )


def _outcomes(cases: Sequence[CaseStatus]) -> Iterator[OutcomeLine]:
    for status in Status:
        of_it = [case for case in cases if case.status == status]
        if of_it:
            amounts = _sums((case.currency, case.disputed) for case in of_it)
            yield OutcomeLine(outcome=status.value, cases=len(of_it), amounts=amounts)
    rebilled = [case for case in cases if case.currency and to_minor(case.rebilled, case.currency)]
    amounts = _sums((case.currency, case.rebilled) for case in rebilled)
    yield OutcomeLine(outcome=_REBILLED, cases=len(rebilled), amounts=amounts)


def _sums(amounts: Iterable[tuple[str, str]]) -> Amounts:
    total = Counter[str]()
    for currency, amount in amounts:
        if currency:
            total[currency] += to_minor(amount, currency)
    return {currency: to_decimal(minor, currency) for currency, minor in sorted(total.items())}


def _by_currency(position: Position, sign: int = 1) -> Amounts:
    total: dict[str, int] = defaultdict(int)
    for (_, currency), minor in position.items():
        total[currency] += sign * minor
    return {currency: to_decimal(minor, currency) for currency, minor in sorted(total.items())}


def _note(operation: OperationLine) -> OperationNote:
    reason = operation.reason or operation.result_code
    return OperationNote(key=operation.key, state=operation.state, reason=reason)


def _unmirrored(line: Unmirrored) -> UnmirroredNote:
    return UnmirroredNote(
        dispute_id=line.dispute_id,
        payment_id=line.payment_id,
        amount=to_decimal(line.amount_minor, line.currency),
        currency=line.currency,
    )


def _intake_problems(script: Script, played: Played) -> Iterator[str]:
    """Each event of the feed is taken once, and no line refused but those that nobody could."""
    unreadable = {line.number for line in script.unreadable}
    rejected = {line.line_number for line in played.rejected}
    for number in sorted(unreadable ^ rejected):
        fault = "was rejected" if number in rejected else "should have been rejected"
        yield f"line {number} of the feed {fault}"
    if played.outcomes.total() != script.lines:
        yield f"{played.outcomes.total()} of {script.lines} lines of the feed were taken"
    if played.outcomes[Outcome.ACCEPTED] != script.events:
        accepted = played.outcomes[Outcome.ACCEPTED]
        yield f"the feed tells {script.events} events, and intake accepted {accepted}"


def _case_problems(script: Script, cases: Sequence[CaseStatus]) -> Iterator[str]:
    known = {case.dispute_id: case for case in cases}
    for case_id in sorted(script.acts.keys() ^ known.keys()):
        fault = "comes from nowhere" if case_id in known else "was never opened"
        yield f"case {case_id} {fault}"
    for case in cases:
        if case.finality != Finality.FINAL:
            yield f"case {case.dispute_id} is {case.status} ({case.finality}), not final"
        elif case.at_risk.strip("0."):
            yield f"case {case.dispute_id} is final, and money is still at risk"


def _position_problems(ours: Position, gateway: Position) -> Iterator[str]:
    for root, currency in sorted(ours.keys() | gateway.keys()):
        mine, theirs = ours.get((root, currency), 0), gateway.get((root, currency), 0)
        if mine != theirs:
            amounts = f"{to_decimal(mine, currency)}, not {to_decimal(theirs, currency)} {currency}"
            yield f"payment {root}: our acquirer account shows {amounts} as the gateway's book"
