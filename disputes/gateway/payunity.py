"""PayUnity behind the engine's port: a plan becomes one request, an answer what it proves."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from disputes.gateway.calls import Call, Deadline, Entity
from disputes.gateway.client import Gateway, NotSent
from disputes.gateway.codes import Verdict, classify
from disputes.gateway.entities import Entities
from disputes.gateway.replies import Absent, Found, QueryReply
from disputes.gateway.wire import AmountNotRepresentable, Entry
from disputes.operations import GatewayEntry, Plan
from disputes.ports import Lookup, QueryThrottle, Question, Said, Word
from disputes.vocabulary import PaymentType, Purpose

_WORDS: Final[Mapping[Verdict, Word]] = {
    Verdict.SUCCESS: Word.BOOKED,
    Verdict.REFUSED: Word.REFUSED,
    Verdict.NOT_SENT: Word.NOTHING,
    Verdict.REVERSED: Word.NOTHING,
    Verdict.MANUAL: Word.MANUAL,
}
#: A wrong token or entity (protocol, section 2): nothing was looked at.
_NO_ACCESS: Final = "800.900.300"
#: The gateway's own order stands where it gives no moments.
_UNDATED: Final = datetime.max.replace(tzinfo=UTC)
#: Answers that prove that an entry will never be booked.
_DEAD: Final = (Verdict.REFUSED, Verdict.NOT_SENT, Verdict.REVERSED)


class PayUnity:
    """The gateway port over the HTTP client and the configured entities.

    Every question waits for its turn at ``throttle``.
    """

    def __init__(self, gateway: Gateway, entities: Entities, throttle: QueryThrottle) -> None:
        self._gateway = gateway
        self._entities = entities
        self._throttle = throttle

    async def send(self, plan: Plan, deadline_s: float) -> Said:
        """Post a plan once; see ``GatewayPort.send``."""
        # A reversal of all that is open goes without an amount (protocol, section 2).
        entire = plan.purpose is Purpose.REVERSE and plan.whole
        call = Call(
            payment_type=plan.payment_type,
            referenced_id=plan.referenced_id,
            registration_id=plan.registration_id,
            merchant_transaction_id=plan.merchant_transaction_id,
            entity=self._entities.of(plan.merchant_id),
            deadline=Deadline(deadline_s),
            amount_minor=None if entire else plan.amount_minor,
            currency=None if entire else plan.currency,
            reason=plan.chargeback_reason,
        )
        try:
            reply = await self._gateway.post(call)
        except NotSent:
            return Said(word=Word.NOTHING)
        except AmountNotRepresentable:
            return Said(word=Word.REFUSED, unwritable=True)
        if reply.result_code == _NO_ACCESS:
            # Turned away at the door: it goes out when the account's credentials are put right.
            return Said(word=Word.NOTHING, result_code=reply.result_code)
        entry = reply.entry
        return Said(
            word=_WORDS.get(reply.verdict, Word.UNKNOWN),
            gateway_id=entry.id if entry else None,
            amount_minor=entry.amount_minor if entry else None,
            result_code=reply.result_code,
        )

    async def find(self, plan: Plan, since: datetime | None = None) -> Lookup:
        """Ask every entity by merchantTransactionId; absent only when all deny it."""
        mtid = plan.merchant_transaction_id

        async def ask(entity: Entity) -> QueryReply:
            await self._turn(entity, mtid, since, plan.amount_minor)
            return await self._gateway.query_by_merchant_transaction_id(mtid, entity)

        return _lookup(await asyncio.gather(*map(ask, self._entities.all)))

    async def linked(self, merchant_id: str, gateway_id: str) -> Lookup:
        """Ask the merchant's entity for an entry and what is linked to it."""
        entity = self._entities.of(merchant_id)
        await self._turn(entity, gateway_id)
        return _lookup([await self._gateway.query_by_id(gateway_id, entity)])

    async def _turn(
        self,
        entity: Entity,
        transaction_id: str,
        since: datetime | None = None,
        amount_minor: int = 0,
    ) -> None:
        """Wait until the question may be asked."""
        question = Question(
            account=entity.id,
            transaction_id=transaction_id,
            account_per_minute=entity.queries_per_minute,
            since=since,
            amount_minor=amount_minor,
        )
        while wait_s := await asyncio.to_thread(self._throttle.admit, question):  # noqa: ASYNC110 - a database sets no event
            await asyncio.sleep(wait_s)


def _lookup(replies: list[QueryReply]) -> Lookup:
    shown = [entry for reply in replies if isinstance(reply, Found) for entry in reply.entries]
    shown.sort(key=lambda entry: entry.timestamp or _UNDATED)
    entries = tuple(found for found in map(_entry, shown) if found is not None)
    return Lookup(entries=entries, absent=all(isinstance(reply, Absent) for reply in replies))


def _entry(entry: Entry) -> GatewayEntry | None:
    if entry.id is None or entry.payment_type is None:
        return None
    verdict = classify(entry.result_code, entry.payment_type)
    booked = verdict is Verdict.SUCCESS
    # A reversal of a whole authorization names no amount; everything else booked does.
    readable = entry.amount_minor is not None or entry.payment_type is PaymentType.RV
    return GatewayEntry(
        gateway_id=entry.id,
        payment_type=entry.payment_type,
        succeeded=booked and readable,
        pending=not booked and verdict not in _DEAD,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        referenced_id=entry.referenced_id,
        merchant_transaction_id=entry.merchant_transaction_id,
        result_code=entry.result_code,
        booked_at=entry.timestamp,
    )
