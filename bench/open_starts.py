"""What cases are opened with: disputes and pre-authorizations on payments of their own."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import httpx

from bench.lives import AMOUNT
from bench.turns import in_turns
from disputes.decode import sha256
from disputes.notice import DisputeNotice
from disputes.requests import PreAuthorization
from disputes.vocabulary import Network, PaymentType, Stage

Start: TypeAlias = DisputeNotice | PreAuthorization

_numbers = itertools.count(1)
_ANSWER_WITHIN = timedelta(days=25)
_GOOD_FOR = timedelta(days=30)
_BOOKERS = 8


def mixed(count: int) -> list[Start]:
    """So many starts, disputes and pre-authorizations in turns, that wait for weeks."""
    end = datetime.now(UTC) + _GOOD_FOR
    return [_notice() if number % 2 else authorization(end) for number in range(count)]


def authorization(expires_at: datetime) -> PreAuthorization:
    """The start of a pre-authorization that lapses at a moment (UTC)."""
    return PreAuthorization(
        payment_id=_payment_id(),
        merchant_id="M-1",
        network=Network.VISA,
        amount=AMOUNT,
        authorized_at=datetime.now(UTC),
        expires_at=expires_at,
    )


def _notice() -> DisputeNotice:
    now = datetime.now(UTC)
    payment_id = _payment_id()
    return DisputeNotice(
        dispute_id=f"O-{payment_id}",
        merchant_id="M-1",
        payment_id=payment_id,
        stage=Stage.CHARGEBACK,
        network=Network.VISA,
        reason_code="13.1",
        amount=AMOUNT,
        received_at=now,
        processed_at=now.date(),
        respond_by=now + _ANSWER_WITHIN,
    )


def _payment_id() -> str:
    return sha256(f"bench payment {next(_numbers)}")[:32]


async def book(gateway_url: str, starts: Sequence[Start]) -> None:
    """Set up the payments of ``starts`` at the sandbox."""
    async with httpx.AsyncClient(base_url=gateway_url) as http:

        async def one(start: Start) -> None:
            kind = PaymentType.DB if isinstance(start, DisputeNotice) else PaymentType.PA
            asked = {"id": start.payment_id, "payment_type": kind.value, **AMOUNT.model_dump()}
            (await http.post("/_sandbox/payments", json=asked)).raise_for_status()

        await in_turns(starts, one, _BOOKERS)
