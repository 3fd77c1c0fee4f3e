"""Turns refusals of the core into Temporal's application errors and back, once."""

from collections.abc import Mapping

from temporalio.exceptions import ApplicationError

from disputes import errors
from disputes.errors import Conflict, InvalidMessage, Refusal

_KINDS: Mapping[str, type[Refusal]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refusal)
}


def as_application_error(refusal: Refusal) -> ApplicationError:
    """The contract's error: type, a message for a person, one details object."""
    return ApplicationError(refusal.message, refusal.details, type=refusal.type, non_retryable=True)


def is_refusal(error: BaseException | None) -> bool:
    """Whether an application error is one of ours."""
    return isinstance(error, ApplicationError) and error.type in _KINDS


def refusal_of(error: ApplicationError) -> Refusal:
    """The refusal that a case sent: its type, message and details, as they were raised there."""
    kind = _KINDS.get(error.type or "", Refusal)
    details = error.details[0] if error.details else {}
    # Its own constructor would build the message anew; what the case said stands.
    refusal = kind.__new__(kind)
    Refusal.__init__(refusal, error.message, **dict(details))
    fields = details.get("fields")
    if isinstance(refusal, InvalidMessage):
        refusal.fields = dict(fields or {})
    elif isinstance(refusal, Conflict):
        refusal.fields = tuple(fields or ())
    return refusal
