"""What a case makes of what it is told, without a server."""

import pytest

from disputes.messages import Booking
from disputes.money import Money
from disputes.operations import Operation
from disputes.vocabulary import NetworkEventKind, OperationState, PaymentType, Purpose, Stage
from tests.support.story import Story, day, euros, gateway_id
from workflows.docket import Docket


@pytest.mark.parametrize(
    ("told", "amount", "again"),
    [
        (PaymentType.CR, euros("92.00"), True),
        (PaymentType.RF, euros("92.00"), True),
        (PaymentType.CB, euros("92.00"), False),
        (PaymentType.CB, None, True),
    ],
)
def test_a_reversal_told_of_before_its_chargeback_is_asked_for(
    told: PaymentType, amount: Money | None, *, again: bool
) -> None:
    """Notifications come in any order: what hangs under nothing known yet must not be lost."""
    docket = Docket("D-1")
    docket.payment_stale = False
    booking = Booking.model_validate(
        {
            "gateway_id": gateway_id(7),
            "payment_type": told,
            "occurred_at": day(1),
            "amount": amount,
        }
    )
    docket.bookings.append(booking)
    docket.booking(booking, None, day(2))
    assert docket.payment_stale is again


def test_what_is_learned_of_an_entry_ends_the_wait_for_the_gateway() -> None:
    """The entry happened before the wait began, and the case knew it: only the wait is over."""
    docket = Docket("D-1")
    operation = Operation(
        key="dispute:D-1:book:1",
        purpose=Purpose.BOOK,
        state=OperationState.SETTLED,
        payment_type=PaymentType.CB,
        amount_minor=9200,
        currency="EUR",
        gateway_id=gateway_id(7),
    )
    docket.operation(operation, day(1))
    docket.held("gateway_unreachable", day(3))
    booking = Booking.model_validate(
        {"gateway_id": gateway_id(7), "payment_type": PaymentType.CB, "occurred_at": day(1)}
    )
    docket.bookings.append(booking)
    docket.booking(booking, operation, day(4))
    assert docket.case.flags == frozenset()


def test_a_run_that_takes_over_asks_again_for_the_refunds_of_an_escalated_case() -> None:
    """The run before it may have ended between the escalation and the gateway's answer."""

    def asks(story: Story) -> bool:
        docket = Docket("D-1")
        docket.load(story.case.events)
        return docket.payment_stale

    story = Story().opened(stage=Stage.INQUIRY).payment()
    assert not asks(story)
    assert asks(story.network(NetworkEventKind.ESCALATED, 4))
    assert not asks(story.payment())
