"""Which packet a case shows: what was sent, as it was sent, or the draft of what can be."""

import json

import pytest

from disputes.decode import sha256
from disputes.errors import IllegalTransition
from disputes.messages import SubmitRepresentment
from disputes.packet import packet_of
from disputes.vocabulary import NetworkEventKind, Outcome, Stage
from tests.support.story import Story

SUBMIT = SubmitRepresentment(submitted_by="ann", narrative="It was delivered.")


def _opened(**changes: object) -> Story:
    return Story().sale().opened(**changes).payment().gateway().on(1)


def _types(story: Story) -> list[str]:
    return [item.evidence_type for item in packet_of(story.case).evidence]


def test_before_it_is_submitted_a_packet_is_a_draft_of_what_is_there() -> None:
    story = _opened().evidence("invoice")
    packet = packet_of(story.case)
    assert (packet.submitted_at, packet.sha256, packet.narrative) == (None, None, None)
    assert (packet.disputed.amount, packet.reason_code) == ("92.00", "13.1")
    assert _types(story) == ["invoice"]


def test_a_submitted_packet_is_what_was_hashed() -> None:
    story = _opened().evidence().command("submit_representment", SUBMIT)
    packet = packet_of(story.case)
    assert packet.narrative == "It was delivered."
    assert packet.submitted_at == story.case.submitted_at
    assert packet.sha256 == story.case.packet_sha256 == sha256(packet.content)
    sent = json.loads(packet.content)["evidence"]
    assert {it["evidence_id"] for it in sent} == {it.evidence_id for it in packet.evidence}


def test_what_was_added_after_the_submission_was_not_sent() -> None:
    story = _opened().evidence().command("submit_representment", SUBMIT)
    sent = packet_of(story.case)
    story.ruled(Outcome.CARDHOLDER_WON, 10).gateway().on(11).evidence("consent")
    assert packet_of(story.case) == sent


def test_an_answer_to_the_inquiry_is_not_the_answer_to_its_chargeback() -> None:
    story = _opened(stage=Stage.INQUIRY).evidence().command("submit_representment", SUBMIT)
    assert packet_of(story.case).stage is Stage.INQUIRY
    story.network(NetworkEventKind.ESCALATED, 5, "92.00").gateway()
    draft = packet_of(story.case)
    assert (draft.stage, draft.sha256) == (Stage.CHARGEBACK, None)
    assert _types(story) == ["proof_of_delivery", "invoice"]


def test_what_was_sent_is_kept_through_the_later_stages() -> None:
    story = _opened().evidence().command("submit_representment", SUBMIT)
    sent = packet_of(story.case)
    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 9)
    assert packet_of(story.case) == sent


def test_without_a_notice_there_is_nothing_to_answer() -> None:
    story = Story().ruled(Outcome.MERCHANT_WON, 1)
    with pytest.raises(IllegalTransition) as caught:
        packet_of(story.case)
    assert "awaiting_notice" in caught.value.message
