"""Everything that the engine refuses, in one tree.

    Refusal                     a person or program asked for what cannot be
    ├── InvalidMessage          shape or content of a message; names the fields
    │   └── InvalidNotice       the same, of the notice that should open a case
    ├── NotFound                no such case, payment or request
    ├── Conflict                same id, other content; names the fields
    ├── IllegalTransition       not in this status; lists what is allowed
    ├── DeadlinePassed          too late
    ├── IncompleteEvidence      the checklist has gaps
    ├── SecondPersonNeeded      four eyes: the requester may not decide
    ├── MoneyHeld               another operation or guard holds the payment
    └── NotSupported            the acquirer or scheme does not have it
    Unreachable                 a service that does not answer
    ConfigurationError          a setting, policy file or database that stops the start

No message and no detail repeats a value that was given (contract, Refusals).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar


class Refusal(Exception):
    """A business refusal: ``type`` is the class name, ``details`` one JSON object."""

    #: What the same caller can expect from sending the same again.
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @property
    def type(self) -> str:
        """The contract's name of this refusal."""
        return self.__class__.__name__


class InvalidMessage(Refusal):
    """A message cannot be read; ``fields`` maps each field to the reason."""

    def __init__(self, fields: Mapping[str, str], what: str = "the message") -> None:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in fields.items())
        super().__init__(f"{what} is invalid: {reasons}", fields=dict(fields))
        self.fields = dict(fields)


class InvalidNotice(InvalidMessage):
    """A notice cannot open a case."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(fields, what="the notice")


class NotFound(Refusal):
    """What was named does not exist."""


class Conflict(Refusal):
    """The id is taken by other content; ``fields`` names what differs."""

    #: the id under which it is known instead, where that is why
    known_as: str | None = None

    def __init__(self, what: str, fields: Sequence[str], known_as: str | None = None) -> None:
        listed = ", ".join(fields)
        message = f"{what} is known already with other content: {listed}"
        if known_as is not None:
            message = f"{what} is known already, as {known_as}: use that {listed}"
        super().__init__(message, fields=list(fields))
        self.fields = tuple(fields)
        self.known_as = known_as


class IllegalTransition(Refusal):
    """The case's status does not allow it."""

    def __init__(self, status: str, event: str, allowed: Sequence[str]) -> None:
        listed = ", ".join(allowed) or "nothing"
        super().__init__(
            f"{event} is not possible while the case is {status}; possible now: {listed}",
            status=status,
            event=event,
            allowed=list(allowed),
        )


class DeadlinePassed(Refusal):
    """The network's clock ran out."""

    def __init__(self, respond_by: str) -> None:
        super().__init__(f"the deadline passed at {respond_by}", respond_by=respond_by)


class IncompleteEvidence(Refusal):
    """No path of the checklist is complete."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"evidence is incomplete, missing: {', '.join(missing)}"
            " (allow_incomplete submits all the same)",
            missing=list(missing),
        )


class SecondPersonNeeded(Refusal):
    """Four eyes: the one who asked may not approve or decline."""

    def __init__(self) -> None:
        super().__init__("a second person must decide: the requester may not approve or decline")


class MoneyHeld(Refusal):
    """An operation or guard holds the payment; ``operation_key`` names it where there is one."""

    retryable = True

    def __init__(self, reason: str, operation_key: str | None = None) -> None:
        super().__init__(reason, operation_key=operation_key)


class NotSupported(Refusal):
    """Acquirer or scheme cannot do it; ``instead`` says what can be done."""

    def __init__(self, operation: str, acquirer: str, instead: str) -> None:
        super().__init__(
            f"{operation} is not supported by acquirer {acquirer}; instead: {instead}",
            operation=operation,
            acquirer=acquirer,
            instead=instead,
        )


class ConfigurationError(Exception):
    """A start is impossible: the message names the setting and what to do."""


class Unreachable(Exception):
    """A service that the engine needs does not answer; the message says which and what to do."""
