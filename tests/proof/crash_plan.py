"""What the crash matrix is made of: steps of an operation, faults, and one cell of each."""

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """Where in an operation the fault strikes (architecture, One gateway operation)."""

    BEFORE_INTENT = "before intent"
    AFTER_INTENT = "after intent"
    AFTER_SENT = "after marked sent"
    #: the headers have left, the deadline was looked at for the last time, the body has not left
    AT_WRITE = "between check and write"
    #: the gateway has the whole request and has not booked
    MID_REQUEST = "mid-request"
    #: the gateway has booked and not answered
    AFTER_BOOKED = "after the gateway booked"
    BEFORE_SETTLE = "before settle"
    AFTER_SETTLE = "after settle"


class Fault(StrEnum):
    """What happens there."""

    KILLED = "worker killed"
    FROZEN = "worker frozen"
    DATABASE = "database cut"
    TEMPORAL = "Temporal cut"


@dataclass(frozen=True)
class Cell:
    """One experiment: ``operation`` is a purpose, or another step of a case that writes."""

    operation: str
    step: Step
    fault: Fault

    def __str__(self) -> str:
        return f"{self.operation}/{self.step}/{self.fault}"


@dataclass
class Seen:
    """What a cell came to.

    Attributes:
        cell: which one.
        calls: requests to book that the sandbox saw of the operation.
        booked: live entries that its own book shows of the operation.
        state: the operation's row at the end.
        told: how a second entry was made known, where there is one.
        faults: sentences; empty when all is as it must be.
        seconds: how long it took.
    """

    cell: Cell
    calls: int = 0
    booked: int = 0
    state: str = ""
    told: str = ""
    faults: tuple[str, ...] = ()
    seconds: float = 0.0
