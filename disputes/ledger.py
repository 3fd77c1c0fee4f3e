"""Double entry: which account each fact and each gateway entry debits and credits.

A posting moves one amount above zero from the credited to the debited account, so every posting
balances by its shape. What the bank does posts twice: the *fact* when it is known, the *mirror*
when the gateway's entry is settled or adopted; what we start posts once, at settle.
"""

from dataclasses import dataclass
from enum import StrEnum

from disputes.case import Case
from disputes.vocabulary import PaymentType, Purpose


class Account(StrEnum):
    """The accounts of one book (merchant, currency); debit +, credit -."""

    ACQUIRER = "acquirer"
    UNMIRRORED = "unmirrored"
    DISPUTED = "disputed"
    FEES_PAYABLE = "fees_payable"
    GIVEBACK_DUE = "giveback_due"
    SALES = "sales"
    RECOVERED = "recovered"
    REFUNDS = "refunds"
    GOODWILL = "goodwill"
    DISPUTE_LOSS = "dispute_loss"
    FEES = "fees"
    FX_DIFFERENCE = "fx_difference"
    MEMO_AUTH = "memo_auth"
    MEMO_AUTH_CONTRA = "memo_auth_contra"


IN_HAND = (Account.ACQUIRER, Account.UNMIRRORED, Account.FEES_PAYABLE, Account.GIVEBACK_DUE)
INCOME_AND_EXPENSE = (
    Account.SALES,
    Account.RECOVERED,
    Account.REFUNDS,
    Account.GOODWILL,
    Account.DISPUTE_LOSS,
    Account.FEES,
    Account.FX_DIFFERENCE,
)


@dataclass(frozen=True, slots=True)
class Posting:
    """``amount_minor`` (> 0) in ``currency`` from ``credit`` to ``debit``; ``text`` for people."""

    debit: Account
    credit: Account
    amount_minor: int
    currency: str
    text: str


@dataclass(frozen=True, slots=True)
class Levels:
    """What the facts of a case hold on the books, as levels; minor units of ``currency``.

    ``fees`` are per currency, expected and charged ones together.
    """

    currency: str = ""
    out_minor: int = 0
    loss_minor: int = 0
    network_refund_minor: int = 0
    fx_minor: int = 0
    give_back_minor: int = 0
    fees: tuple[tuple[str, int], ...] = ()


def levels(case: Case) -> Levels:
    """The levels that a case's facts call for now."""
    fees = dict(case.fees)
    if case.expected_fee_minor:
        fees[case.currency] = fees.get(case.currency, 0) + case.expected_fee_minor
    return Levels(
        currency=case.currency,
        out_minor=case.out_minor,
        loss_minor=case.loss_minor,
        network_refund_minor=case.network_refund_minor,
        fx_minor=case.fx_minor,
        give_back_minor=case.give_back_minor,
        fees=tuple(sorted((currency, fee) for currency, fee in fees.items() if fee)),
    )


def fact_postings(before: Levels, after: Levels) -> tuple[Posting, ...]:
    """The postings that move a case's books from one set of levels to another.

    A loss is undone before a reinstatement posts and recognised after a chargeback posts
    (ledger, table).
    """
    currency = after.currency or before.currency
    loss = after.loss_minor - before.loss_minor
    steps = [
        _move(Account.DISPUTE_LOSS, Account.DISPUTED, min(loss, 0), currency, "loss"),
        _move(
            Account.DISPUTED,
            Account.UNMIRRORED,
            after.out_minor - before.out_minor,
            currency,
            "chargeback",
        ),
        _move(
            Account.FX_DIFFERENCE,
            Account.UNMIRRORED,
            after.fx_minor - before.fx_minor,
            currency,
            "exchange difference",
        ),
        _move(Account.DISPUTE_LOSS, Account.DISPUTED, max(loss, 0), currency, "loss"),
        _move(
            Account.REFUNDS,
            Account.UNMIRRORED,
            after.network_refund_minor - before.network_refund_minor,
            currency,
            "network refund",
        ),
        _move(
            Account.RECOVERED,
            Account.GIVEBACK_DUE,
            after.give_back_minor - before.give_back_minor,
            currency,
            "give-back due",
        ),
    ]
    old, new = dict(before.fees), dict(after.fees)
    steps += [
        _move(Account.FEES, Account.FEES_PAYABLE, new.get(name, 0) - old.get(name, 0), name, "fee")
        for name in sorted(old.keys() | new.keys())
    ]
    return tuple(posting for posting in steps if posting is not None)


_REVERSED = {
    "chargeback": "reinstatement",
    "loss": "loss undone",
    "fee": "fee returned",
    "give-back due": "give-back no longer due",
}


def _move(debit: Account, credit: Account, amount: int, currency: str, text: str) -> Posting | None:
    if amount == 0:
        return None
    if amount < 0:
        debit, credit, text = credit, debit, _REVERSED.get(text, f"{text} corrected")
    return Posting(debit, credit, abs(amount), currency, text)


#: Postings of a gateway entry that has no purpose of ours behind it: (debit, credit).
_ENTRY: dict[PaymentType, tuple[tuple[Account, Account], ...]] = {
    PaymentType.PA: ((Account.MEMO_AUTH, Account.MEMO_AUTH_CONTRA),),
    PaymentType.CP: (
        (Account.ACQUIRER, Account.SALES),
        (Account.MEMO_AUTH_CONTRA, Account.MEMO_AUTH),
    ),
    PaymentType.DB: ((Account.ACQUIRER, Account.SALES),),
    PaymentType.RF: ((Account.REFUNDS, Account.ACQUIRER),),
    PaymentType.CD: ((Account.REFUNDS, Account.ACQUIRER),),
    PaymentType.RB: ((Account.ACQUIRER, Account.RECOVERED),),
    PaymentType.CB: ((Account.UNMIRRORED, Account.ACQUIRER),),
}
_PURPOSE: dict[Purpose, tuple[Account, Account]] = {
    Purpose.BOOK: (Account.UNMIRRORED, Account.ACQUIRER),
    Purpose.REINSTATE: (Account.ACQUIRER, Account.UNMIRRORED),
    Purpose.UNDO: (Account.UNMIRRORED, Account.ACQUIRER),
    Purpose.REBILL: (Account.ACQUIRER, Account.RECOVERED),
    Purpose.GIVE_BACK: (Account.GIVEBACK_DUE, Account.ACQUIRER),
}


def operation_postings(purpose: Purpose, amount_minor: int, currency: str) -> tuple[Posting, ...]:
    """Postings of a settled operation of ours, or of a chain entry adopted for a dispute."""
    debit, credit = _PURPOSE[purpose]
    return (Posting(debit, credit, amount_minor, currency, purpose.value.replace("_", " ")),)


def entry_postings(
    payment_type: PaymentType,
    amount_minor: int,
    currency: str,
    referenced: PaymentType | None = None,
    *,
    undone: bool = False,
) -> tuple[Posting, ...]:
    """Postings of an entry that the gateway has and we did not start.

    ``referenced``: type of the entry it refers to (RV and RF differ by it); ``undone``: a CR of
    even depth, which takes the money back again.
    """
    if payment_type is PaymentType.CR:
        return operation_postings(
            Purpose.UNDO if undone else Purpose.REINSTATE, amount_minor, currency
        )
    pairs = _ENTRY.get(payment_type, ())
    if payment_type is PaymentType.RV:
        of_debit = referenced is PaymentType.DB
        pairs = (
            ((Account.SALES, Account.ACQUIRER),)
            if of_debit
            else ((Account.MEMO_AUTH_CONTRA, Account.MEMO_AUTH),)
        )
    elif payment_type is PaymentType.RF and referenced is PaymentType.CD:
        pairs = ((Account.ACQUIRER, Account.REFUNDS),)
    elif payment_type is PaymentType.RF and referenced is PaymentType.RB:
        pairs = ((Account.RECOVERED, Account.ACQUIRER),)
    name = payment_type.value
    return tuple(Posting(debit, credit, amount_minor, currency, name) for debit, credit in pairs)
