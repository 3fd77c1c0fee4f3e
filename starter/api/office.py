"""What every route shares: the books, and the way to Temporal, which may be away."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request
from temporalio.client import Client

from disputes.errors import ConfigurationError, NotFound, Unreachable
from disputes.settings import Settings
from disputes.store.engine import Store
from disputes.store.ledger import LedgerBook
from disputes.store.notices import SqlNotices
from disputes.store.payment_reads import PaymentReads
from disputes.store.reads import Reads
from disputes.store.register import SqlRegister
from disputes.store.requests import RequestBook
from starter.api.keys import ApiKey, KeyRing
from starter.api.metrics import Metrics
from starter.api.rates import RateLimit
from starter.client import DisputeDesk
from starter.payment_desk import Kind, PaymentDesk
from workflows.connection import connect
from workflows.ids import payment_workflow_id

#: After a server did not answer, the next requests are told so at once for this long.
_GIVE_UP_S = 1.0
#: Beyond the desk's own patience: it ends with a better word.
_GRACE = timedelta(seconds=5)


class Limit:
    """How long to wait for Temporal; what takes long because there is much to do begins anew."""

    def __init__(self, timeout: asyncio.Timeout, seconds: float) -> None:
        self._timeout = timeout
        self._seconds = seconds

    def begin(self) -> None:
        """Something was answered, or there is something new to do."""
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def not_while_reading(self, chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
        """The same chunks; waiting for the sender of one is not waiting for Temporal."""
        self._timeout.reschedule(None)
        async for chunk in chunks:
            self.begin()
            yield chunk
            self._timeout.reschedule(None)
        self.begin()


class Temporal:
    """The Temporal server: connected at the first need, so that reads go on without it."""

    def __init__(
        self, env: Mapping[str, str], store: Store, task_queue: str, patience: timedelta
    ) -> None:
        self._env = dict(env)
        self._register = SqlRegister(store)
        self._files = PaymentReads(store)
        self._task_queue = task_queue
        self._patience = patience
        self._client: Client | None = None
        self._lock = asyncio.Lock()
        self._failed: tuple[float, Exception] | None = None

    async def client(self) -> Client:
        """A client; ``Unreachable`` or ``ConfigurationError`` where there can be none."""
        async with self._lock:
            if self._client is None:
                if self._failed and time.monotonic() - self._failed[0] < _GIVE_UP_S:
                    raise self._failed[1]
                try:
                    self._client = await connect(self._env)
                except (Unreachable, ConfigurationError) as error:
                    self._failed = (time.monotonic(), error)
                    raise
            return self._client

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[DisputeDesk]:
        """The desk of disputes, for as long as a caller may be kept waiting.

        Raises:
            Unreachable: nothing answers in time; what was asked for may still be carried out.
        """
        async with self.limited():
            yield await self.dispute_desk()

    @asynccontextmanager
    async def payments(self) -> AsyncIterator[PaymentDesk]:
        """The desk of payments' own workflows; otherwise as ``desk``."""
        async with self.limited():
            yield await self.payment_desk()

    async def dispute_desk(self) -> DisputeDesk:
        """The desk of cases, without a limit of its own."""
        client = await self.client()
        return DisputeDesk(client, self._register, self._task_queue, patience=self._patience)

    async def payment_desk(self) -> PaymentDesk:
        """The desk of payments' own workflows, without a limit of its own."""
        return PaymentDesk(
            await self.client(),
            self._register,
            self._files,
            self._task_queue,
            patience=self._patience,
        )

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[Limit]:
        """Raise ``Unreachable`` once nothing has answered for as long as a caller may wait."""
        late = False
        seconds = (self._patience + _GRACE).total_seconds()
        try:
            async with asyncio.timeout(seconds) as timeout:
                yield Limit(timeout, seconds)
        except TimeoutError:
            late = True
        if late:
            raise Unreachable("Temporal does not answer: what was asked for may yet be carried out")


@dataclass(frozen=True)
class ApiOffice:
    """The parts of a running API."""

    settings: Settings
    keys: KeyRing
    rates: RateLimit
    store: Store
    reads: Reads
    files: PaymentReads
    notices: SqlNotices
    ledger: LedgerBook
    requests: RequestBook
    temporal: Temporal
    metrics: Metrics

    def see(self, key: ApiKey, case_id: str) -> None:
        """Refuse a case that is not of the key's merchants, as if it did not exist; blocks."""
        if key.merchants is not None and not key.sees(self.reads.merchant(case_id)):
            raise NotFound("there is no case with this id")

    def see_payment(self, key: ApiKey, kind: Kind, own_id: str) -> None:
        """Refuse a pre-authorization or order as ``see`` refuses a case; blocks.

        One that nobody has asked for yet passes.
        """
        merchant = self.files.merchant(payment_workflow_id(kind, own_id))
        if merchant is not None and not key.sees(merchant):
            raise NotFound(f"there is no {kind} with this id")

    def see_books(self, key: ApiKey, payment_id: str) -> None:
        """Refuse a payment that the books know as another merchant's than the key's; blocks.

        One of which they have nothing yet passes.
        """
        books = self.reads.payment(payment_id) if key.merchants is not None else None
        if books is not None and not key.sees(books.merchant_id):
            raise NotFound("the key's merchants have no such payment")


def office_of(request: Request) -> ApiOffice:
    """The office of the application that a request came to."""
    office: ApiOffice = request.app.state.office
    return office
