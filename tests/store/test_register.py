"""The record of what cases accepted: kept once, in order, and never lost."""

from datetime import timedelta

import pytest

from disputes.decode import canonical_of
from disputes.errors import Conflict
from disputes.events import Assigned, Body, CaseEvent, NoteAdded
from disputes.messages import AddNote, Assign
from disputes.vocabulary import Outcome, PaymentType
from tests.store.scene import Dispute, Scene, entry, new_id, notice


def _disputed(scene: Scene) -> Dispute:
    return scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)


def _note(text: str) -> NoteAdded:
    return NoteAdded(note=AddNote(author="ann", text=text))


def test_an_id_is_claimed_once_and_by_one_content(scene: Scene) -> None:
    payment = new_id()
    first = canonical_of(notice("D-1", payment, 9200))
    other = canonical_of(notice("D-1", payment, 9100, reason_code="13.7"))
    assert scene.register.claim("dispute/D-1", first)
    assert not scene.register.claim("dispute/D-1", first)
    with pytest.raises(Conflict) as conflict:
        scene.register.claim("dispute/D-1", other)
    assert conflict.value.details == {"fields": ["amount", "reason_code"]}
    assert "91" not in str(conflict.value)
    assert scene.register.load("D-1").claimed == first


def test_an_unknown_case_is_empty(scene: Scene) -> None:
    file = scene.register.load("D-9")
    assert (file.claimed, file.events, file.unfinished) == (None, (), ())
    assert scene.reads.status("D-9") is None


def test_events_come_back_as_they_were_recorded(scene: Scene) -> None:
    dispute = _disputed(scene)
    dispute.record(Assigned(assignment=Assign(assignee=None)))
    assert list(scene.register.load("D-1").events) == dispute.events


def test_recording_twice_changes_nothing(scene: Scene) -> None:
    dispute = _disputed(scene)
    postings = scene.ledger.show(dispute.payment_id)
    status = scene.reads.status("D-1")
    scene.register.record("D-1", dispute.events)
    assert scene.ledger.show(dispute.payment_id) == postings
    assert scene.reads.status("D-1") == status


def test_an_outdated_call_changes_nothing(scene: Scene) -> None:
    """An attempt that was frozen wakes up after the case went on."""
    dispute = _disputed(scene)
    stale = list(dispute.events)
    dispute.ruled(Outcome.MERCHANT_WON)
    scene.register.record("D-1", stale)
    status = scene.reads.status("D-1")
    assert status is not None
    assert (status.status, status.sequence) == ("won", len(dispute.events))
    assert scene.ledger.verify() == []


def test_a_call_that_repeats_a_part_appends_the_rest(scene: Scene) -> None:
    dispute = _disputed(scene)
    dispute.happen(_note("one"))
    scene.register.record("D-1", dispute.events)
    assert list(scene.reads.events("D-1")) == dispute.events


def _again(event: CaseEvent, body: Body, seconds: float) -> CaseEvent:
    """What a case says instead of an event when its last task is done once more."""
    later = event.recorded_at + timedelta(seconds=seconds)
    return event.model_copy(update={"body": body, "at": later, "recorded_at": later})


def test_a_task_that_is_done_once_more_replaces_what_it_had_recorded(scene: Scene) -> None:
    """Its worker died before the server heard of it; messages came in another order since."""
    dispute = _disputed(scene)
    known = list(dispute.events)
    dispute.ruled(Outcome.MERCHANT_WON)
    ruled, won = dispute.events[-1], scene.readings()
    note = _again(ruled, _note("one"), 0.5)
    after = _again(ruled, ruled.body, 0.5).model_copy(update={"sequence": 4, "event_id": "E-4"})
    scene.register.record("D-1", [note, after])
    assert list(scene.reads.events("D-1")) == [*known, note, after]
    assert scene.readings() == won
    assert scene.ledger.verify() == []


def test_a_fact_that_a_case_no_longer_has_is_taken_off_the_books(scene: Scene) -> None:
    dispute = _disputed(scene)
    before = scene.readings()
    dispute.ruled(Outcome.MERCHANT_WON)
    assert scene.readings() != before
    scene.register.record("D-1", [_again(dispute.events[-1], _note("one"), 0.5)])
    assert scene.readings() == before
    assert scene.ledger.verify() == []


def test_the_word_of_a_worker_that_was_given_up_changes_nothing(scene: Scene) -> None:
    """It stood still, and records only now what another has done again since."""
    dispute = _disputed(scene)
    dispute.record(_note("one"))
    scene.register.record("D-1", [_again(dispute.events[-1], _note("older"), -0.5)])
    assert list(scene.reads.events("D-1")) == dispute.events


def test_a_gap_in_the_events_is_a_fault_that_is_told(scene: Scene) -> None:
    dispute = _disputed(scene)
    dispute.happen(_note("lost on the way"))
    late = dispute.happen(_note("late"))
    with pytest.raises(ValueError, match="does not follow"):
        scene.register.record("D-1", [late])
    assert len(scene.reads.events("D-1")) == 2


def test_what_fails_half_way_leaves_nothing_behind(scene: Scene) -> None:
    """The events before a fault are not kept without what they post."""
    dispute = _disputed(scene)
    before = scene.readings()
    good, bad = dispute.happen(_note("one")), dispute.happen(_note("two"))
    with pytest.raises(ValueError, match="does not follow"):
        scene.register.record("D-1", [good, bad.model_copy(update={"sequence": 9})])
    assert len(scene.reads.events("D-1")) == 2
    assert scene.readings() == before
    scene.register.record("D-1", [good, bad])
    assert list(scene.reads.events("D-1")) == dispute.events


def test_facts_without_a_notice_wait_for_it_and_post_nothing(scene: Scene) -> None:
    """The ruling arrives before the notice (lifecycle, ruling_before_notice)."""
    dispute = Dispute(scene, "D-1", [entry(PaymentType.DB, 9200)])
    dispute.ruled(Outcome.MERCHANT_WON)
    status = scene.reads.status("D-1")
    assert status is not None
    assert status.status == "awaiting_notice"
    assert scene.readings() == {}
    dispute.open(9200)
    status = scene.reads.status("D-1")
    assert status is not None
    assert (status.status, scene.readings()) == ("won", {"acquirer": 92, "in_hand": 77})
