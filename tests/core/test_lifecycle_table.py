"""Every status meets every kind of event: a new one of either fails here until it is decided."""

from typing import get_args

import pytest

from disputes.events import Body, Reported, Ruled, TimerFired, TimerKind
from disputes.specimens import STAGES, Happening, apply, cases, happenings, possible
from disputes.vocabulary import NetworkEventKind, Outcome, Status

CASES = tuple(cases())
OPENED = tuple(status for status in Status if status is not Status.AWAITING_NOTICE)
ANSWERING = (Status.COLLECTING, Status.READY)
Moves = dict[Status, set[Status]]


def moves(sources: tuple[Status, ...], *targets: Status) -> Moves:
    found = {source: set(targets) - {source} for source in sources}
    return {source: ends for source, ends in found.items() if ends}


def opens(target: Status) -> Moves:
    return moves((Status.AWAITING_NOTICE,), target)


def reopens(*others: Status) -> Moves:
    """To collecting, from everywhere; a case that is ready stays so."""
    sources = tuple(it for it in OPENED if it is not Status.READY)
    return moves(sources, Status.COLLECTING, *others)


#: What changes the status, and from where; events that are not named with a move change none.
TABLE: dict[str, Moves] = {
    "notice: alert": opens(Status.RECEIVED),
    "notice: RDR alert": opens(Status.DEFLECTED),
    "notice: inquiry": opens(Status.COLLECTING),
    "notice: chargeback": opens(Status.COLLECTING),
    "notice: SEPA return": opens(Status.LOST),
    "notice: pre-arbitration": opens(Status.COLLECTING),
    "notice: arbitration": opens(Status.UNDER_REVIEW),
    "ruling: merchant won": moves(OPENED, Status.WON),
    "ruling: cardholder won": moves(OPENED, Status.LOST),
    "ruling: partial": moves(OPENED, Status.PARTIALLY_WON),
    # Allocation: of our own attempt under review it is the issuer's answer (row 7c).
    "ruling: cardholder won in pre-arbitration": moves(OPENED, Status.LOST)
    | {Status.UNDER_REVIEW: {Status.LOST, Status.COLLECTING}},
    # Only an alert or inquiry escalates (row 3).
    "escalated": moves(
        (Status.RECEIVED, Status.UNDER_REVIEW, Status.EXPIRED, Status.DEFLECTED), Status.COLLECTING
    ),
    "second chargeback": moves(OPENED, Status.LOST),
    "second chargeback with a deadline": reopens(),
    "pre-arbitration opened": reopens(),
    # Collaboration: we gave in; allocation: the issuer did.
    "pre-arbitration accepted": moves(OPENED, Status.LOST, Status.WON)
    | {Status.SUBMITTED: {Status.LOST}},
    # Collaboration: we declined and wait; allocation: the issuer did and we may file.
    "pre-arbitration declined": moves(OPENED, Status.UNDER_REVIEW, Status.COLLECTING)
    | {Status.SUBMITTED: {Status.UNDER_REVIEW}},
    "representment accepted": moves(OPENED, Status.WON),
    "arbitration opened": moves(OPENED, Status.UNDER_REVIEW),
    "chargeback withdrawn": moves(OPENED, Status.WITHDRAWN),
    "cardholder withdrew": {},
    "issuer comment": {},
    "fee charged": {},
    "fee returned": {},
    "evidence added": moves((Status.COLLECTING,), Status.READY),
    "evidence withdrawn": moves((Status.READY,), Status.COLLECTING),
    "representment submitted": moves(ANSWERING, Status.UNDER_REVIEW),
    "liability accepted: all": moves(
        (Status.RECEIVED, *ANSWERING, Status.SUBMITTED, Status.UNDER_REVIEW), Status.ACCEPTED
    ),
    "liability accepted: a part": {},
    "pre-arbitration answer: accept all": moves(ANSWERING, Status.LOST),
    "pre-arbitration answer: accept a part": moves(ANSWERING, Status.UNDER_REVIEW),
    "pre-arbitration answer: decline": moves(ANSWERING, Status.UNDER_REVIEW),
    "arbitration filed": moves(ANSWERING, Status.UNDER_REVIEW),
    "rebill requested": {},
    "refund requested": {},
    # Of an alert or inquiry that nobody has decided (rows 1 and 2).
    "refund settled": moves(
        (Status.RECEIVED, *ANSWERING, Status.UNDER_REVIEW, Status.EXPIRED), Status.DEFLECTED
    ),
    "approval requested": {},
    "approval decided": {},
    "assigned": {},
    "note added": {},
    "operation resolved": {},
    "operation reported": {},
    "booking": {},
    "payment known": {},
    "calls held": {},
    "message not taken": {},
    "timer: notice wait": {},
    "timer: ladder": {},
    "timer: last call": {},
    # Allocation: an arbitration that nobody filed is lost (row 7c).
    "timer: deadline": moves(ANSWERING, Status.EXPIRED, Status.LOST)
    | moves((Status.RECEIVED,), Status.EXPIRED),
    "timer: issuer silent": moves((Status.UNDER_REVIEW,), Status.WON),
    "timer: ruling overdue": {},
    "timer: approval expiry": {},
    "timer: tail end": {},
}


def test_every_event_and_every_status_is_decided_here() -> None:
    assert {it.name for it in happenings()} == TABLE.keys()
    assert STAGES.keys() == set(Status)


def test_every_kind_of_event_has_a_specimen() -> None:
    bodies = [it.body_for(CASES[0]) for it in happenings()]

    assert {type(body) for body in bodies} == set(get_args(get_args(Body)[0]))
    assert {it.event.kind for it in bodies if isinstance(it, Reported)} == set(NetworkEventKind)
    assert {it.ruling.outcome for it in bodies if isinstance(it, Ruled)} == set(Outcome)
    assert {it.timer for it in bodies if isinstance(it, TimerFired)} == set(TimerKind)


@pytest.mark.parametrize("happening", happenings(), ids=lambda it: it.name)
def test_an_event_changes_the_status_as_the_table_says_and_no_event_raises(
    happening: Happening,
) -> None:
    found: Moves = {}
    for case in CASES:
        after = apply(case, happening)
        if possible(case, happening) and after.status is not case.status:
            found.setdefault(case.status, set()).add(after.status)

    assert found == TABLE[happening.name]


@pytest.mark.parametrize("happening", happenings(), ids=lambda it: it.name)
def test_no_event_takes_more_than_is_disputed_or_gives_back_more_than_was_taken(
    happening: Happening,
) -> None:
    for case in CASES:
        after = apply(case, happening)

        assert 0 <= after.out_minor <= after.disputed_minor
        assert 0 <= after.loss_minor <= after.out_minor
