"""Turns the SDK's errors into ours, once, so that no door handles Temporal's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from disputes.errors import ConfigurationError, Refusal, Unreachable
from workflows.refusals import refusal_of

_AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
    }
)
_FORBIDDEN = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED})
_NO_WORKER = (
    "no worker answered in time: is one running (`disputes up`, `dispute-worker`)?"
    " A command that was sent may still be carried out"
)


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Let refusals of a case out as ``Refusal``, a silent service as ``Unreachable``."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        if isinstance(error.cause, ApplicationError):
            raise refusal_of(error.cause) from None
        raise
    except WorkflowQueryFailedError as error:
        raise Refusal(error.message) from None
    except RPCTimeoutOrCancelledError:
        raise Unreachable(_NO_WORKER) from None
    except RPCError as error:
        if error.status in _AWAY:
            raise Unreachable(f"Temporal cannot do it now: {error.message}") from error
        if error.status in _FORBIDDEN:
            raise ConfigurationError(
                "the Temporal server refuses us: check the TEMPORAL_... settings"
            ) from error
        raise
