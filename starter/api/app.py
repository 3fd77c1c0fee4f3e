"""The application: its parts from the settings, its routes, one module for each resource."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.middleware import Middleware

from disputes.errors import ConfigurationError
from disputes.settings import Settings
from disputes.store.engine import Store, open_store
from disputes.store.ledger import LedgerBook
from disputes.store.notices import SqlNotices
from disputes.store.payment_reads import PaymentReads
from disputes.store.reads import Reads
from disputes.store.requests import RequestBook
from starter.api import (
    approvals,
    bulk,
    cases,
    commands,
    events,
    evidence,
    facts,
    feed,
    health,
    intake,
    ledger,
    notices,
    operations,
    orders,
    packets,
    payments,
    portfolio,
    preauthorizations,
    problems,
    reconciliations,
)
from starter.api.documents import Application
from starter.api.gateway_door import GatewayDoor
from starter.api.guard import Guard
from starter.api.keys import SETTING, KeyRing
from starter.api.metrics import Metrics
from starter.api.office import ApiOffice, Temporal
from starter.api.rates import RateLimit
from starter.client import ANSWER_TIMEOUT

#: Threads that read lists at once: more only take the interpreter from each other (bench/api).
_READERS: Final = 4
_ABOUT: Final = """Disputes and chargebacks, from the bank's notice to their end.

Errors are problem details (RFC 9457); `type` is the kind of refusal. There is no 5xx but 503, which
means *not known*: what was asked for may still be carried out. Repeat it with the same
`Idempotency-Key`."""
#: Routes with a fixed word come before those with an id in its place.
_PARTS: Final = (
    feed,
    bulk,
    intake,
    cases,
    events,
    packets,
    evidence,
    commands,
    approvals,
    facts,
    preauthorizations,
    orders,
    operations,
    payments,
    portfolio,
    notices,
    ledger,
    reconciliations,
    health,
)


def make_app(env: Mapping[str, str], *, patience: timedelta = ANSWER_TIMEOUT) -> FastAPI:
    """The API on the database and the Temporal server that the settings name.

    Args:
        env: variable names and values, such as ``os.environ``.
        patience: how long a caller is kept waiting for a case's answer.

    Raises:
        ConfigurationError: a setting, a file that one names or the database stops the start.
        Unreachable: no database answers.
    """
    settings = Settings.from_env(env)
    if settings.api_keys_file is None:
        raise ConfigurationError(f"{SETTING} is missing: make a key with `disputes api-key NAME`")
    keys = KeyRing.load(Path(settings.api_keys_file))
    store = open_store(settings.database_url)
    metrics = Metrics()
    office = ApiOffice(
        settings=settings,
        keys=keys,
        rates=RateLimit(),
        store=store,
        reads=Reads(store),
        files=PaymentReads(store),
        notices=SqlNotices(store),
        ledger=LedgerBook(store),
        requests=RequestBook(store),
        temporal=Temporal(env, store, settings.task_queue, patience),
        metrics=metrics,
    )
    door = GatewayDoor(office) if settings.webhook_keys else None
    app = Application(
        title="Dispute Engine",
        version=version("dispute-engine"),
        description=_ABOUT,
        lifespan=_running(store, door),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Guard, metrics=metrics)],
    )
    app.state.office = office
    problems.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    if door is not None:
        app.include_router(door.router)
    return app


def _running(
    store: Store, door: GatewayDoor | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _READERS
        async with door.delivering() if door else nullcontext():
            yield
        store.close()

    return lifespan
