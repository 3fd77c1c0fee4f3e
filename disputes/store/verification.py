"""Whether the books add up: with themselves, with the operations, and with every case."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_
from sqlalchemy import select as select_values
from sqlmodel import Session, col, select

from disputes.differences import compare_again
from disputes.fields import Durable
from disputes.ledger import (
    IN_HAND,
    INCOME_AND_EXPENSE,
    Account,
    Levels,
    Posting,
    fact_postings,
    levels,
)
from disputes.store.lapses import LAPSE, held_minor, lapsed_roots
from disputes.store.postings import FACT, entry_of, root_of, signed_moves
from disputes.store.projection import load_case, posted_levels
from disputes.store.records import ADOPTED, postings_of
from disputes.store.tables import CaseRow, LedgerRow, OperationRow, PaymentRow
from disputes.vocabulary import OperationState

#: Signed minor units by currency and account.
Balances = Mapping[tuple[str, str], int]


class BookDifference(Durable):
    """One way in which the books do not add up, with the command that would resolve it."""

    text: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Amiss:
    """A source whose postings are not what its operation or its facts call for.

    Attributes:
        text: a sentence for a person.
        source: under which a correction stands.
        merchant_id, root_id, entry_id, dispute_id: where it stands.
        missing: what would have to be posted.
        case_id: the case whose facts it is about.
    """

    text: str
    source: str
    merchant_id: str
    root_id: str
    entry_id: str
    dispute_id: str | None
    missing: Balances
    case_id: str | None = None


def differences(session: Session) -> list[BookDifference]:
    """Everything in which the books do not add up; empty when they do.

    Each book balances and explains itself (in hand + at risk = income less expense); every
    settled operation is posted with what it moved, every posting has its operation or case, and
    the facts of every case stand on the books as its events fold.
    """
    found = [
        BookDifference(text=it.text, what_to_do=compare_again(it.root_id)) for it in amiss(session)
    ]
    first = found[0].what_to_do if found else "disputes ledger verify --gateway"
    return [*(BookDifference(text=text, what_to_do=first) for text in _books(session)), *found]


def amiss(session: Session, root_id: str | None = None) -> list[Amiss]:
    """Every source that is amiss, of one payment (by its root) or of all."""
    scope = None if root_id is None else entries_of(session, root_id)
    posted = _posted(session, scope)
    rows = select(OperationRow).order_by(OperationRow.key)
    operations = session.exec(rows if scope is None else rows.where(_on(scope))).all()
    named = {name for row in operations for name in _names(row)}
    return [
        *_operations(session, operations, posted),
        *_cases(session, posted, scope),
        *_lapses(session, root_id),
        *_orphans(session, {key: posted[key] for key in sorted(posted.keys() - named)}),
    ]


def entries_of(session: Session, root_id: str) -> set[str]:
    """A payment's root and all that was presented under it."""
    under = select(PaymentRow.payment_id).where(PaymentRow.root_id == root_id)
    return {root_id, *session.exec(under)}


def _posted(session: Session, scope: Collection[str] | None) -> dict[str, Balances]:
    """What every source has on the books."""
    moves = signed_moves()
    query = select_values(
        moves.c.source, moves.c.currency, moves.c.account, func.sum(moves.c.minor)
    ).group_by(moves.c.source, moves.c.currency, moves.c.account)
    if scope is not None:
        query = query.where(moves.c.source.in_(_sources(session, scope)))
    found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for source, currency, account, minor in session.connection().execute(query):
        if minor:
            found[source][currency, account] = int(minor)
    return dict(found)


def _sources(session: Session, scope: Collection[str]) -> set[str]:
    """All that may have posted on a payment: by where it stands, and by what should stand."""
    cases = select(CaseRow.case_id).where(col(CaseRow.payment_id).in_(scope))
    standing = select(LedgerRow.source).where(
        or_(
            col(LedgerRow.root_id).in_(scope),
            col(LedgerRow.entry_id).in_(scope),
            col(LedgerRow.dispute_id).in_(cases),
        )
    )
    rows = session.exec(select(OperationRow).where(_on(scope)))
    return {*session.exec(standing), *(source for row in rows for source in _names(row))}


def _on(scope: Collection[str]) -> ColumnElement[bool]:
    return or_(col(OperationRow.payment_id).in_(scope), col(OperationRow.gateway_id).in_(scope))


def _names(row: OperationRow) -> set[str]:
    """Under which an operation may have posted: as our own, and as adopted before that."""
    return {row.key, f"{ADOPTED}{row.gateway_id}"}


def _books(session: Session) -> list[str]:
    moves = signed_moves()
    query = select_values(
        moves.c.merchant_id, moves.c.currency, moves.c.account, func.sum(moves.c.minor)
    ).group_by(moves.c.merchant_id, moves.c.currency, moves.c.account)
    books: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
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


def _operations(
    session: Session, operations: Iterable[OperationRow], posted: Mapping[str, Balances]
) -> list[Amiss]:
    found = []
    for row in operations:
        due = postings_of(session, row) if row.state == OperationState.SETTLED else ()
        missing = _less(_net(due), *(posted.get(source, {}) for source in _names(row)))
        if missing:
            payment = session.get(PaymentRow, row.payment_id)
            root = root_of(row, payment.root_id if payment else row.payment_id)
            text = f"operation {row.key} is {row.state}, but other money is posted for it"
            entry = entry_of(session, row)
            place = (row.merchant_id, root, entry, row.dispute_id)
            found.append(Amiss(text, row.key, *place, missing))
    return found


def _cases(
    session: Session, posted: Mapping[str, Balances], scope: Collection[str] | None
) -> list[Amiss]:
    by_case: dict[str, list[Balances]] = defaultdict(list)
    for source, balances in posted.items():
        if source.startswith(FACT):
            by_case[_case_of(source)].append(balances)
    rows = select(CaseRow).order_by(CaseRow.case_id)
    if scope is not None:
        rows = rows.where(col(CaseRow.payment_id).in_(scope))
    found = []
    for row in session.exec(rows).all():
        case = load_case(session, row.case_id)
        due = _net(fact_postings(Levels(), levels(case)))
        missing = _less(due, *by_case[row.case_id])
        # The row says what the next fact's postings start from.
        started = _net(fact_postings(Levels(), posted_levels(row)))
        if (missing or started != due) and case.notice:
            entry = case.notice.payment_id
            payment = session.get(PaymentRow, entry)
            place = (payment.root_id if payment else entry, entry, row.case_id)
            source = f"{FACT}{row.case_id}/{case.events[-1].event_id}"
            text = f"the books of case {row.case_id} are not what its events fold to"
            merchant = case.notice.merchant_id
            found.append(Amiss(text, source, merchant, *place, missing, row.case_id))
    return found


def _lapses(session: Session, root_id: str | None) -> list[Amiss]:
    """An authorization that lapsed holds nothing."""
    found = []
    for row in lapsed_roots(session, root_id):
        held = held_minor(session, row.payment_id)
        if held and row.currency:
            text = f"authorization {row.payment_id} has lapsed, but the books hold some of it"
            missing = {
                (row.currency, Account.MEMO_AUTH.value): -held,
                (row.currency, Account.MEMO_AUTH_CONTRA.value): held,
            }
            place = (row.merchant_id, row.payment_id, row.payment_id, None)
            found.append(Amiss(text, f"{LAPSE}{row.payment_id}", *place, missing))
    return found


def _orphans(session: Session, unnamed: Mapping[str, Balances]) -> list[Amiss]:
    """Of postings without an operation in sight, those that no case and no operation explains."""
    found = []
    for source, balances in unnamed.items():
        row = session.exec(select(LedgerRow).where(LedgerRow.source == source)).first()
        if row is not None and not _is_known(session, source):
            text = f"postings of {source} have no case or operation"
            place = (row.merchant_id, row.root_id, row.entry_id, row.dispute_id)
            found.append(Amiss(text, source, *place, _less({}, balances)))
    return found


def _is_known(session: Session, source: str) -> bool:
    if source.startswith(FACT):
        return session.get(CaseRow, _case_of(source)) is not None
    if source.startswith(LAPSE):
        payment = session.get(PaymentRow, source.removeprefix(LAPSE))
        return payment is not None and payment.lapsed_at is not None
    entry = col(OperationRow.gateway_id) == source.removeprefix(ADOPTED)
    named = or_(col(OperationRow.key) == source, entry)
    return session.exec(select(OperationRow.key).where(named)).first() is not None


def _case_of(source: str) -> str:
    return source.removeprefix(FACT).partition("/")[0]


def _net(postings: Iterable[Posting]) -> Balances:
    total: dict[tuple[str, str], int] = defaultdict(int)
    for posting in postings:
        total[posting.currency, posting.debit.value] += posting.amount_minor
        total[posting.currency, posting.credit.value] -= posting.amount_minor
    return total


def _less(due: Balances, *posted: Balances) -> Balances:
    """What of ``due`` is not posted yet; what is too much has the opposite sign."""
    rest: dict[tuple[str, str], int] = defaultdict(int, due)
    for balances in posted:
        for place, minor in balances.items():
            rest[place] -= minor
    return {place: minor for place, minor in rest.items() if minor}
