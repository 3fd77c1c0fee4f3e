"""Each line of the feed on a running engine: taken once, or refused with every reason."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from disputes.errors import NotFound
from disputes.store.intake import IntakeBook
from starter.feed import read_line
from starter.intake import Outcome
from tests.support.desk import Json, desk_of, evidence, intake_of, line, opened, ruling
from tests.support.engine import Engine
from tests.workflows.payment_hands import PreAuth, fresh_id

CARD = "4111 1111 1111 1111"


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"reason_code": CARD}, "data.reason_code", "card number"),
        ({"arn": CARD.replace(" ", "")}, "data.arn", "card number"),
        ({"facts": {"description": f"paid with {CARD}"}}, "data.facts.description", "card number"),
        ({"cvv": "123"}, "data.cvv", ""),
        ({"amount": {"amount": "92.00", "currency": "XXX"}}, "data.amount", "ISO 4217"),
        ({"amount": {"amount": "92.5", "currency": "EUR"}}, "data.amount", "2 decimals"),
        ({"amount": {"amount": "92.00", "currency": "JPY"}}, "data.amount", "0 decimals"),
        ({"amount": {"amount": "-92.00", "currency": "EUR"}}, "data.amount", "greater than zero"),
        ({"amount": {"amount": "0.00", "currency": "EUR"}}, "data.amount", "greater than zero"),
        ({"amount": {"amount": 92, "currency": "EUR"}}, "data.amount.amount", "string"),
        ({"network": "maestro"}, "data.network", "visa"),
        ({"dispute_id": "D 1"}, "data.dispute_id", "letters"),
        ({"dispute_id": "../../x"}, "data.dispute_id", "letters"),
        ({"payment_id": "PAY-1"}, "data.payment_id", "hex"),
        ({"received_at": "yesterday"}, "data.received_at", "RFC 3339"),
        ({"received_at": "2026-11-02T09:30:00"}, "data.received_at", "timezone"),
        ({"colour": "red"}, "data.colour", "not a known field"),
        ({"merchant_id": None}, "data.merchant_id", "required"),
    ],
)
async def test_a_bad_notice_is_refused_by_field_and_opens_nothing(
    engine: Engine, changes: Json, field: str, reason: str
) -> None:
    good = await engine.notice()
    bad = {key: value for key, value in (good | changes).items() if value is not None}
    result = await intake_of(engine).take_line(opened(bad, good["dispute_id"]), _now())
    assert result.outcome is Outcome.REJECTED
    assert reason in result.reasons[field]
    assert CARD.replace(" ", "") not in str(result.reasons).replace(" ", "")
    with pytest.raises(NotFound):
        await desk_of(engine).status(good["dispute_id"])


async def test_a_notice_from_tomorrow_is_taken_and_one_from_later_is_not(engine: Engine) -> None:
    now = _now()
    soon = await engine.notice(received_at=(now + timedelta(hours=23)).isoformat())
    late = await engine.notice(received_at=(now + timedelta(hours=25)).isoformat())
    intake = intake_of(engine)
    assert (await intake.take_line(opened(soon), now)).outcome is Outcome.ACCEPTED
    refused = await intake.take_line(opened(late), now)
    assert refused.reasons == {"data.received_at": "is more than a day in the future"}


async def test_every_reason_of_a_line_is_told(engine: Engine) -> None:
    bad = await engine.notice(network="maestro", received_at="2999-01-01T00:00:00Z", colour="red")
    envelope = json.loads(opened(bad, "E 1")) | {"dispute_id": "other", "extra": 1}
    result = await intake_of(engine).take_line(json.dumps(envelope), _now())
    assert set(result.reasons) == {
        *("event_id", "dispute_id", "extra"),
        *("data.network", "data.received_at", "data.colour"),
    }


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("{", "line", "not valid JSON"),
        ("", "line", "not valid JSON"),
        ("[1]", "line", "JSON object"),
        ("[" * 50_000, "line", ""),
        ('{"event_id": "E-1", "data": {}}', "type", "required"),
        ('{"event_id": "E-1", "type": ["dispute.opened"], "data": {}}', "type", "must be one of"),
        ('{"event_id": "E-1", "type": "dispute.closed", "data": {}}', "type", "must be one of"),
        ('{"event_id": "E-1", "type": "preauthorization.opened"}', "data", "required"),
        ('{"event_id": "E-1", "type": "dispute.ruling", "data": {}}', "dispute_id", "required"),
    ],
)
async def test_a_line_that_is_no_event_is_refused(
    engine: Engine, text: str, field: str, reason: str
) -> None:
    result = await intake_of(engine).take_line(text, _now())
    assert result.outcome is Outcome.REJECTED
    assert reason in result.reasons[field]


async def test_a_repeated_line_tells_the_case_nothing_twice(engine: Engine) -> None:
    notice = await engine.notice()
    case_id = notice["dispute_id"]
    intake = intake_of(engine)
    lines = [opened(notice), evidence(case_id, f"{case_id}.e")]
    first = [(await intake.take_line(text, _now())).outcome for text in lines]
    again = [(await intake.take_line(text, _now())).outcome for text in lines]
    assert first == [Outcome.ACCEPTED] * 2
    assert again == [Outcome.DUPLICATE] * 2
    await engine.settled(engine.handle(case_id), 1)
    told = [entry.what for entry in await desk_of(engine).timeline(case_id)]
    assert told.count("evidence_added") == told.count("opened") == 1


async def test_an_authorization_of_the_feed_is_watched_once(engine: Engine) -> None:
    payment_id = fresh_id()
    await engine.sandbox.payment(payment_id, "92.00", "EUR", "PA")
    own, start = PreAuth(engine, payment_id, payment_id), PreAuth.request(payment_id)
    intake = intake_of(engine)
    lines = [line("preauthorization.opened", f"{payment_id}.{n}", start) for n in (1, 1, 2)]
    taken = [(await intake.take_line(text, _now())).outcome for text in lines]
    assert taken == [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert (await own.until(state="authorized")).open_amount == "92.00"

    other = line("preauthorization.opened", f"{payment_id}.3", start | {"mcc": "5812"})
    refused = await intake.take_line(other, _now())
    assert refused.outcome is Outcome.REJECTED
    assert refused.reasons == {"data.mcc": "differs from what is known under this payment_id"}
    bad = line("preauthorization.opened", f"{payment_id}.4", start | {"on_expiry": "reauthorize"})
    assert "registration_id" in str((await intake.take_line(bad, _now())).reasons)

    await own.capture()
    await own.result()
    again = line("preauthorization.opened", f"{payment_id}.5", start)
    assert (await intake.take_line(again, _now())).outcome is Outcome.DUPLICATE
    assert (await own.result()).state == "captured"
    assert await own.book() == ["PA", "CP"]


async def test_the_same_notice_under_another_event_id_is_a_duplicate(engine: Engine) -> None:
    notice = await engine.notice()
    intake = intake_of(engine)
    await intake.take_line(opened(notice), _now())
    again = await intake.take_line(opened(notice, f"{notice['dispute_id']}.again"), _now())
    assert again.outcome is Outcome.DUPLICATE


async def test_an_event_id_with_other_content_is_a_conflict(engine: Engine) -> None:
    notice = await engine.notice()
    case_id = notice["dispute_id"]
    intake = intake_of(engine)
    await intake.take_line(opened(notice), _now())
    await intake.take_line(evidence(case_id, f"{case_id}.e", "signed_receipt"), _now())
    other = await intake.take_line(evidence(case_id, f"{case_id}.e", "invoice"), _now())
    assert other.reasons == {"event_id": "is known already with other content"}
    case = engine.handle(case_id)
    present = (await engine.until(case, lambda it: bool(it.checklist.present))).checklist.present
    assert present == ("signed_receipt",)


async def test_a_dispute_with_other_content_is_a_conflict_that_names_the_fields(
    engine: Engine,
) -> None:
    notice = await engine.notice()
    intake = intake_of(engine)
    await intake.take_line(opened(notice), _now())
    other = notice | {"reason_code": "13.3", "mcc": "5812"}
    text = opened(other, f"{notice['dispute_id']}.other")
    for _ in range(2):  # refused again when the feed is sent again
        result = await intake.take_line(text, _now())
        assert result.outcome is Outcome.REJECTED
        assert set(result.reasons) == {"data.reason_code", "data.mcc"}


async def test_a_line_whose_delivery_was_cut_short_is_delivered_when_it_comes_again(
    engine: Engine,
) -> None:
    notice = await engine.notice()
    text = opened(notice)
    entry = read_line(text, _now())
    seen = IntakeBook(engine.store)
    assert seen.begin(entry.line.event_id, entry.sha256, entry.line.type, entry.dispute_id) == "new"
    result = await intake_of(engine).take_line(text, _now())
    assert result.outcome is Outcome.ACCEPTED
    assert (await desk_of(engine).status(notice["dispute_id"])).merchant_id == "M-1"


async def test_facts_that_come_before_their_notice_wait_for_it(engine: Engine) -> None:
    notice = await engine.notice()
    case_id = notice["dispute_id"]
    intake = intake_of(engine)
    assert (await intake.take_line(ruling(case_id, "merchant_won"), _now())).dispute_id == case_id
    case = engine.handle(case_id)
    await engine.until(case, lambda it: it.status == "awaiting_notice" and it.sequence > 0)
    assert (await intake.take_line(opened(notice), _now())).outcome is Outcome.ACCEPTED
    status = await engine.until(case, lambda it: it.status == "won")
    assert status.reinstated == "92.00"


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("dispute.ruling", {"ruling_id": "R", "outcome": "won", "decided_at": "x"}, "data.outcome"),
        (
            "dispute.ruling",
            {"ruling_id": "R", "outcome": "partial", "decided_at": "2026-01-01T00:00:00Z"},
            "data",
        ),
        (
            "dispute.network_event",
            {"event_id": "N", "kind": "fee_charged", "occurred_at": "2026-01-01T00:00:00Z"},
            "data",
        ),
        (
            "dispute.evidence",
            {"evidence_id": "E", "evidence_type": "invoice", "submitted_by": "ann"},
            "data",
        ),
    ],
)
async def test_a_fact_that_cannot_be_kept_is_refused_at_the_edge(
    engine: Engine, kind: str, data: Json, field: str
) -> None:
    case_id = engine.new_id()
    result = await intake_of(engine).take_line(line(kind, "E-bad", data, case_id), _now())
    assert result.outcome is Outcome.REJECTED
    assert field in result.reasons
    with pytest.raises(NotFound):
        await desk_of(engine).status(case_id)
