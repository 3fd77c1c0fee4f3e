"""Every row of the protocol's error table: the sandbox answers it, and a person reads what to do.

Most of what the gateway would refuse our guards stop before. It comes to it where something has
happened there that our books do not know of yet.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from disputes.operations import Operation, Plan
from disputes.vocabulary import OperationState, Outcome, PaymentType, Purpose
from tests.activities.till import Till
from tests.store.scene import START, entry, new_id
from tests.support.plans import REGISTRATION
from tests.support.sandbox import Sandbox

Staged = Callable[[Till], Awaitable[Plan]]


@pytest_asyncio.fixture(autouse=True)
async def _switches(sandbox: Sandbox) -> AsyncIterator[None]:
    """What a test has switched is switched back."""
    yield
    lasting = {"captures": True, "multiple_captures": True, "merchant_chargebacks": True}
    await sandbox.set(authorization_valid_s=7 * 24 * 3600, **lasting)


async def refused(till: Till, plan: Plan) -> Operation:
    """What the runner says of it, before any step that would look for the reason."""
    (operation,) = (await till.runner.run(plan, (), START)).operations
    return operation


def known(till: Till, kind: PaymentType, payment_id: str | None = None) -> str:
    """Id of a payment that our books know, whatever the gateway has under it."""
    shown = entry(kind, 9200, gateway_id=payment_id or f"c{new_id()[1:]}")
    till.scene.book.adopt_own("M-1", shown.gateway_id, [shown], START)
    return shown.gateway_id


def on_unknown(purpose: Purpose, kind: PaymentType) -> Staged:
    """An operation on a payment that the gateway does not have."""

    async def stage(till: Till) -> Plan:
        return till.plan(purpose, 9200, known(till, kind), limit_minor=9200)

    return stage


def after(purpose: Purpose, made: Purpose, behind_our_back: str) -> Staged:
    """An operation on our payment, on which the acquirer has done something by itself."""

    async def stage(till: Till) -> Plan:
        payment = await till.made(made, 9200)
        more = {} if behind_our_back == "RV" else {"amount_minor": 9200}
        await till.sandbox.own_booking(behind_our_back, payment, **more)
        return till.plan(purpose, 9200, payment)

    return stage


def switched(purpose: Purpose, made: Purpose, **settings: object) -> Staged:
    """An operation that this acquirer does not do."""

    async def stage(till: Till) -> Plan:
        payment = await till.made(made, 9200)
        await till.sandbox.set(**settings)
        return till.plan(purpose, 9200, payment)

    return stage


def told(purpose: Purpose, code: str) -> Staged:
    """A code that nothing in the sandbox's own rules leads to."""

    async def stage(till: Till) -> Plan:
        payment = None if purpose is Purpose.DEBIT else await till.made(Purpose.AUTHORIZE, 9200)
        plan = till.plan(purpose, 9200, payment)
        named = {"merchant_transaction_id": plan.merchant_transaction_id}
        await till.sandbox.arm("refuse", match=named, code=code)
        return plan

    return stage


def on_failed(code: str) -> Staged:
    """A capture of an authorization that did not succeed, or not yet."""

    async def stage(till: Till) -> Plan:
        form = {
            "entityId": "sandbox",
            "paymentType": "PA",
            "amount": "92.00",
            "currency": "EUR",
            "customParameters[SIM_resultCode]": code,
        }
        answer = await till.sandbox.http.post(
            f"/v1/registrations/{REGISTRATION}/payments",
            data=form,
            headers={"Authorization": "Bearer sandbox"},
        )
        return till.plan(Purpose.CAPTURE, 9200, known(till, PaymentType.PA, answer.json()["id"]))

    return stage


def elsewhere(**other: str) -> Staged:
    """A refund of what is in another currency, or another account's, at the gateway."""

    async def stage(till: Till) -> Plan:
        payment = {"id": f"c{new_id()[1:]}", "amount": "92.00", "currency": "EUR"} | other
        answer = await till.sandbox.http.post("/_sandbox/payments", json=payment)
        answer.raise_for_status()
        return till.plan(Purpose.REFUND, 9200, known(till, PaymentType.DB, payment["id"]))

    return stage


async def of_another_mode(till: Till) -> Plan:
    """The payment was made in the other test mode."""
    return till.plan(Purpose.REFUND, 9200, known(till, PaymentType.DB, await till.debited()))


async def rebill_of_a_capture(till: Till) -> Plan:
    """What our books take for a debit is a capture."""
    payment = f"c{new_id()[1:]}"
    await till.sandbox.payment(payment, "92.00", "EUR", "CP")
    known(till, PaymentType.DB, payment)
    return till.plan(Purpose.REBILL_DIFFERENCE, 800, payment, limit_minor=800)


async def too_large(till: Till) -> Plan:
    """More than the gateway takes in one payment."""
    return till.plan(Purpose.DEBIT, 10_000_000_000_00)


async def chargeback_on_unknown(till: Till) -> Plan:
    """A dispute on a payment that the gateway does not have."""
    payment = f"c{new_id()[1:]}"
    shown = [entry(PaymentType.DB, 9200, gateway_id=payment)]
    return till.scene.dispute(f"D-{payment}", shown, 9200).plan


async def second_chargeback(till: Till) -> Plan:
    """The gateway has booked the chargeback by itself."""
    dispute = await till.disputed()
    await till.sandbox.own_booking("CB", dispute.payment_id)
    return dispute.plan


async def second_reversal(till: Till) -> Plan:
    """The gateway has booked the reversal by itself."""
    dispute = await till.disputed()
    booked = await till.settle(dispute)
    await till.sandbox.own_booking("CR", str(booked.gateway_id))
    dispute.ruled(Outcome.MERCHANT_WON)
    return dispute.plan


async def reversal_of_nothing(till: Till) -> Plan:
    """A person said that the chargeback was booked, and it was not."""
    dispute = await till.disputed()
    plan = dispute.plan
    till.scene.book.intend(plan, ())
    dispute.settle(plan, gateway_id=f"c{new_id()[1:]}")
    dispute.ruled(Outcome.MERCHANT_WON)
    return dispute.plan


async def second_capture(till: Till) -> Plan:
    """The acquirer takes one capture for each authorization."""
    authorized = await till.made(Purpose.AUTHORIZE, 9200)
    await till.made(Purpose.CAPTURE, 100, authorized)
    await till.sandbox.set(multiple_captures=False)
    return till.plan(Purpose.CAPTURE, 100, authorized)


async def forbidden_chargeback(till: Till) -> Plan:
    """Merchants may post no chargeback here."""
    await till.sandbox.set(merchant_chargebacks=False)
    return (await till.disputed()).plan


P, T = Purpose, PaymentType
#: Code, what a person is told to do, and how the gateway is brought to answer it.
ROWS: list[tuple[str, str, Staged]] = [
    ("700.400.510", "check the payment id", on_unknown(P.CAPTURE, T.PA)),
    ("700.400.530", "check the payment id", on_unknown(P.REVERSE, T.PA)),
    ("600.200.500", "check the payment id", on_unknown(P.REFUND, T.DB)),
    ("700.100.100", "check the payment id", on_unknown(P.REBILL_DIFFERENCE, T.DB)),
    ("700.400.550", "check the payment id", chargeback_on_unknown),
    ("700.400.420", "check the payment id", reversal_of_nothing),
    ("700.400.100", "ask for no more than that", after(P.CAPTURE, P.AUTHORIZE, "RV")),
    ("700.400.100", "ask for no more than that", second_capture),
    ("700.400.200", "ask for no more than that", after(P.REFUND, P.DEBIT, "RF")),
    ("700.400.300", "ask for no more than that", after(P.REVERSE, P.AUTHORIZE, "CP")),
    ("700.400.400", "its own chargeback is taken over", second_chargeback),
    ("700.400.410", "its own reversal is taken over", second_reversal),
    ("700.300.600", "do not pay twice", after(P.REFUND, P.DEBIT, "CB")),
    ("700.300.600", "do not pay twice", after(P.REVERSE, P.DEBIT, "CB")),
    ("700.300.200", "name the capture", on_failed("800.100.152")),
    ("700.400.570", "wait until it is settled", on_failed("000.200.000")),
    ("700.300.400", "a new payment", switched(P.CAPTURE, P.AUTHORIZE, authorization_valid_s=0)),
    ("700.500.002", "a new payment", told(P.CAPTURE, "700.500.002")),
    ("700.300.700", "refund instead", told(P.REVERSE, "700.300.700")),
    ("700.100.500", "test mode and the currency", elsewhere(currency="USD")),
    ("700.400.700", "merchant's entity", elsewhere(entity_id="another")),
    ("700.100.700", "debit (DB) itself", rebill_of_a_capture),
    ("700.400.101", "capability off", switched(P.CAPTURE, P.AUTHORIZE, captures=False)),
    ("700.400.402", "ask the acquirer", forbidden_chargeback),
    ("200.300.404", "report it", told(P.CAPTURE, "200.300.404")),
    ("100.550.300", "check the amount", told(P.CAPTURE, "100.550.300")),
    ("100.550.301", "check the amount", too_large),
    ("100.550.401", "check the amount", told(P.CAPTURE, "100.550.401")),
    ("100.100.101", "another card", told(P.DEBIT, "100.100.101")),
]


@pytest.mark.parametrize(
    ("code", "what_to_do", "stage"),
    ROWS,
    ids=[f"{code}-{at}" for at, (code, *_) in enumerate(ROWS)],
)
async def test_a_row_of_the_table_says_what_to_do(
    till: Till, code: str, what_to_do: str, stage: Staged
) -> None:
    operation = await refused(till, await stage(till))
    assert (operation.state, operation.result_code) == (OperationState.REFUSED, code)
    assert operation.reason is not None
    assert what_to_do in operation.reason.partition("What to do: ")[2]
    assert till.scene.ledger.verify() == []


async def test_a_payment_of_another_mode_says_what_to_do(till: Till) -> None:
    external = Till(till.sandbox, till.scene, till.http, mode="EXTERNAL")
    operation = await refused(external, await of_another_mode(external))
    assert (operation.state, operation.result_code) == (OperationState.REFUSED, "700.100.600")
    assert "test mode" in (operation.reason or "")


async def test_what_the_gateway_throttled_goes_out_later(till: Till) -> None:
    """No refusal: it was turned away for now, and is sent again once it is proven absent."""
    plan = till.plan(Purpose.DEBIT, 9200)
    named = {"merchant_transaction_id": plan.merchant_transaction_id}
    await till.sandbox.arm("throttle", match=named)
    assert (await refused(till, plan)).state is OperationState.SETTLED
    assert len(await till.booked(plan)) == 1
