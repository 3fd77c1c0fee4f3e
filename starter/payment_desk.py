"""The desk of payments' own workflows: pre-authorizations, refunds, payouts and rebills."""

import asyncio
from datetime import timedelta
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import (
    QueryRejectCondition,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from disputes.authorization_status import PreAuthorizationStatus
from disputes.decode import canonical_of, json_of
from disputes.errors import IllegalTransition, InvalidMessage, NotFound, Unreachable
from disputes.fields import Durable, Identifier
from disputes.order_status import OperationSummary
from disputes.orders import order_id_of
from disputes.requests import OrderRequest, PreAuthorization
from disputes.vocabulary import OrderState
from starter.attributes import payment_attributes
from starter.client import ANSWER_TIMEOUT, TASK_TIMEOUT
from starter.refusals import translated
from workflows.ids import PAYMENT_WORKFLOWS, payment_workflow_id
from workflows.refusals import is_refusal, refusal_of

Kind = Literal["preauthorization", "refund", "payout", "rebill"]
_ID = TypeAdapter(Identifier)
_REUSE = WorkflowIDReusePolicy.ALLOW_DUPLICATE
_POLL_S = 0.05
#: States in which nothing more happens by itself.
_RESTING = frozenset(
    {
        OrderState.WAITING_FOR_APPROVAL.value,
        OrderState.IN_DOUBT.value,
        OrderState.SETTLED.value,
        OrderState.DECLINED.value,
    }
)
S = TypeVar("S", bound=BaseModel)


class Claims(Protocol):
    """What the desk needs of the register."""

    def claim(self, workflow_id: str, content: str) -> bool:
        """Take an id for canonical JSON; ``Conflict`` when other content holds it."""


class Files(Protocol):
    """What the desk needs of the read model, for what Temporal has forgotten."""

    def status(self, workflow_id: str) -> str | None:
        """The JSON of a status; ``None`` for an unknown one."""


class Started(Durable):
    """What starting did; ``known`` when the same content had been taken before."""

    workflow_id: str
    known: bool


class _Standing(BaseModel):
    """What every status says."""

    state: str


class PaymentDesk:
    """Starts, commands and asks payments' own workflows.

    Every method raises ``Refusal`` when a workflow or the register says no, and ``Unreachable``
    when Temporal is away, or no worker answers within ``patience``.
    """

    def __init__(
        self,
        client: Client,
        claims: Claims,
        files: Files,
        task_queue: str,
        *,
        patience: timedelta = ANSWER_TIMEOUT,
    ) -> None:
        self._client = client
        self._claims = claims
        self._files = files
        self._task_queue = task_queue
        self._patience = patience

    async def authorize(self, start: PreAuthorization) -> Started:
        """Watch over a pre-authorization, once for the same content.

        Raises:
            Conflict: the id is taken by other content; names the fields.
        """
        return await self._start("preauthorization", start.payment_id, start)

    async def order(self, kind: Kind, request: OrderRequest) -> Started:
        """Ask for a refund, payout or rebill, once for the same content; see ``authorize``."""
        return await self._start(kind, order_id_of(request), request)

    async def _start(
        self, kind: Kind, own_id: str, request: PreAuthorization | OrderRequest
    ) -> Started:
        workflow_id = payment_workflow_id(kind, own_id)
        fresh = await asyncio.to_thread(self._claims.claim, workflow_id, canonical_of(request))
        if fresh or not await self._has_begun(workflow_id):
            async with translated():
                try:
                    await self._client.start_workflow(
                        PAYMENT_WORKFLOWS[kind],
                        json_of(request),
                        id=workflow_id,
                        task_queue=self._task_queue,
                        id_reuse_policy=_REUSE,
                        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                        task_timeout=TASK_TIMEOUT,
                        search_attributes=payment_attributes(request),
                    )
                except WorkflowAlreadyStartedError:
                    fresh = False
        return Started(workflow_id=workflow_id, known=not fresh)

    async def _has_begun(self, workflow_id: str) -> bool:
        """Whether it is on file; what was refused before anything was sent may be asked again."""
        text = await asyncio.to_thread(self._files.status, workflow_id)
        if text is None:
            return False
        if workflow_id.startswith("preauthorization/"):
            return True
        return not _refused_unsent(OperationSummary.model_validate_json(text))

    async def signal(self, kind: Kind, own_id: str, name: str, message: BaseModel) -> None:
        """Tell a fact to a workflow that is on file, whether it runs, has closed or is forgotten.

        Raises:
            NotFound: there is none of that id.
        """
        if await asyncio.to_thread(self._files.status, self._id(kind, own_id)) is None:
            raise NotFound(f"there is no {kind} with this id")
        async with translated():
            await self._client.start_workflow(
                PAYMENT_WORKFLOWS[kind],
                id=self._id(kind, own_id),
                task_queue=self._task_queue,
                id_reuse_policy=_REUSE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                task_timeout=TASK_TIMEOUT,
                start_signal=name,
                start_signal_args=[json_of(message)],
            )

    async def command(
        self,
        kind: Kind,
        own_id: str,
        name: str,
        message: BaseModel,
        idempotency_key: str | None = None,
    ) -> dict[str, object]:
        """Give a command to a running workflow and wait until it is carried out or refused.

        One that has ended takes only ``resolve_operation``: what undoes a twin of its operations
        may be in doubt for longer than itself.

        Raises:
            NotFound: there is none of that id.
            IllegalTransition: it has ended, and takes no other command.
        """
        handle: WorkflowHandle[object, object] = self._client.get_workflow_handle(
            self._id(kind, own_id)
        )
        async with translated():
            try:
                answer: dict[str, object] = await handle.execute_update(
                    name, json_of(message), id=idempotency_key, rpc_timeout=self._patience
                )
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                return answer
        known = await asyncio.to_thread(self._files.status, self._id(kind, own_id))
        if known is None:
            raise NotFound(f"there is no {kind} with this id")
        if name == "resolve_operation":
            return await self._reopen(kind, own_id, name, message, idempotency_key)
        raise IllegalTransition(_Standing.model_validate_json(known).state, name, [])

    async def _reopen(
        self, kind: Kind, own_id: str, name: str, message: BaseModel, idempotency_key: str | None
    ) -> dict[str, object]:
        start = WithStartWorkflowOperation[object, dict[str, object]](
            PAYMENT_WORKFLOWS[kind],
            id=self._id(kind, own_id),
            task_queue=self._task_queue,
            id_reuse_policy=_REUSE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
        )
        async with translated():
            answer: dict[str, object] = await self._client.execute_update_with_start_workflow(
                name,
                json_of(message),
                start_workflow_operation=start,
                id=idempotency_key,
                rpc_timeout=self._patience,
            )
        return answer

    async def authorization(self, payment_id: str) -> PreAuthorizationStatus:
        """All that may be asked of a pre-authorization; ``NotFound`` for an unknown one."""
        return await self._status("preauthorization", payment_id, PreAuthorizationStatus)

    async def order_status(self, kind: Kind, own_id: str) -> OperationSummary:
        """All that may be asked of a refund, payout or rebill; ``NotFound`` for an unknown one."""
        return await self._status(kind, own_id, OperationSummary)

    async def watched(self, payment_id: str) -> PreAuthorizationStatus:
        """A pre-authorization that was asked for, once its workflow has begun.

        Raises:
            Unreachable: no worker takes it up within ``patience``; it is watched over later.
        """
        workflow_id = self._id("preauthorization", payment_id)
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                while await asyncio.to_thread(self._files.status, workflow_id) is None:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            pass
        else:
            return await self.authorization(payment_id)
        raise Unreachable("no worker has taken it up yet: it is watched over once one does")

    async def outcome(self, kind: Kind, own_id: str) -> OperationSummary:
        """An order once it has ended, or waits for a person, or ``patience`` is over.

        Raises the refusal that ended it before anything was sent.
        """
        handle: WorkflowHandle[object, OperationSummary] = self._client.get_workflow_handle(
            self._id(kind, own_id), result_type=OperationSummary
        )
        result = asyncio.create_task(handle.result())
        try:
            async with translated(), asyncio.timeout(self._patience.total_seconds()):
                while not result.done():
                    await asyncio.wait([result], timeout=_POLL_S)
                    told = await asyncio.to_thread(self._files.status, self._id(kind, own_id))
                    known = OperationSummary.model_validate_json(told) if told else None
                    if known is not None and _rests(known):
                        return known
                return await result
        except TimeoutError:
            return await self.order_status(kind, own_id)
        except WorkflowFailureError as failed:
            cause = failed.cause
        finally:
            result.cancel()
        if isinstance(cause, ApplicationError) and is_refusal(cause):
            raise refusal_of(cause)
        raise RuntimeError(f"the {kind} failed: {cause}")

    async def _status(self, kind: Kind, own_id: str, model: type[S]) -> S:
        """Of its workflow while it runs, else as it was recorded."""
        workflow_id = self._id(kind, own_id)
        async with translated():
            try:
                told: S = await self._client.get_workflow_handle(workflow_id).query(
                    "status",
                    result_type=model,
                    reject_condition=QueryRejectCondition.NOT_OPEN,
                    rpc_timeout=self._patience,
                )
            except (WorkflowQueryRejectedError, WorkflowQueryFailedError):
                pass
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
            else:
                return told
        text = await asyncio.to_thread(self._files.status, workflow_id)
        if text is None:
            raise NotFound(f"there is no {kind} with this id")
        return model.model_validate_json(text)

    def _id(self, kind: Kind, own_id: str) -> str:
        try:
            return payment_workflow_id(kind, _ID.validate_python(own_id))
        except ValidationError:
            pass
        raise InvalidMessage({"id": "must be 1-64 letters, digits, dots, underscores, hyphens"})


def _refused_unsent(order: OperationSummary) -> bool:
    return order.state == OrderState.REFUSED.value and order.operation is None


def _rests(order: OperationSummary) -> bool:
    """Whether its file says all there is to say; a refused one may just be asked for again."""
    refused = order.state == OrderState.REFUSED.value and not _refused_unsent(order)
    return refused or order.state in _RESTING
