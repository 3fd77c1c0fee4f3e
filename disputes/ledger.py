"""Double entry: which account each fact and each gateway entry debits and credits.

A posting moves one amount above zero from the credited to the debited account, so every posting
balances by its shape. What the bank does posts twice: the *fact* when it is known, the *mirror*
when the gateway's entry is settled or adopted; what we start posts once, at settle.
"""

from dataclasses import dataclass, replace
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


_Pair = tuple[Account, Account]
_ACQUIRER = Account.ACQUIRER
#: What each purpose debits and credits (ledger, table); a reversal and a refund hang on what they
#: act on.
_PURPOSE: dict[Purpose, tuple[_Pair, ...]] = {
    Purpose.BOOK: ((Account.UNMIRRORED, _ACQUIRER),),
    Purpose.REINSTATE: ((_ACQUIRER, Account.UNMIRRORED),),
    Purpose.UNDO: ((Account.UNMIRRORED, _ACQUIRER),),
    Purpose.REBILL: ((_ACQUIRER, Account.RECOVERED),),
    Purpose.GIVE_BACK: ((Account.GIVEBACK_DUE, _ACQUIRER),),
    Purpose.GIVE_BACK_CREDIT: ((Account.GIVEBACK_DUE, _ACQUIRER),),
    Purpose.AUTHORIZE: ((Account.MEMO_AUTH, Account.MEMO_AUTH_CONTRA),),
    Purpose.INCREASE: ((Account.MEMO_AUTH, Account.MEMO_AUTH_CONTRA),),
    Purpose.DEBIT: ((_ACQUIRER, Account.SALES),),
    Purpose.CAPTURE: (
        (_ACQUIRER, Account.SALES),
        (Account.MEMO_AUTH_CONTRA, Account.MEMO_AUTH),
    ),
    Purpose.CREDIT: ((Account.REFUNDS, _ACQUIRER),),
    Purpose.GOODWILL: ((Account.GOODWILL, _ACQUIRER),),
    Purpose.REBILL_DIFFERENCE: ((_ACQUIRER, Account.SALES),),
    Purpose.REBILL_EXCESS_REFUND: ((_ACQUIRER, Account.REFUNDS),),
}
#: The purpose that an entry without one of ours is taken for.
_TAKEN_FOR = {
    PaymentType.PA: Purpose.AUTHORIZE,
    PaymentType.DB: Purpose.DEBIT,
    PaymentType.CP: Purpose.CAPTURE,
    PaymentType.CD: Purpose.CREDIT,
    PaymentType.RB: Purpose.REBILL,
    PaymentType.CB: Purpose.BOOK,
    PaymentType.RV: Purpose.REVERSE,
    PaymentType.RF: Purpose.REFUND,
}


@dataclass(frozen=True, slots=True)
class ActsOn:
    """The entry that a reversal or refund acts on; ``purpose`` where it was ours."""

    payment_type: PaymentType
    purpose: Purpose | None = None


def operation_postings(
    purpose: Purpose, amount_minor: int, currency: str, on: ActsOn | None = None
) -> tuple[Posting, ...]:
    """Postings of a settled operation of ours, or of a chain entry adopted for a dispute.

    ``on``: what it references, where we know it.
    """
    text = purpose.value.replace("_", " ")
    pairs = _PURPOSE.get(purpose) or (_taken_back(purpose, on),)
    return tuple(Posting(debit, credit, amount_minor, currency, text) for debit, credit in pairs)


def entry_postings(
    payment_type: PaymentType,
    amount_minor: int,
    currency: str,
    on: ActsOn | None = None,
    *,
    undone: bool = False,
) -> tuple[Posting, ...]:
    """Postings of an entry that the gateway has and we did not start.

    ``on``: what it references, where we know it; ``undone``: a CR of even depth, which takes the
    money back again.
    """
    if payment_type is PaymentType.CR:
        purpose = Purpose.UNDO if undone else Purpose.REINSTATE
        return operation_postings(purpose, amount_minor, currency)
    if payment_type not in _TAKEN_FOR:
        return ()
    postings = operation_postings(_TAKEN_FOR[payment_type], amount_minor, currency, on)
    return tuple(replace(posting, text=payment_type.value) for posting in postings)


def _taken_back(purpose: Purpose, on: ActsOn | None) -> _Pair:
    """What a reversal or a refund debits and credits: it hangs on what it acts on."""
    if purpose is Purpose.REVERSE:
        of_debit = on is not None and on.payment_type is PaymentType.DB
        return (
            (Account.SALES, _ACQUIRER)
            if of_debit
            else (Account.MEMO_AUTH_CONTRA, Account.MEMO_AUTH)
        )
    if on is None or on.payment_type not in (PaymentType.CD, PaymentType.RB):
        return Account.REFUNDS, _ACQUIRER
    ((debit, credit),) = _PURPOSE[on.purpose or _TAKEN_FOR[on.payment_type]]
    if on.payment_type is PaymentType.CD:
        return _ACQUIRER, debit  # a payout comes back to the account that it came from
    # What a rebill had put to sales stays sold, and is refunded as any sale is.
    return (Account.REFUNDS if credit is Account.SALES else credit), _ACQUIRER
