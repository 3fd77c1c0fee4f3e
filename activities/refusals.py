"""A refusal inside of an activity, as its workflow is told of it."""

from temporalio.exceptions import ApplicationError

from disputes.errors import Refusal


def ended_by(refusal: Refusal) -> ApplicationError:
    """The contract's error; to try again would be refused again."""
    return ApplicationError(refusal.message, refusal.details, type=refusal.type, non_retryable=True)
