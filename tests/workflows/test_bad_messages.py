"""No message, whatever its form, stops a case, closes it, or leaves a secret in it."""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowQueryFailedError
from temporalio.common import RawValue

from disputes.store.reads import Reads
from tests.support.engine import Engine, Json
from tests.workflows.hands import Dispute, refused

#: The schemes' documented test number: it passes the check digit and is nobody's card.
CARD = "4200000000000000"


def _raw(data: bytes, encoding: bytes | None = b"json/plain") -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding} if encoding else {}, data=data))


def _json(**fields: object) -> RawValue:
    return _raw(json.dumps(fields).encode())


RULING = {"ruling_id": "R-1", "outcome": "merchant_won", "decided_at": "2026-11-20T10:00:00Z"}
EVIDENCE = {"evidence_id": "E-1", "evidence_type": "invoice", "submitted_by": "ana", "text": "x"}

#: Payloads that no message has.
BROKEN: dict[str, Sequence[object]] = {
    "none": (),
    "two": (RULING, RULING),
    "null": (None,),
    "text": ("won",),
    "list": ([],),
    "number": (42,),
    "empty": (_raw(b""),),
    "half": (_raw(b'{"ruling_id": "R-1",'),),
    "bytes": (b"\x00\xff\x00",),
    "garbage": (_raw(b"\xff\xfe\x00\x80"),),
    "surrogate": (_raw(rb'{"ruling_id": "\ud800"}'),),
    "not-a-number": (_raw(b'{"ruling_id": NaN}'),),
    "deep": (_raw(b"[" * 100_000),),
    "no-encoding": (_raw(b"{}", None),),
    "other-encoding": (_raw(b"{ }", b"binary/encrypted"),),
    "protobuf": (_raw(b"\x0a\x01x", b"binary/protobuf"),),
}
#: Messages with one fault each.
FAULTY: dict[str, tuple[str, RawValue]] = {
    "nothing given": ("bank_ruling", _json()),
    "unknown outcome": ("bank_ruling", _json(**RULING | {"outcome": "drawn"})),
    "no zone": ("bank_ruling", _json(**RULING | {"decided_at": "2026-11-20T10:00:00"})),
    "seconds": ("bank_ruling", _json(**RULING | {"decided_at": 1_760_000_000})),
    "bad id": ("bank_ruling", _json(**RULING | {"ruling_id": "../R"})),
    "no share": ("bank_ruling", _json(**RULING | {"outcome": "partial"})),
    "float money": (
        "bank_ruling",
        _json(**RULING, merchant_amount={"amount": 92.5, "currency": "EUR"}),
    ),
    "card": ("bank_ruling", _json(**RULING, reason=f"paid with {CARD}")),
    "unknown kind": ("network_event", _json(event_id="N", kind="x", occurred_at="2026-11-20")),
    "authorization": ("booking", _json(gateway_id="a" * 32, payment_type="PA")),
    "no content": ("evidence_submitted", _json(evidence_id="E", evidence_type="invoice")),
    "card as type": ("evidence_submitted", _json(**EVIDENCE | {"evidence_type": CARD})),
    "bad notice": ("dispute_opened", _json(dispute_id="D")),
    "other case": ("dispute_opened", _json(dispute_id="other")),
    "no signal": ("ruling", _json(**RULING)),
    "an update": ("approve", _json(request_id="A", decided_by="ana")),
    "card as name": (f"ruling {CARD}", _json(**RULING)),
    "name of control characters": ("bank\x00\x1b[2Jruling", _json(**RULING)),
    "long name": ("bank_ruling" * 80, _json(**RULING)),
}


async def _is_alive(dispute: Dispute) -> None:
    """It answers, takes what is right, and comes to its end."""
    ruling = await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    whats = [(it["what"], it["event_id"]) for it in await dispute.timeline()]
    assert ("ruled", f"ruling:{ruling['ruling_id']}") in whats
    assert (await dispute.ends())["status"] == "won"
    await dispute.money_is(acquirer=92_00)


async def test_signals_without_one_readable_payload_are_kept_with_the_reason(
    engine: Engine,
) -> None:
    """All at once on one case: each is on the timeline, none changes anything."""
    dispute = await Dispute.booked(engine)
    before = await dispute.status()
    for payloads in BROKEN.values():
        await dispute.case.signal("bank_ruling", args=payloads)
    distinct = len(BROKEN) - 2  # no payload, null and nothing are the same to a case
    after = await dispute.until(
        lambda status: status.sequence == before.sequence + distinct, status=before.status
    )
    assert after.attention == ("message_not_taken",)
    kept = [entry for entry in await dispute.timeline() if entry["what"] == "not_taken"]
    assert all(entry["ignored"] and entry["data"]["payload_sha256"] for entry in kept)
    await _is_alive(dispute)


async def test_faulty_signals_are_kept_with_the_reason(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    before = await dispute.status()
    for name, payload in FAULTY.values():
        await dispute.case.signal(name, payload)
    await dispute.until(
        lambda status: status.sequence == before.sequence + len(FAULTY), status=before.status
    )
    told = json.dumps(await dispute.timeline())
    assert CARD not in told
    assert "\\u0000" not in told
    assert "\\u001b" not in told
    await _is_alive(dispute)


async def test_signals_that_come_before_the_case_do_not_stop_its_opening(engine: Engine) -> None:
    dispute = Dispute(engine, await engine.notice())
    for payloads in BROKEN.values():
        await dispute.tell("bank_ruling", *payloads)
    await dispute.tell("dispute_opened", dispute.notice)
    await dispute.until(booked_out="92.00")
    await _is_alive(dispute)


UPDATES = (
    "open add_evidence withdraw_evidence submit_representment answer_pre_arbitration"
    " file_arbitration accept_liability approve decline request_rebill assign add_note"
    " resolve_operation resolve_by_refund"
).split()


async def test_updates_without_one_readable_payload_are_refused(engine: Engine) -> None:
    """Each of them with its fields; the case is as before."""
    dispute = await Dispute.booked(engine)
    before = await dispute.status()
    for name in UPDATES:
        for form, payloads in BROKEN.items():
            asked = dispute.case.execute_update(name, args=payloads)
            kind, details = await refused(asked)
            assert kind == "InvalidMessage", (name, form)
            assert details["fields"], (name, form)
    assert await dispute.status() == before
    await _is_alive(dispute)


FAULTY_UPDATES: dict[str, tuple[str, Json, str]] = {
    "unknown name": ("resolve", {}, "name"),
    "name of a signal": ("bank_ruling", RULING, "name"),
    "nobody": ("submit_representment", {"submitted_by": ""}, "submitted_by"),
    "text for a flag": (
        "submit_representment",
        {"submitted_by": "ana", "allow_incomplete": "yes"},
        "allow_incomplete",
    ),
    "no content": ("add_evidence", EVIDENCE | {"text": None}, "message"),
    "bad blob": ("add_evidence", EVIDENCE | {"blob": "sha256:x"}, "blob"),
    "card": ("add_evidence", EVIDENCE | {"text": f"card {CARD}"}, "text"),
    "security code": ("add_note", {"author": "ana", "text": "CVV: 123"}, "text"),
    "negative": (
        "accept_liability",
        {"accepted_by": "ana", "amount": {"amount": "-1.00", "currency": "EUR"}},
        "amount",
    ),
    "too many decimals": (
        "accept_liability",
        {"accepted_by": "ana", "amount": {"amount": "1.005", "currency": "EUR"}},
        "amount",
    ),
    "other currency": (
        "accept_liability",
        {"accepted_by": "ana", "amount": {"amount": "1.00", "currency": "USD"}},
        "amount.currency",
    ),
    "more than disputed": (
        "accept_liability",
        {"accepted_by": "ana", "amount": {"amount": "92.01", "currency": "EUR"}},
        "amount",
    ),
    "other case's notice": ("open", {"dispute_id": "other"}, "stage"),
}


@pytest.mark.parametrize("fault", FAULTY_UPDATES)
async def test_faulty_updates_are_refused_by_field(engine: Engine, fault: str) -> None:
    name, message, field = FAULTY_UPDATES[fault]
    dispute = await Dispute.booked(engine)
    kind, details = await refused(dispute.update(name, message))
    assert kind == "InvalidMessage"
    assert field in details["fields"]
    assert CARD not in json.dumps(details)
    await _is_alive(dispute)


async def test_a_notice_of_another_case_is_refused_by_its_name(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    other = dispute.notice | {"dispute_id": "other"}
    kind, details = await refused(dispute.update("open", other))
    assert (kind, list(details["fields"])) == ("InvalidNotice", ["dispute_id"])


async def test_queries_with_any_payload_leave_the_case_alone(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    for payloads in BROKEN.values():
        with suppress(WorkflowQueryFailedError):
            await dispute.case.query("consequences", args=payloads)
    with pytest.raises(WorkflowQueryFailedError):
        await dispute.case.query("no such query")
    await _is_alive(dispute)


async def test_a_card_number_reaches_nothing_of_ours(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused update leaves no trace; of a signal Temporal keeps the raw payload, and only it."""
    dispute = await Dispute.booked(engine)
    with caplog.at_level(logging.DEBUG):
        note = {"author": "ana", "text": f"the shopper's card is {CARD}"}
        assert (await refused(dispute.update("add_note", note)))[0] == "InvalidMessage"
        await dispute.rule("merchant_won", reason=f"card {CARD}")
        await dispute.case.signal(f"card {CARD}")
        await dispute.until(lambda status: "message_not_taken" in status.attention)
        await dispute.ends()
    assert CARD not in caplog.text
    assert CARD not in json.dumps(await dispute.timeline())
    assert CARD not in (await dispute.status()).model_dump_json()
    events = Reads(engine.store).events(dispute.id)
    assert len(events) > 5
    assert all(CARD not in event.model_dump_json() for event in events)
    holding = [
        event.event_type
        async for event in dispute.case.fetch_history_events()
        if CARD.encode() in event.SerializeToString()
    ]
    assert holding == [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED] * 2
