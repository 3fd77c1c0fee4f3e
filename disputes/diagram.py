"""Draws the stages and statuses of a case from the reducer itself, so that no drawing goes stale.

Write ``docs/domain.md`` anew with ``redrawn`` (the test that compares them prints the command).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from disputes.case import Case
from disputes.specimens import apply, cases, happenings, possible
from disputes.vocabulary import DECIDED, UNDECIDED, Flow, Stage, Status

BEGIN = "<!-- drawn by disputes/diagram.py: begin -->"
END = "<!-- drawn by disputes/diagram.py: end -->"

_ANY, _OPEN = "any status", "any undecided status"
#: Where the checklist decides between two statuses, a change to either counts as one.
_ALIKE = {Status.COLLECTING: {Status.COLLECTING.value, Status.READY.value}}


@dataclass(frozen=True, slots=True)
class Change:
    """One event that moves a case from one stage or status to another."""

    source: str
    event: str
    target: str


def status_diagram() -> str:
    """Mermaid text of how a case's status moves."""
    changes = _changes(lambda case: case.status.value)
    reached = {change.target for change in changes} | {Status.AWAITING_NOTICE.value}
    groups = {
        _ANY: {status.value for status in Status if status is not Status.AWAITING_NOTICE} & reached,
        _OPEN: {status.value for status in UNDECIDED - {Status.AWAITING_NOTICE}} & reached,
    }
    known = [change for change in changes if change.source in reached]
    settled = ",".join(status.value for status in Status if status in DECIDED)
    lines = [*_draw(known, groups), f"    class {settled} settled"]
    return _mermaid([*lines, "    classDef settled stroke-width:3px"])


def stage_diagram() -> str:
    """Mermaid text of how a case's stage moves."""
    changes = _changes(lambda case: case.stage.value if case.notice else "")
    known = [change for change in changes if change.source]
    return _mermaid(_draw(known, {"any stage": {stage.value for stage in Stage}}))


def redrawn(document: str) -> str:
    """The document with the drawings between its two markers made anew."""
    before, _, rest = document.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError("the document lacks the markers of the drawings")
    drawings = f"### Stages\n\n{stage_diagram()}\n\n### Statuses\n\n{status_diagram()}"
    return f"{before}{BEGIN}\n\n{drawings}\n\n{END}{after}"


def _changes(place: Callable[[Case], str]) -> list[Change]:
    """Every change of place, in the order of events; named by flow where only one has it."""
    found: dict[Flow, dict[Change, None]] = {Flow.COLLABORATION: {}, Flow.ALLOCATION: {}}
    specimens = tuple(cases())
    for happening in happenings():
        for case in specimens:
            after = apply(case, happening)
            if possible(case, happening) and place(after) != place(case):
                change = Change(place(case), happening.name, place(after))
                flow = case.terms.flow if case.terms else None
                for each in [flow] if flow else found:
                    found[each][change] = None
    both = set.intersection(*({(it.event, it.target) for it in flow} for flow in found.values()))
    return list(
        dict.fromkeys(
            change
            if (change.event, change.target) in both
            else Change(change.source, f"{change.event} ({flow.value})", change.target)
            for flow, changes in found.items()
            for change in changes
        )
    )


def _draw(changes: Sequence[Change], groups: dict[str, set[str]]) -> Iterator[str]:
    """One arrow for all events that lead from the same places to the same place."""
    sources: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for change in changes:
        sources[change.event, change.target][change.source] = None
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (event, target), places in sources.items():
        arrows[_start(list(places), target, groups), target].append(event)
    for name in groups:
        if any(_node(name) in start for start, _ in arrows):
            yield f'    {_node(name)}(["{name}"])'
    for (start, target), events in arrows.items():
        yield f'    {start} -->|"{"<br>".join(events)}"| {target}'


def _start(places: list[str], target: str, groups: dict[str, set[str]]) -> str:
    """The largest group that the places fill, and the places beside it."""
    same = {target} | (_ALIKE[Status(target)] if target in _ALIKE else set())
    for name, group in groups.items():
        if group <= {*places} | same:
            return " & ".join([_node(name), *(it for it in places if it not in group)])
    return " & ".join(places)


def _node(name: str) -> str:
    return name.replace(" ", "_")


def _mermaid(lines: Sequence[str] | Iterator[str]) -> str:
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])
