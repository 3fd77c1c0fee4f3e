"""One named activity for each gateway call of a case; all of them heartbeat while they wait."""

import asyncio

from temporalio import activity

from activities.beating import beating
from activities.operation import OperationRunner, Patience, Stopwatch
from activities.refusals import ended_by
from disputes.errors import Conflict, NotFound
from disputes.messages import Booking
from disputes.operations import GatewayEntry, Operation, Payment, owner_of
from disputes.ports import GatewayPort, OperationBook, Register
from disputes.refusals import RefusalKind, refusal_of
from disputes.steps import AdoptBooking, AskPayment, Hold, MoneyMoved, MoveMoney, ResolveDoubt


class GatewayActivities:
    """Steps that reach the gateway, over the ports of register, operation book and gateway."""

    def __init__(
        self, register: Register, book: OperationBook, gateway: GatewayPort, patience: Patience
    ) -> None:
        self._register = register
        self._book = book
        self._gateway = gateway
        self._patience = patience
        self._runner = OperationRunner(book, gateway, patience)

    @activity.defn
    async def book_chargeback(self, move: MoveMoney) -> MoneyMoved:
        """CB on the presented entry, or the gateway's own where it has booked one already."""
        moved = await self._run(move)
        kinds = {refusal_of(op.result_code).kind for op in moved.operations}
        # Refused because the gateway has one of its own: that one is found (lifecycle row 24a).
        if RefusalKind.ALREADY_CHARGED_BACK not in kinds:
            return moved
        plan = move.plan
        ask = AskPayment(
            dispute_id=plan.dispute_id,
            merchant_id=plan.merchant_id,
            payment_id=plan.payment_id,
            at=move.at,
        )
        found = await self.ask_payment(ask)
        return moved.model_copy(update={"payment": found.payment})

    @activity.defn
    async def reinstate(self, move: MoveMoney) -> MoneyMoved:
        """CR on the chargeback: the bank returned the money."""
        return await self._run(move)

    @activity.defn
    async def undo_reinstatement(self, move: MoveMoney) -> MoneyMoved:
        """CR on a CR: the bank took it again. ASSUMED, unconfirmed (protocol section 10)."""
        return await self._run(move)

    @activity.defn
    async def rebill(self, move: MoveMoney) -> MoneyMoved:
        """RB on the DB after a lost dispute."""
        return await self._run(move)

    @activity.defn
    async def give_back(self, move: MoveMoney) -> MoneyMoved:
        """RF on an RB: the bank reinstated what was rebilled."""
        return await self._run(move)

    @activity.defn
    async def refund_dispute(self, move: MoveMoney) -> MoneyMoved:
        """RF on the presented entry: an alert or inquiry is settled by its own refund."""
        return await self._run(move)

    async def _run(self, move: MoveMoney) -> MoneyMoved:
        async with beating():
            return await self._runner.run(move.plan, move.events, move.at)

    @activity.defn
    async def ask_payment(self, ask: AskPayment) -> MoneyMoved:
        """What the gateway knows of the presented entry; taken over into the books."""
        async with beating():
            if ask.dispute_id is not None and ask.events:
                await asyncio.to_thread(self._register.record, ask.dispute_id, ask.events)
            entries = await self._linked(ask.merchant_id, ask.payment_id)
            told = await self._told(ask)
            if entries is None or told is None:
                return MoneyMoved(hold=Hold.GATEWAY_UNREACHABLE)
            return MoneyMoved(
                payment=await asyncio.to_thread(self._adopt, ask, entries),
                operations=await asyncio.to_thread(self._own_among, told, ask),
            )

    async def _told(self, ask: AskPayment) -> list[GatewayEntry] | None:
        """The entries that were told of, as the gateway shows them; ``None`` for no answer."""
        shown: list[GatewayEntry] = []
        for gateway_id in ask.told:
            linked = await self._linked(ask.merchant_id, gateway_id)
            if linked is None:
                return None
            shown += [entry for entry in linked if entry.gateway_id == gateway_id]
        return shown

    def _own_among(self, told: list[GatewayEntry], ask: AskPayment) -> tuple[Operation, ...]:
        """Those operations of the authorization's workflow that entries prove to be booked."""
        owner = f"preauthorization/{ask.payment_id}"
        found = [self._book.adopt_entry(None, entry, ask.at) for entry in told]
        return tuple(op for op in found if op is not None and owner_of(op.key) == owner)

    def _adopt(self, ask: AskPayment, entries: tuple[GatewayEntry, ...]) -> Payment:
        if ask.dispute_id is None:
            return self._book.adopt_own(ask.merchant_id, ask.payment_id, entries, ask.at)
        return self._book.adopt_payment(ask.dispute_id, ask.payment_id, entries, ask.at)

    @activity.defn
    async def adopt_booking(self, adopt: AdoptBooking) -> MoneyMoved:
        """Take over an entry that the gateway reported; one of ours tells how it ended."""
        async with beating():
            entry = _entry_of(adopt.booking)
            if entry is None:
                linked = await self._linked(adopt.merchant_id, adopt.booking.gateway_id)
                if linked is None:
                    return MoneyMoved(hold=Hold.GATEWAY_UNREACHABLE)
                named = (it for it in linked if it.gateway_id == adopt.booking.gateway_id)
                entry = next(named, None)
            if entry is None:
                # The gateway denies it. To wait for it would hold up every call of the case.
                return MoneyMoved()
            operation = await asyncio.to_thread(
                self._book.adopt_entry, adopt.dispute_id, entry, adopt.at
            )
            return MoneyMoved(operations=(operation,) if operation else ())

    @activity.defn
    async def resolve_doubt(self, doubt: ResolveDoubt) -> MoneyMoved:
        """Settle an operation in doubt by a person's word.

        Raises ``ApplicationError`` of type ``NotFound`` or ``Conflict`` for what the books cannot
        take: it would be refused for ever.
        """
        try:
            operation = await asyncio.to_thread(
                self._book.resolve,
                doubt.operation_key,
                happened=doubt.happened,
                reason=doubt.proof,
                at=doubt.at,
            )
            return MoneyMoved(operations=(operation,))
        except (NotFound, Conflict) as refused:
            refusal = refused
        raise ended_by(refusal)

    async def _linked(self, merchant_id: str, gateway_id: str) -> tuple[GatewayEntry, ...] | None:
        """All entries linked to one; empty when the gateway denies it, ``None`` for no answer."""
        asking = Stopwatch()
        while asking.passed_s <= self._patience.doubt_after_s:
            try:
                lookup = await self._gateway.linked(merchant_id, gateway_id)
            except NotFound:
                return None
            if lookup.entries or lookup.absent:
                return lookup.entries
        return None


def _entry_of(booking: Booking) -> GatewayEntry | None:
    """The entry as the notification shows it; ``None`` where it must be looked up first.

    One without ``referencedId`` has no direction (lifecycle, Axes).
    """
    if booking.referenced_id is None or booking.amount is None:
        return None
    return GatewayEntry(
        gateway_id=booking.gateway_id,
        payment_type=booking.payment_type,
        succeeded=True,
        amount_minor=booking.amount.minor,
        currency=booking.amount.currency,
        referenced_id=booking.referenced_id,
        result_code=booking.result_code,
    )
