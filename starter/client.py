"""The desk: the one typed way from a door (feed, command line, HTTP) to the cases."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowHandle,
    WorkflowQueryRejectedError,
)
from temporalio.common import (
    QueryRejectCondition,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from disputes.case import Case
from disputes.consequences import Consequences, consequences
from disputes.decode import canonical_of
from disputes.errors import Conflict, InvalidMessage, NotFound
from disputes.fields import Durable, Identifier
from disputes.lifecycle import fold
from disputes.messages import BankRuling, NetworkEvent
from disputes.notice import DisputeNotice
from disputes.notification import PLACEHOLDER
from disputes.ports import CaseFile
from disputes.status import CaseStatus, TimelineEntry, status_of, timeline_of
from starter.attributes import attributes_of
from starter.grouped import Grouped
from starter.refusals import translated
from workflows.ids import DISPUTE_WORKFLOW, TASK_QUEUE, dispute_workflow_id

#: A person waits for the answer; an idle worker gives it in milliseconds.
ANSWER_TIMEOUT = timedelta(seconds=20)
_ID = TypeAdapter(Identifier)
#: A frozen worker keeps a case's task for this long, twice; the server's own default is 10 s.
TASK_TIMEOUT = timedelta(seconds=5)
_REUSE = WorkflowIDReusePolicy.ALLOW_DUPLICATE

T = TypeVar("T")


class Claims(Protocol):
    """What the desk needs of the register: the claims, and cases that Temporal has forgotten."""

    def claim_all(self, claims: Sequence[tuple[str, str]]) -> list[bool | Conflict]:
        """Take ids for canonical JSON; of each if it was free, or the ``Conflict`` with another."""

    def load(self, case_id: str) -> CaseFile:
        """Everything known of a case; empty for an unknown one."""

    def meant(self, case_id: str) -> str:
        """The case that an id means: of a placeholder that became an alias, the real one."""

    def placeholder(self, case_id: str) -> CaseStatus | None:
        """What is shown of a chargeback without a notice; ``None`` for every other id."""


class OpenResult(Durable):
    """What opening a dispute did; ``known`` when the same content had been taken before."""

    dispute_id: str
    known: bool


class DisputeDesk:
    """Starts, tells, asks and commands cases.

    Every method raises ``Refusal`` when a case or the register says no, and ``Unreachable`` when
    Temporal is away, or no worker answers within ``patience``.
    """

    def __init__(
        self,
        client: Client,
        claims: Claims,
        task_queue: str = TASK_QUEUE,
        *,
        patience: timedelta = ANSWER_TIMEOUT,
    ) -> None:
        self._client = client
        self._claims = claims
        self._claim = Grouped(claims.claim_all)
        self._task_queue = task_queue
        self._patience = patience

    async def open(self, notice: DisputeNotice) -> OpenResult:
        """Open a case, once for the same content.

        Raises:
            Conflict: the id is taken by other content, whether its case runs, has closed or is
                forgotten by Temporal; names the fields. Or it is the alias of another dispute.
        """
        case_id = notice.dispute_id
        content = canonical_of(notice)
        fresh = await self._claim.do((dispute_workflow_id(case_id), content))
        # A claim without a case: whoever took it ended before it could start one.
        if fresh or not await self._is_open(case_id):
            await self._start(notice)
        return OpenResult(dispute_id=case_id, known=not fresh)

    async def _is_open(self, case_id: str) -> bool:
        file = await asyncio.to_thread(self._claims.load, case_id)
        return any(event.body.kind == "opened" for event in file.events)

    async def _start(self, notice: DisputeNotice) -> None:
        async with translated():
            try:
                await self._client.start_workflow(
                    DISPUTE_WORKFLOW,
                    _json(notice),
                    id=dispute_workflow_id(notice.dispute_id),
                    task_queue=self._task_queue,
                    id_reuse_policy=_REUSE,
                    task_timeout=TASK_TIMEOUT,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    search_attributes=attributes_of(notice),
                )
            except WorkflowAlreadyStartedError:  # a fact came first
                await self._signal(notice.dispute_id, "dispute_opened", notice)

    async def fact(self, case_id: str, name: str, fact: BaseModel) -> None:
        """Tell a case a fact; one for a case not seen yet starts it and waits there.

        Args:
            case_id: the dispute's id.
            name: the signal, as the contract names it.
            fact: its payload.

        Raises:
            InvalidMessage: the id is no case's, or that of a chargeback without a notice.
        """
        case_id = await self._meant(case_id)
        async with translated():
            await self._signal(case_id, name, fact)

    async def _signal(self, case_id: str, name: str, message: BaseModel) -> None:
        await self._client.start_workflow(
            DISPUTE_WORKFLOW,
            id=_workflow_id(case_id),
            task_queue=self._task_queue,
            id_reuse_policy=_REUSE,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=name,
            start_signal_args=[_json(message)],
        )

    async def command(
        self, case_id: str, name: str, message: BaseModel, idempotency_key: str | None = None
    ) -> dict[str, object]:
        """Give a command and wait until it is carried out or refused.

        Args:
            case_id: the dispute's id.
            name: the update, as the contract names it.
            message: its payload.
            idempotency_key: the same key has the same effect once, and the same answer.

        Raises:
            NotFound: neither Temporal nor the register knows the case.
            InvalidMessage: the id is no case's, or that of a chargeback without a notice.
        """
        case_id = await self._meant(case_id)
        async with translated():
            try:
                answer: dict[str, object] = await self._handle(case_id).execute_update(
                    name, _json(message), id=idempotency_key, rpc_timeout=self._patience
                )
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                await self._file(case_id)
                answer = await self._reopen(case_id, name, message, idempotency_key)
            return answer

    async def _reopen(
        self, case_id: str, name: str, message: BaseModel, idempotency_key: str | None
    ) -> dict[str, object]:
        start = WithStartWorkflowOperation[object, dict[str, object]](
            DISPUTE_WORKFLOW,
            id=_workflow_id(case_id),
            task_queue=self._task_queue,
            id_reuse_policy=_REUSE,
            task_timeout=TASK_TIMEOUT,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        answer: dict[str, object] = await self._client.execute_update_with_start_workflow(
            name,
            _json(message),
            start_workflow_operation=start,
            id=idempotency_key,
            rpc_timeout=self._patience,
        )
        return answer

    async def status(self, case_id: str) -> CaseStatus:
        """All that may be asked of a case; ``NotFound`` for an unknown one."""
        placeholder = await self._placeholder(case_id)
        if placeholder is not None:
            return placeholder
        return await self._ask(case_id, "status", CaseStatus, status_of)

    async def timeline(self, case_id: str) -> list[TimelineEntry]:
        """A case's history in the order of acceptance; ``NotFound`` for an unknown one."""
        if await self._placeholder(case_id) is not None:
            return []
        return await self._ask(
            case_id, "timeline", list[TimelineEntry], lambda case: list(timeline_of(case))
        )

    async def consequences(
        self, case_id: str, hypothetical: BankRuling | NetworkEvent | None, now: datetime
    ) -> Consequences:
        """What would follow; changes nothing. ``NotFound`` for an unknown case.

        Args:
            case_id: the dispute's id.
            hypothetical: what may happen, or None for nothing by the deadline.
            now: this moment (UTC), for a case that does not run; one that runs has its own.
        """
        return await self._ask(
            case_id,
            "consequences",
            Consequences,
            lambda case: consequences(case, hypothetical, now),
            hypothetical,
        )

    async def _ask(
        self,
        case_id: str,
        query: str,
        answer: type[T],
        from_register: Callable[[Case], T],
        *messages: BaseModel | None,
    ) -> T:
        """Ask the case while it runs; one that is closed or forgotten is its register."""
        case_id = await self._meant(case_id)
        async with translated():
            try:
                told: T = await self._handle(case_id).query(
                    query,
                    args=[message and _json(message) for message in messages],
                    result_type=answer,
                    reject_condition=QueryRejectCondition.NOT_OPEN,
                    rpc_timeout=self._patience,
                )
            except WorkflowQueryRejectedError:
                pass
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                return told
        file = await self._file(case_id)
        return from_register(fold(case_id, file.events))

    async def _meant(self, case_id: str) -> str:
        """The case to speak to; a placeholder has nobody who could take a message."""
        if not case_id.startswith(PLACEHOLDER):
            return case_id
        if await self._placeholder(case_id) is not None:
            raise InvalidMessage({"dispute_id": "has no notice yet: open the case by its notice"})
        return await asyncio.to_thread(self._claims.meant, case_id)

    async def _placeholder(self, case_id: str) -> CaseStatus | None:
        if not case_id.startswith(PLACEHOLDER):
            return None
        return await asyncio.to_thread(self._claims.placeholder, case_id)

    def _handle(self, case_id: str) -> WorkflowHandle[object, object]:
        return self._client.get_workflow_handle(_workflow_id(case_id))

    async def _file(self, case_id: str) -> CaseFile:
        file = await asyncio.to_thread(self._claims.load, case_id)
        if not file.events and file.claimed is None:
            raise NotFound("there is no case with this id")
        return file


def _workflow_id(case_id: str) -> str:
    try:
        return dispute_workflow_id(_ID.validate_python(case_id))
    except ValidationError:
        pass
    raise InvalidMessage({"dispute_id": "must be 1-64 letters, digits, dots, underscores, hyphens"})


def _json(message: BaseModel) -> dict[str, object]:
    """What was given and no more: an empty field that nobody sent is not part of a message."""
    return message.model_dump(mode="json", exclude_unset=True)
