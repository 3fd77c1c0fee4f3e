"""What a crash experiment needs to know of what it is done to: a dispute, or a payment."""

from typing import Any, Protocol

from temporalio.client import WorkflowHandle

from disputes.store.reads import OperationLine
from tests.support.engine import Engine, Json

#: Longest wait for anything: a machine may be slow, and a lost task is missed after ten seconds.
PATIENCE_S = 120.0


class Subject(Protocol):
    """One dispute or payment at one operation; waits look at the database alone.

    Attributes:
        worker: module of the worker process that carries it on.
    """

    engine: Engine
    worker: str

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        """The workflow that calls the operation."""

    @property
    def match(self) -> Json:
        """Which request at the gateway is the operation's."""

    async def prepare(self) -> None:
        """Come to just before the operation."""

    async def strike(self) -> None:
        """What makes it due."""

    def lines(self) -> list[OperationLine]:
        """The operation's row, once there is one."""

    def done(self) -> bool:
        """Whether the operation has ended."""

    async def rests(self) -> None:
        """Wait until all that the operation brings has come."""

    async def decide(self, *, happened: bool) -> None:
        """In doubt: wait until a person is asked, and give that person's word."""

    async def follow(self) -> None:
        """What comes next; wait until it has been carried out, too."""

    async def entries(self) -> list[Json]:
        """What the gateway's own book has of the subject."""

    def mirrored_minor(self) -> int:
        """What the ledger says that is."""
