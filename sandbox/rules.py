"""Which operation may follow which: the reference graph and its open amounts (protocol, section 2).

The platform publishes the codes, not what triggers them: the choice of code is judgement
throughout.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from disputes.vocabulary import PaymentType as T
from sandbox import codes
from sandbox.transactions import Order, Transaction


class Refused(Exception):
    """The request is not possible: the result code that says why, and the fields at fault."""

    def __init__(self, code: str, parameter_errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.parameter_errors = parameter_errors


class Tree(Protocol):
    """What the rules need to see of the book."""

    def children(self, identity: str) -> Iterable[Transaction]:
        """Booked transactions that reference ``identity``."""


_REFERENCES = {
    T.PA: {T.PA},
    T.CP: {T.PA},
    T.RV: {T.PA, T.DB, T.CD},
    T.RF: {T.CP, T.DB, T.RB, T.CD},
    T.RB: {T.DB},
    T.CB: {T.CP, T.DB, T.RB},
    T.CR: {T.CB, T.CR},
}
_UNKNOWN_REFERENCE = {
    T.PA: "700.100.100",
    T.CP: "700.400.510",
    T.RV: "700.400.530",
    T.RF: "600.200.500",
    T.RB: "700.100.100",
    T.CB: "700.400.550",
    T.CR: "700.400.420",
}
_WRONG_TYPE = _UNKNOWN_REFERENCE | {
    T.PA: "700.100.700",
    T.RF: "700.400.520",
    T.RB: "700.100.700",
}


def decide(order: Order, referenced: Transaction | None, tree: Tree) -> int:
    """The amount in minor units that a back-office ``order`` books.

    Raises ``Refused`` with the result code.
    """
    referenced = _check_reference(order, referenced)
    amount = _AMOUNTS[order.payment_type](order.amount_minor, referenced, tree)
    if amount <= 0:
        raise Refused(codes.NO_AMOUNT)
    return amount


def _check_reference(order: Order, referenced: Transaction | None) -> Transaction:
    if referenced is None:
        raise Refused(_UNKNOWN_REFERENCE[order.payment_type])
    if referenced.entity_id != order.entity_id:
        raise Refused("700.400.700")
    if codes.pending(referenced.result_code):
        raise Refused("700.400.570")
    if not referenced.booked:
        raise Refused("700.400.550" if order.payment_type is T.CB else "700.300.200")
    if referenced.payment_type not in _REFERENCES[order.payment_type]:
        raise Refused(_WRONG_TYPE[order.payment_type])
    if referenced.test_mode != order.test_mode:
        raise Refused("700.100.600")
    if order.currency not in {None, referenced.currency}:
        raise Refused("700.100.500")
    return referenced


def _sum(tree: Tree, identity: str, *kinds: T) -> int:
    return sum(t.amount_minor for t in tree.children(identity) if t.payment_type in kinds)


def _remaining(tree: Tree, entry: Transaction) -> int:
    return entry.amount_minor - _sum(tree, entry.id, T.RF, T.RV)


def _charged_back(tree: Tree, entry: Transaction) -> bool:
    return any(t.payment_type is T.CB for t in tree.children(entry.id))


def _open(tree: Tree, authorization: Transaction) -> int:
    """What of an authorization, with its increases, is neither captured nor reversed."""
    authorized = authorization.amount_minor + _sum(tree, authorization.id, T.PA)
    return authorized - _sum(tree, authorization.id, T.CP, T.RV)


def _increase(asked: int | None, authorization: Transaction, tree: Tree) -> int:
    if asked is None:
        raise Refused(codes.NO_AMOUNT)
    if _open(tree, authorization) <= 0:
        raise Refused("700.300.300")
    return asked


def _capture(asked: int | None, authorization: Transaction, tree: Tree) -> int:
    if asked is None:
        raise Refused(codes.NO_AMOUNT)
    if asked > _open(tree, authorization):
        raise Refused("700.400.100")
    return asked


def _reverse(asked: int | None, target: Transaction, tree: Tree) -> int:
    if _charged_back(tree, target):
        raise Refused("700.300.600")
    open_amount = _open(tree, target) - _sum(tree, target.id, T.RF)
    amount = open_amount if asked is None else asked
    partial = amount < target.amount_minor and target.payment_type is not T.PA
    if amount > open_amount or open_amount == 0 or partial:
        raise Refused("700.400.300")
    return amount


def _refund(asked: int | None, entry: Transaction, tree: Tree) -> int:
    if _charged_back(tree, entry):
        raise Refused("700.300.600")
    if asked is None:
        raise Refused(codes.NO_AMOUNT)
    if asked > _remaining(tree, entry):
        raise Refused("700.400.200")
    return asked


def _rebill(asked: int | None, entry: Transaction, tree: Tree) -> int:
    if asked is None:
        raise Refused(codes.NO_AMOUNT)
    # No cap is documented: a rebill is on top of the original (unconfirmed, protocol section 10).
    if _sum(tree, entry.id, T.RV):
        raise Refused("700.300.300")
    return asked


def _charge_back(asked: int | None, entry: Transaction, tree: Tree) -> int:
    if _charged_back(tree, entry):
        raise Refused("700.400.400")
    remaining = _remaining(tree, entry)
    amount = remaining if asked is None else asked
    if amount > remaining:
        raise Refused("700.100.300")
    return amount


def _net(tree: Tree, link: Transaction) -> int:
    """What a CB or CR still moves after the reversals on it."""
    reversals = (t for t in tree.children(link.id) if t.payment_type is T.CR)
    return link.amount_minor - sum(_net(tree, t) for t in reversals)


def _reverse_chargeback(asked: int | None, link: Transaction, tree: Tree) -> int:
    open_amount = _net(tree, link)
    if link.sign < 0 and link.entry_id is not None:
        # Money on its way back to the merchant: never more than is charged back in all, for the
        # same chargeback can be reversed at its foot and at its tip.
        chargeback = next(t for t in tree.children(link.entry_id) if t.payment_type is T.CB)
        open_amount = min(open_amount, _net(tree, chargeback))
    amount = open_amount if asked is None else asked
    if open_amount == 0 or amount > open_amount:
        raise Refused("700.400.410")
    return amount


_AMOUNTS: dict[T, Callable[[int | None, Transaction, Tree], int]] = {
    T.PA: _increase,
    T.CP: _capture,
    T.RV: _reverse,
    T.RF: _refund,
    T.RB: _rebill,
    T.CB: _charge_back,
    T.CR: _reverse_chargeback,
}
