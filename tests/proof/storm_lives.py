"""The cases of a storm: what happens to each, by callers who try again until they are heard."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from temporalio.service import RPCError

from disputes.decode import sha256
from disputes.errors import Refusal, Unreachable
from disputes.messages import BankRuling, Consent, RequestRebill
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.store.reads import Reads
from disputes.store.register import SqlRegister
from disputes.vocabulary import Network, Outcome, Stage
from starter.client import DisputeDesk
from tests.proof.storm_ground import Ground

_AMOUNT = Money(amount="92.00", currency="EUR")
_PART = Money(amount="40.00", currency="EUR")
_AGAIN_S = 0.5
_AWAY = (Unreachable, RPCError, DBAPIError, TimeoutError)
T = TypeVar("T")


@dataclass(frozen=True)
class Life:
    """What happens to a case, its status at the end, and what then is with the merchant."""

    acts: tuple[str, ...]
    status: str
    net_minor: int


LIVES = (
    Life((), "collecting", 0),
    Life(("win",), "won", 92_00),
    Life(("lose",), "lost", 0),
    Life(("win", "lose"), "lost", 0),
    Life(("lose", "win"), "won", 92_00),
    Life(("win", "lose", "win"), "won", 92_00),
    Life(("part",), "partially_won", 40_00),
    Life(("lose", "rebill"), "lost", 92_00),
    Life(("lose", "rebill", "win"), "won", 92_00),
)


def life_of(number: int) -> Life:
    """The life of a case by its number."""
    return LIVES[number % len(LIVES)]


def case_id_of(number: int) -> str:
    """Its id."""
    return f"S-{number}"


def payment_of(number: int) -> str:
    """Its payment at the gateway, 32 hex."""
    return sha256(f"storm payment {number}")[:32]


class Callers:
    """The doors, as patient callers use them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._desk = DisputeDesk(
            ground.client, SqlRegister(ground.store), patience=timedelta(seconds=5)
        )
        self._reads = Reads(ground.store)

    async def live(self, number: int) -> None:
        """Let a case live; ends when all that happens to it has been taken."""
        case_id, payment_id = case_id_of(number), payment_of(number)
        await self._ground.sandbox.payment(payment_id, _AMOUNT.amount, _AMOUNT.currency)
        now = datetime.now(UTC)
        notice = DisputeNotice(
            dispute_id=case_id,
            merchant_id="M-1",
            payment_id=payment_id,
            stage=Stage.CHARGEBACK,
            network=Network.VISA,
            reason_code="13.1",
            amount=_AMOUNT,
            received_at=now,
            respond_by=now + timedelta(days=25),
        )
        await insist(lambda: self._desk.open(notice))
        for place, act in enumerate(life_of(number).acts):
            await self._act(case_id, act, f"R-{number}-{place}")

    async def _act(self, case_id: str, act: str, fact_id: str) -> None:
        if act == "rebill":
            await self._rebill(case_id, fact_id)
            return
        outcomes = {
            "win": Outcome.MERCHANT_WON,
            "lose": Outcome.CARDHOLDER_WON,
            "part": Outcome.PARTIAL,
        }
        told: dict[str, object] = {"merchant_amount": _PART} if act == "part" else {}
        ruling = BankRuling.model_validate(
            {
                "ruling_id": fact_id,
                "outcome": outcomes[act],
                "decided_at": datetime.now(UTC),
                **told,
            }
        )
        await insist(lambda: self._desk.fact(case_id, "bank_ruling", ruling))

    async def _rebill(self, case_id: str, rebill_id: str) -> None:
        """Once the case is lost and its chargeback booked; told again, it is refused."""
        consent = Consent(given_at=datetime.now(UTC), evidence_id="E-consent")
        wanted = RequestRebill(
            requested_by="ana", reason="the goods were kept", consent=consent, rebill_id=rebill_id
        )
        while not await self._rebilled(case_id):
            with suppress(Refusal):
                await insist(lambda: self._desk.command(case_id, "request_rebill", wanted))
            await asyncio.sleep(_AGAIN_S)

    async def _rebilled(self, case_id: str) -> bool:
        lines = await insist(lambda: asyncio.to_thread(self._reads.operations, dispute_id=case_id))
        return any(line.payment_type == "RB" for line in lines)


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Call until somebody answers; a refusal is an answer."""
    while True:
        with suppress(*_AWAY):
            return await call()
        await asyncio.sleep(_AGAIN_S)
