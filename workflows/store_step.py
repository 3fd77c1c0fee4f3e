"""A step at the database: tried once as a local activity, then as a regular one until it works."""

from collections.abc import Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from workflows import options

A = TypeVar("A")
Request = TypeVar("Request")
Result = TypeVar("Result")


async def store_step(step: Callable[[A, Request], Result], request: Request) -> Result:
    """One activity that only reads or writes the database."""
    try:
        return await workflow.execute_local_activity_method(
            step,
            request,
            start_to_close_timeout=options.LOCAL_TIMEOUT,
            retry_policy=options.LOCAL_TRY,
        )
    except FailureError:
        return await workflow.execute_activity_method(
            step,
            request,
            start_to_close_timeout=options.STORE_TIMEOUT,
            retry_policy=options.STORE_RETRY,
        )
