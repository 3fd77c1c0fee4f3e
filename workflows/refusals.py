"""Turns refusals of the core into Temporal's application errors, once."""

from temporalio.exceptions import ApplicationError

from disputes.errors import Refusal


def as_application_error(refusal: Refusal) -> ApplicationError:
    """The contract's error: type, a message for a person, one details object."""
    return ApplicationError(refusal.message, refusal.details, type=refusal.type, non_retryable=True)
