"""Each line of the ledger's table, as an operation of ours and as an entry of the gateway's."""

from collections import Counter
from collections.abc import Callable

import pytest

from disputes.operations import GatewayEntry
from disputes.vocabulary import OperationState, PaymentType, Purpose
from tests.store.payments import Payments
from tests.store.scene import START, Scene, entry

P, T = Purpose, PaymentType
A = 2000
#: Debit +, credit -.
Line = dict[str, int]

AUTHORIZED: Line = {"memo_auth": A, "memo_auth_contra": -A}
RELEASED: Line = {"memo_auth": -A, "memo_auth_contra": A}
SOLD: Line = {"acquirer": A, "sales": -A}
REFUNDED: Line = {"refunds": A, "acquirer": -A}


def _moved(payments: Payments, happens: Callable[[], object]) -> Line:
    """What stands otherwise on the accounts after something has happened."""
    before = Counter(payments.balances())
    happens()
    after = Counter(payments.balances())
    after.subtract(before)
    assert payments.scene.ledger.verify() == []
    return {account: minor for account, minor in after.items() if minor}


#: What it acts on, and what it posts. Amounts fill the entry that they act on.
OURS: dict[str, tuple[Callable[[Payments], str | None], Purpose, Line]] = {
    "PA": (lambda _: None, P.AUTHORIZE, AUTHORIZED),
    "increase": (lambda it: it.made(P.AUTHORIZE, A), P.INCREASE, AUTHORIZED),
    "CP": (lambda it: it.made(P.AUTHORIZE, A), P.CAPTURE, RELEASED | SOLD),
    "DB": (lambda _: None, P.DEBIT, SOLD),
    "RV of a PA": (lambda it: it.made(P.AUTHORIZE, A), P.REVERSE, RELEASED),
    "RV of a DB": (lambda it: it.made(P.DEBIT, A), P.REVERSE, {"sales": A, "acquirer": -A}),
    "RF on a DB": (lambda it: it.made(P.DEBIT, A), P.REFUND, REFUNDED),
    "RF on a CP": (
        lambda it: it.made(P.CAPTURE, A, it.made(P.AUTHORIZE, A)),
        P.REFUND,
        REFUNDED,
    ),
    "CD as refund": (lambda it: it.made(P.DEBIT, A), P.CREDIT, REFUNDED),
    "CD as goodwill": (lambda _: None, P.GOODWILL, {"goodwill": A, "acquirer": -A}),
    "RF on a CD as refund": (
        lambda it: it.made(P.CREDIT, A, it.made(P.DEBIT, A)),
        P.REFUND,
        {"acquirer": A, "refunds": -A},
    ),
    "RF on a CD as goodwill": (
        lambda it: it.made(P.GOODWILL, A),
        P.REFUND,
        {"acquirer": A, "goodwill": -A},
    ),
    "RB for a difference": (lambda it: it.made(P.DEBIT, A), P.REBILL_DIFFERENCE, SOLD),
    "RB of an excess refund": (
        lambda it: it.debit(T.RF, T.RF, minor=A),
        P.REBILL_EXCESS_REFUND,
        {"acquirer": A, "refunds": -A},
    ),
    "RF on an RB for a difference": (
        lambda it: it.made(P.REBILL_DIFFERENCE, A, it.made(P.DEBIT, A), limit_minor=A),
        P.REFUND,
        REFUNDED,
    ),
}


@pytest.mark.parametrize("line", OURS)
def test_an_operation_of_ours_posts_its_line(shared_scene: Scene, line: str) -> None:
    stage, purpose, expected = OURS[line]
    payments = Payments(shared_scene)
    on = stage(payments)
    assert _moved(payments, lambda: payments.made(purpose, A, on, limit_minor=A)) == expected


#: Types from the root down, the last of them acting on the one before, and what the last posts.
SHOWN: dict[str, tuple[tuple[PaymentType, ...], Line]] = {
    "PA": ((T.PA,), AUTHORIZED),
    "increase": ((T.PA, T.PA), AUTHORIZED),
    "CP": ((T.PA, T.CP), RELEASED | SOLD),
    "DB": ((T.DB,), SOLD),
    "RV of a PA": ((T.PA, T.RV), RELEASED),
    "RV of a DB": ((T.DB, T.RV), {"sales": A, "acquirer": -A}),
    "RF on a DB": ((T.DB, T.RF), REFUNDED),
    "RF on a CP": ((T.PA, T.CP, T.RF), REFUNDED),
    "CD": ((T.CD,), REFUNDED),
    "RF on a CD": ((T.CD, T.RF), {"acquirer": A, "refunds": -A}),
    "chargeback": ((T.DB, T.CB), {"unmirrored": A, "acquirer": -A}),
    "reinstatement": ((T.DB, T.CB, T.CR), {"acquirer": A, "unmirrored": -A}),
    "reinstatement undone": ((T.DB, T.CB, T.CR, T.CR), {"unmirrored": A, "acquirer": -A}),
    "RB": ((T.DB, T.RB), {"acquirer": A, "recovered": -A}),
    "RF on an RB": ((T.DB, T.RB, T.RF), {"recovered": A, "acquirer": -A}),
}


def _chain(kinds: tuple[PaymentType, ...]) -> list[GatewayEntry]:
    shown: list[GatewayEntry] = []
    for kind in kinds:
        shown.append(entry(kind, A, shown[-1].gateway_id if shown else None))
    return shown


@pytest.mark.parametrize("line", SHOWN)
def test_an_entry_of_the_gateways_own_posts_its_line(shared_scene: Scene, line: str) -> None:
    kinds, expected = SHOWN[line]
    payments = Payments(shared_scene)
    shown = _chain(kinds)
    if shown[:-1]:
        payments.shown(*shown[:-1])
    assert _moved(payments, lambda: payments.shown(*shown)) == expected
    assert _moved(payments, lambda: payments.shown(*shown)) == {}


@pytest.mark.parametrize("told_first", [False, True])
def test_an_operation_that_the_gateway_shows_too_posts_once(
    shared_scene: Scene, *, told_first: bool
) -> None:
    """The answer and the query tell of the same capture, in either order."""
    payments = Payments(shared_scene)
    authorized = entry(T.PA, A)
    payments.shown(authorized)
    plan = payments.plan(P.CAPTURE, A, authorized.gateway_id)
    payments.sent(plan)
    captured = entry(T.CP, A, authorized.gateway_id, mtid=plan.merchant_transaction_id)

    def settle() -> object:
        return payments.scene.book.settle(
            plan.key, OperationState.SETTLED, gateway_id=captured.gateway_id, at=START
        )

    def show() -> object:
        return payments.shown(authorized, captured)

    steps = (show, settle) if told_first else (settle, show)
    assert _moved(payments, lambda: [step() for step in steps]) == RELEASED | SOLD
