"""One named activity for each call of a payment's own workflow; the plan says what for.

A dispute's steps are in ``activities.gateway``. Ask for the payment first (``ask_payment``): what
nobody knows the history of is neither refunded, credited nor rebilled.
"""

from temporalio import activity

from activities.beating import beating
from activities.operation import OperationRunner, Patience
from activities.refusals import ended_by
from disputes.errors import NotSupported
from disputes.ports import GatewayPort, OperationBook
from disputes.steps import MoneyMoved, MoveMoney


class PaymentActivities:
    """Steps of pre-authorizations, refunds, payouts and rebills; all heartbeat while they wait.

    Each ends as ``OperationRunner.run`` does; an operation that a guard or the gateway refused
    carries the reason for a person. Raises ``ApplicationError`` of type ``NotSupported`` for what
    acquirer or brand do not have: then nothing was written and nothing sent.
    """

    def __init__(self, book: OperationBook, gateway: GatewayPort, patience: Patience) -> None:
        self._runner = OperationRunner(book, gateway, patience)

    @activity.defn
    async def authorize(self, move: MoveMoney) -> MoneyMoved:
        """PA by registration, or on a PA: then it is increased."""
        return await self._run(move)

    @activity.defn
    async def debit(self, move: MoveMoney) -> MoneyMoved:
        """DB by registration."""
        return await self._run(move)

    @activity.defn
    async def capture(self, move: MoveMoney) -> MoneyMoved:
        """CP of all or a part of a PA."""
        return await self._run(move)

    @activity.defn
    async def reverse(self, move: MoveMoney) -> MoneyMoved:
        """RV of a PA's open amount, or of a whole DB."""
        return await self._run(move)

    @activity.defn
    async def refund(self, move: MoveMoney) -> MoneyMoved:
        """RF of all or a part of a CP, DB or RB, or of a payout (CD)."""
        return await self._run(move)

    @activity.defn
    async def credit(self, move: MoveMoney) -> MoneyMoved:
        """CD to a registration."""
        return await self._run(move)

    @activity.defn
    async def rebill_payment(self, move: MoveMoney) -> MoneyMoved:
        """RB on a DB, after a dispute or for another reason."""
        return await self._run(move)

    async def _run(self, move: MoveMoney) -> MoneyMoved:
        try:
            async with beating():
                return await self._runner.run(move.plan, move.events, move.at)
        except NotSupported as lacking:
            refusal = lacking
        raise ended_by(refusal)
