"""Whether the books add up: with themselves, with the operations, and with every case."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import func
from sqlalchemy import select as select_values
from sqlmodel import Session, select

from disputes.ledger import (
    IN_HAND,
    INCOME_AND_EXPENSE,
    Account,
    Levels,
    Posting,
    fact_postings,
    levels,
)
from disputes.store.postings import FACT, signed_moves
from disputes.store.projection import load_case
from disputes.store.records import ADOPTED, postings_of
from disputes.store.tables import CaseEventRow, CaseRow, OperationRow
from disputes.vocabulary import OperationState

#: Signed minor units by account.
Balances = dict[str, int]


def differences(session: Session) -> list[str]:
    """Everything in which the books do not add up, a sentence each; empty when they do.

    Each book balances and explains itself (in hand + at risk = income less expense); every
    settled operation is posted with what it moved, every posting has its fact or operation,
    and the facts of every case stand on the books as its events fold.
    """
    by_source = _by_source(session)
    return [
        *_books(session),
        *_operations(session, by_source),
        *_orphans(session, by_source),
        *_cases(session, by_source),
    ]


def _by_source(session: Session) -> dict[str, Balances]:
    moves = signed_moves()
    query = select_values(moves.c.source, moves.c.account, func.sum(moves.c.minor)).group_by(
        moves.c.source, moves.c.account
    )
    found: dict[str, Balances] = defaultdict(dict)
    for source, account, minor in session.connection().execute(query):
        found[source][account] = int(minor)
    return found


def _books(session: Session) -> list[str]:
    moves = signed_moves()
    query = select_values(
        moves.c.merchant_id, moves.c.currency, moves.c.account, func.sum(moves.c.minor)
    ).group_by(moves.c.merchant_id, moves.c.currency, moves.c.account)
    books: dict[tuple[str, str], Balances] = defaultdict(dict)
    for merchant, currency, account, minor in session.connection().execute(query):
        books[merchant, currency][account] = int(minor)
    explained = (*IN_HAND, Account.DISPUTED, *INCOME_AND_EXPENSE)
    problems = []
    for (merchant, currency), balances in sorted(books.items()):
        book = f"book {merchant} {currency}"
        if sum(balances.values()):
            problems.append(f"{book} does not balance")
        if sum(balances.get(account, 0) for account in explained):
            problems.append(f"{book}: in hand + at risk is not income less expense")
    return problems


def _operations(session: Session, by_source: Mapping[str, Balances]) -> list[str]:
    problems = []
    for row in session.exec(select(OperationRow).order_by(OperationRow.key)).all():
        sources = {row.key, f"{ADOPTED}{row.gateway_id}"}
        posted = _sum(by_source.get(source, {}) for source in sources)
        due = postings_of(session, row) if row.state == OperationState.SETTLED else ()
        if posted != _net(due):
            problems.append(f"operation {row.key} is {row.state}, but other money is posted for it")
    return problems


def _orphans(session: Session, by_source: Mapping[str, Balances]) -> list[str]:
    known = {
        f"{FACT}{case_id}/{event_id}"
        for case_id, event_id in session.exec(select(CaseEventRow.case_id, CaseEventRow.event_id))
    }
    for key, gateway_id in session.exec(select(OperationRow.key, OperationRow.gateway_id)):
        known |= {key, f"{ADOPTED}{gateway_id}"}
    return [
        f"postings of {source} have no fact or operation"
        for source in sorted(by_source.keys() - known)
    ]


def _cases(session: Session, by_source: Mapping[str, Balances]) -> list[str]:
    posted: dict[str, list[Balances]] = defaultdict(list)
    for source, balances in by_source.items():
        if source.startswith(FACT):
            posted[source.removeprefix(FACT).partition("/")[0]].append(balances)
    problems = []
    for case_id in session.exec(select(CaseRow.case_id).order_by(CaseRow.case_id)).all():
        due = fact_postings(Levels(), levels(load_case(session, case_id)))
        if _sum(posted.get(case_id, [])) != _net(due):
            problems.append(f"the books of case {case_id} are not what its events fold to")
    return problems


def _net(postings: Iterable[Posting]) -> Balances:
    return _sum(
        {posting.debit.value: posting.amount_minor, posting.credit.value: -posting.amount_minor}
        for posting in postings
    )


def _sum(parts: Iterable[Mapping[str, int]]) -> Balances:
    total: Balances = defaultdict(int)
    for part in parts:
        for account, minor in part.items():
            total[account] += minor
    return {account: minor for account, minor in total.items() if minor}
