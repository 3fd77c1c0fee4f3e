"""Where a payment's own operations stand: under the root that the gateway keeps them under."""

from datetime import UTC, datetime, timedelta

from disputes.ledger import Account
from disputes.reconciliation import ListPayments, ReconciliationWindow
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.vocabulary import OperationState, PaymentType, Purpose
from tests.store.payments import Payments
from tests.store.scene import START, Scene, entry


def _roots(scene: Scene) -> set[str]:
    now = datetime.now(UTC)
    window = ReconciliationWindow(since=now - timedelta(days=2), until=now + timedelta(days=2))
    page = SqlReconciliationBook(scene.store).payments(ListPayments(window=window, size=100))
    return {payment.root_id for payment in page.payments}


def test_a_credit_is_compared_for_itself_and_not_with_what_it_repays(scene: Scene) -> None:
    payments = Payments(scene)
    debit = payments.made(Purpose.DEBIT, 9200)
    credit = payments.made(Purpose.CREDIT, 2000, debit)
    book = SqlReconciliationBook(scene.store)
    assert _roots(scene) == {debit, credit}
    for root in (debit, credit):
        (operation,) = book.payment(root, ()).operations
        assert operation.gateway_id == root
    assert scene.ledger.positions(Account.ACQUIRER) == {
        (debit, "EUR"): 9200,
        (credit, "EUR"): -2000,
    }


def test_a_payment_without_an_id_yet_is_compared_with_nothing(scene: Scene) -> None:
    """Nobody may be told that the gateway denies what it could not be asked for."""
    payments = Payments(scene)
    debit = payments.made(Purpose.DEBIT, 9200)
    for plan in (payments.plan(Purpose.DEBIT, 100), payments.plan(Purpose.CREDIT, 100, debit)):
        payments.sent(plan)
    assert _roots(scene) == {debit}
    assert len(SqlReconciliationBook(scene.store).payment(debit, ()).operations) == 1


def test_a_payment_that_a_person_vouched_for_has_its_place_once_it_has_an_id(
    scene: Scene,
) -> None:
    payments = Payments(scene)
    plan = payments.plan(Purpose.DEBIT, 9200)
    payments.sent(plan)
    scene.book.settle(plan.key, OperationState.IN_DOUBT, at=START)
    scene.book.resolve(plan.key, happened=True, reason="seen in the portal", at=START)
    shown = entry(PaymentType.DB, 9200, mtid=plan.merchant_transaction_id)
    payments.shown(shown)
    assert scene.ledger.positions(Account.ACQUIRER) == {(shown.gateway_id, "EUR"): 9200}
    payments.made(Purpose.REFUND, 9200, shown.gateway_id)
    assert scene.position(Account.ACQUIRER) == 0
    assert scene.ledger.verify() == []
