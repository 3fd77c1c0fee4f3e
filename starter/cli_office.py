"""What every command shares: the way to the cases, messages from options, and what is printed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel

from disputes.decode import canonical, decode, sha256
from disputes.errors import InvalidMessage
from disputes.money import Money
from disputes.settings import Settings
from disputes.store.engine import Store, open_store
from disputes.store.payment_reads import PaymentReads
from disputes.store.register import SqlRegister
from starter.client import DisputeDesk
from starter.endpoints import with_running_stack
from starter.payment_desk import PaymentDesk
from workflows.connection import connect

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
By = Annotated[str, typer.Option("--by", help="Your name.")]
Amount = Annotated[
    str | None, typer.Option("--amount", help='A part: "92.00", or "92.00 EUR" with its currency.')
]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Office:
    """The desks, and the database behind them."""

    desk: DisputeDesk
    payments: PaymentDesk
    store: Store


def environment() -> dict[str, str]:
    """This process's environment, completed by the stack that runs in this folder."""
    return with_running_stack(os.environ)


def database() -> Store:
    """The database alone, for what needs no Temporal server."""
    return open_store(Settings.from_env(environment()).database_url)


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    """The desk on the Temporal server and database that the settings name."""
    env = environment()
    settings = Settings.from_env(env)
    store = open_store(settings.database_url)
    try:
        client = await connect(env)
        register, queue = SqlRegister(store), settings.task_queue
        payments = PaymentDesk(client, register, PaymentReads(store), queue)
        yield Office(DisputeDesk(client, register, queue), payments, store)
    finally:
        store.close()


def at_desk(work: Callable[[DisputeDesk], Awaitable[T]]) -> T:
    """Do ``work`` with the desk and give its result."""

    async def run() -> T:
        async with office() as opened:
            return await work(opened.desk)

    return asyncio.run(run())


def at_payment_desk(work: Callable[[PaymentDesk], Awaitable[T]]) -> T:
    """Do ``work`` with the desk of payments' own workflows and give its result."""

    async def run() -> T:
        async with office() as opened:
            return await work(opened.payments)

    return asyncio.run(run())


def message(model: type[M], **fields: object) -> M:
    """A message from what the options gave; checked as strictly as any other door's."""
    given = {name: value for name, value in fields.items() if value is not None}
    return decode(model, json.dumps(given), edge=True)


async def money(desk: DisputeDesk, case_id: str, text: str | None) -> dict[str, str] | None:
    """Money of an option; without a currency, in the case's own."""
    if text is None:
        return None
    amount, _, currency = text.partition(" ")
    if not currency:
        currency = (await desk.status(case_id)).currency
    if not currency:
        raise InvalidMessage({"amount": 'needs its currency, for the case has none: "92.00 EUR"'})
    return message(Money, amount=amount, currency=currency).model_dump()


def full_money(text: str) -> dict[str, str]:
    """Money of an option that names its currency; ``InvalidMessage`` for one that does not."""
    amount, _, currency = text.partition(" ")
    if not currency:
        raise InvalidMessage({"amount": 'needs its currency: "92.00 EUR"'})
    return message(Money, amount=amount, currency=currency).model_dump()


def own_id(prefix: str, *content: object) -> str:
    """An id that the same content always gets: giving a command twice does it once."""
    return f"{prefix}-{sha256(canonical(content))[:16]}"


def moment(given: str | None) -> str:
    """A moment as given, else this one; RFC 3339 in UTC."""
    return given or datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def print_json(
    value: BaseModel | Mapping[str, object] | Sequence[BaseModel | Mapping[str, object]],
) -> None:
    """Print a model, an object or a list of them as JSON."""
    sys.stdout.write(json.dumps(_plain(value), indent=2, ensure_ascii=False) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
