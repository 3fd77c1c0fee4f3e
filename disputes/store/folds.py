"""Reading a case back from its events; what this process read last, it need not read again."""

from collections.abc import Iterable
from functools import lru_cache
from threading import Lock

from disputes.case import Case
from disputes.events import CaseEvent
from disputes.lifecycle import advance, fold

#: Cases, and events, that one process keeps: a case is asked for many times between two events.
_CASES = 500
_EVENTS = 5_000


@lru_cache(maxsize=_EVENTS)
def read_event(body: str) -> CaseEvent:
    """The event of a stored body."""
    return CaseEvent.model_validate_json(body)


class Folds:
    """The newest folds, each with the bodies it was made of: only what followed is applied."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[tuple[str, ...], Case]] = {}
        self._lock = Lock()

    @property
    def known(self) -> tuple[str, ...]:
        """Ids of the cases that are kept, the longest unused first."""
        return tuple(self._newest)

    def fold(self, case_id: str, stored: Iterable[str]) -> Case:
        """The case that the bodies of its events fold to, in the order of acceptance."""
        bodies = tuple(stored)
        with self._lock:
            made_of, case = self._newest.pop(case_id, ((), Case(case_id=case_id)))
        if made_of and bodies[: len(made_of)] == made_of:
            for body in bodies[len(made_of) :]:
                case = advance(case, read_event(body))
        else:
            case = fold(case_id, map(read_event, bodies))
        with self._lock:
            self._newest[case_id] = bodies, case
            if len(self._newest) > _CASES:
                del self._newest[next(iter(self._newest))]
        return case
