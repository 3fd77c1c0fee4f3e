"""The gateway's notifications, from its door to the cases, on a running engine."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlmodel import select

from disputes.decode import sha256
from disputes.errors import Conflict
from disputes.events import Booked, CaseEvent
from disputes.gateway.webhooks import MAX_BODY_BYTES
from disputes.notice import DisputeNotice
from disputes.notification import TOLD, placeholder_id
from disputes.store.inbox import InboxState
from disputes.store.listing import CaseFilter
from disputes.store.reads import Reads
from disputes.store.tables import NotificationRow
from starter.intake import Outcome
from starter.temporal_server import TemporalServer, start_temporal
from tests.support.desk import desk_of, intake_of, opened
from tests.support.door import Door, open_door
from tests.support.engine import Engine, run_engine
from tests.support.sandbox import Sandbox
from tests.support.waiting import until
from tests.support.webhooks import KEY, OTHER_KEY, Json, notification, sealed
from tests.workflows.hands import Dispute, refused
from tests.workflows.payment_hands import PreAuth, Refund, fresh_id

NOW = timedelta()


@pytest_asyncio.fixture
async def door(alone: Engine) -> AsyncIterator[Door]:
    """A door at which a chargeback waits a day for its case."""
    async with open_door(alone) as opened:
        yield opened


@pytest_asyncio.fixture
async def hasty_door(alone: Engine) -> AsyncIterator[Door]:
    """A door at which a chargeback without a case is listed at once."""
    async with open_door(alone, orphan=NOW) as opened:
        yield opened


async def _charged_back(dispute: Dispute) -> Json:
    """The acquirer books the chargeback by itself; gives its notification."""
    await dispute.gateway_books("CB", dispute.payment, 92_00)
    return notification((await dispute.book())[-1])


async def _what(dispute: Dispute) -> list[str]:
    return [str(entry["what"]) for entry in await dispute.timeline()]


def _listed(engine: Engine) -> list[str]:
    return [case.dispute_id for case in Reads(engine.store).cases(CaseFilter())]


# Chargebacks


async def test_webhook_before_notice(
    temporal_server: TemporalServer, sandbox: Sandbox, database_url: str, tmp_path: Path
) -> None:
    """A placeholder opens and becomes an alias of the real case: never two cases."""
    async with (
        run_engine(temporal_server, sandbox, database_url, tmp_path.name) as engine,
        open_door(engine, orphan=NOW) as door,
    ):
        await _webhook_then_notice(engine, door)


async def _webhook_then_notice(alone: Engine, hasty_door: Door) -> None:
    dispute = Dispute(alone, await alone.notice())
    told = await _charged_back(dispute)
    await hasty_door.notify(told)
    alias = placeholder_id(told["payload"]["id"])
    await until(lambda: _listed(alone) == [alias])
    desk = desk_of(alone)
    status = await desk.status(alias)
    assert (status.status, status.attention) == ("awaiting_notice", ("notice_missing",))
    assert (status.payment_id, status.disputed) == (dispute.payment, "92.00")
    assert await desk.timeline(alias) == []

    await alone.open(dispute.notice)
    await dispute.until(booked_out="92.00")
    line = await hasty_door.until(InboxState.DELIVERED)
    assert line.case_id == dispute.id
    await until(lambda: _listed(alone) == [dispute.id])
    await dispute.until(status="collecting")
    meant = await desk.status(alias)
    assert (meant.dispute_id, meant.attention) == (dispute.id, ())
    assert await dispute.booked_types() == ["DB", "CB"]
    await dispute.money_is(disputed=92_00)
    assert (await _what(dispute)).count("booked") == 1
    assert await desk.timeline(alias) == await desk.timeline(dispute.id)
    await _notice_under(alone, dispute, alias)


async def _notice_under(engine: Engine, dispute: Dispute, alias: str) -> None:
    """The notice comes again, under the alias: it is refused at every door, for it has its case."""
    notice = dispute.notice | {"dispute_id": alias}
    with pytest.raises(Conflict) as conflict:
        await desk_of(engine).open(DisputeNotice.model_validate(notice))
    assert (conflict.value.fields, conflict.value.known_as) == (("dispute_id",), dispute.id)
    assert dispute.id in conflict.value.message
    line = await intake_of(engine).take_line(opened(notice), datetime.now(UTC))
    assert (line.outcome, list(line.reasons)) == (Outcome.REJECTED, ["data.dispute_id"])
    assert dispute.id in line.reasons["data.dispute_id"]
    started = await engine.open(notice)  # as any Temporal client would
    assert await refused(started.result()) == ("Conflict", {"fields": ["dispute_id"]})
    assert _listed(engine) == [dispute.id]
    assert await dispute.booked_types() == ["DB", "CB"]
    await dispute.money_is(disputed=92_00)


async def test_notice_before_webhook(alone: Engine, hasty_door: Door) -> None:
    """The case took the gateway's own chargeback over; its notification adds nothing."""
    dispute = Dispute(alone, await alone.notice())
    told = await _charged_back(dispute)
    await alone.open(dispute.notice)
    await dispute.until(booked_out="92.00")
    for _ in range(3):
        await hasty_door.notify(told)
    await hasty_door.until(InboxState.DELIVERED)
    assert hasty_door.counts.repeated == 2
    await until(lambda: "booked" in {event.body.kind for event in _events(alone, dispute)})
    assert _listed(alone) == [dispute.id]
    assert await dispute.booked_types() == ["DB", "CB"]
    await dispute.money_is(disputed=92_00)
    assert (await _what(dispute)).count("booked") == 1
    alias = placeholder_id(told["payload"]["id"])
    assert (await desk_of(alone).status(alias)).dispute_id == dispute.id


def _events(engine: Engine, dispute: Dispute) -> tuple[CaseEvent, ...]:
    return Reads(engine.store).events(dispute.id)


async def test_our_own_chargeback_is_no_news(alone: Engine, hasty_door: Door) -> None:
    dispute = await Dispute.booked(alone)
    before = (await dispute.status()).sequence
    await hasty_door.notify(notification((await dispute.book())[-1]))
    line = await hasty_door.until(InboxState.DELIVERED)
    assert (line.case_id, line.reason) == (dispute.id, "known")
    assert (await dispute.status()).sequence == before
    assert _listed(alone) == [dispute.id]


async def test_disorder_and_repetition_end_as_order_does(alone: Engine, hasty_door: Door) -> None:
    """CB, CR and notice in every order, each told three times: one case, one booking of each."""
    cases = []
    for order in itertools.permutations(["CB", "CR", "notice"]):
        dispute = Dispute(alone, await alone.notice())
        cases.append(dispute)
        told = {"CB": await _charged_back(dispute)}
        chargeback = told["CB"]["payload"]["id"]
        await dispute.gateway_books("CR", chargeback, 92_00)
        told["CR"] = notification((await dispute.book())[-1])
        for name in order:
            if name == "notice":
                await alone.open(dispute.notice)
                continue
            await asyncio.gather(*(hasty_door.notify(told[name]) for _ in range(3)))
    for dispute in cases:
        await dispute.until(booked_out="0.00")
    await until(lambda: set(hasty_door.states()) == {InboxState.DELIVERED})
    assert len(hasty_door.states()) == 2 * len(cases)
    await until(lambda: sorted(_listed(alone)) == sorted(dispute.id for dispute in cases))
    for dispute in cases:
        await until(partial(_is_told, alone, dispute))
        assert await dispute.booked_types() == ["DB", "CB", "CR"]
        # The bank's word on the win is a ruling; until then the money only stands at the gateway.
        await dispute.rule("merchant_won")
        await dispute.until(status="won", attention=())
        await dispute.money_is(acquirer=92_00)


def _is_told(engine: Engine, dispute: Dispute) -> bool:
    return _bookings(engine, dispute) == ["CB", "CR"]


def _bookings(engine: Engine, dispute: Dispute) -> list[str]:
    bodies = [event.body for event in _events(engine, dispute)]
    return sorted(body.booking.payment_type for body in bodies if isinstance(body, Booked))


async def test_a_chargeback_waits_for_its_case_before_it_is_listed(
    alone: Engine, door: Door
) -> None:
    dispute = Dispute(alone, await alone.notice())
    await door.notify(await _charged_back(dispute))
    line = await door.until(InboxState.PARKED)
    assert (line.reason, line.case_id) == ("no case explains it", None)
    assert _listed(alone) == []
    await alone.open(dispute.notice)
    assert (await door.until(InboxState.DELIVERED)).case_id == dispute.id


async def test_two_chargebacks_of_strangers_are_two_placeholders(
    alone: Engine, hasty_door: Door
) -> None:
    ids = [sha256(f"{alone.name} {name}")[:32] for name in ("one", "two")]
    for gateway_id in ids:
        stranger = {"id": gateway_id, "payment_type": "CB", "referenced_id": "e" * 32}
        await hasty_door.notify(notification(stranger))
    await until(lambda: sorted(_listed(alone)) == sorted(map(placeholder_id, ids)))


async def test_a_reversal_that_names_nothing_but_its_arn_is_looked_up_by_its_case(
    alone: Engine, door: Door
) -> None:
    dispute = await Dispute.booked(alone, arn="7" * 23)
    await dispute.gateway_books("CR", str((await dispute.book())[-1]["id"]), 92_00)
    reversal = (await dispute.book())[-1] | {"referenced_id": None}
    details = {"AcquirerReferenceNumber": "7" * 23}
    await door.notify(notification(reversal, resultDetails=details))
    assert (await door.until(InboxState.DELIVERED)).case_id == dispute.id
    await dispute.until(booked_out="0.00")


async def test_what_the_gateway_does_not_show_yet_is_told_again(alone: Engine, door: Door) -> None:
    """The notification comes seconds after the booking, and the gateway's report after that."""
    dispute = await Dispute.booked(alone)
    chargeback = str((await dispute.book())[-1]["id"])
    reversal = {"id": fresh_id(), "payment_type": "CR", "referenced_id": chargeback}
    await door.notify(notification(reversal))
    await until(lambda: _asked_in_vain(alone, dispute))
    await door.until(InboxState.PARKED)
    await alone.sandbox.own_booking("CR", chargeback, amount_minor=92_00, id=reversal["id"])
    await dispute.until(booked_out="0.00")
    assert (await door.until(InboxState.DELIVERED)).case_id == dispute.id
    assert _bookings(alone, dispute) == ["CR"]
    await dispute.rule("merchant_won")
    await dispute.until(status="won", attention=())
    await dispute.money_is(acquirer=92_00)


async def test_a_chargeback_that_the_gateway_does_not_show_yet_is_told_again(
    alone: Engine, door: Door
) -> None:
    chargeback = {"id": fresh_id(), "payment_type": "CB"}
    dispute = await Dispute.opened(alone, stage="inquiry", gateway_reference=chargeback["id"])
    await door.notify(notification(chargeback | {"referenced_id": dispute.payment}))
    await until(lambda: _asked_in_vain(alone, dispute))
    await alone.sandbox.own_booking("CB", dispute.payment, amount_minor=92_00, id=chargeback["id"])
    await dispute.until(booked_out="92.00")
    assert (await door.until(InboxState.DELIVERED)).case_id == dispute.id
    assert _bookings(alone, dispute) == ["CB"]


async def test_what_the_gateway_never_shows_is_left_to_the_comparison(
    alone: Engine, door: Door
) -> None:
    """Nobody is told for ever, however often it is looked at."""
    dispute = await Dispute.booked(alone)
    chargeback = str((await dispute.book())[-1]["id"])
    reversal = {"id": fresh_id(), "payment_type": "CR", "referenced_id": chargeback}
    await door.notify(notification(reversal))
    assert (await door.until(InboxState.PARKED)).reason == TOLD
    with alone.store.write() as session:
        row = session.exec(select(NotificationRow)).one()
        row.received_at -= timedelta(hours=1)
        session.add(row)
    line = await door.until(InboxState.DELIVERED)
    assert (line.case_id, line.due_at) == (dispute.id, None)


def _asked_in_vain(engine: Engine, dispute: Dispute) -> bool:
    """The case was told, and asked about its payment after that."""
    kinds = [event.body.kind for event in _events(engine, dispute)]
    return "booked" in kinds and "payment_known" in kinds[kinds.index("booked") :]


async def test_a_chargeback_that_the_case_it_names_does_not_take_is_listed(
    alone: Engine, hasty_door: Door
) -> None:
    """The notice names it, but is about another payment: told is not taken."""
    other = Dispute(alone, await alone.notice())
    told = await _charged_back(other)
    chargeback = told["payload"]["id"]
    dispute = await Dispute.booked(alone, gateway_reference=chargeback)
    await hasty_door.notify(told)
    alias = placeholder_id(chargeback)
    await until(lambda: sorted(_listed(alone)) == sorted([dispute.id, alias]))
    await until(lambda: "booked" in {event.body.kind for event in _events(alone, dispute)})
    [line] = hasty_door.inbox.lines(InboxState.PARKED)
    assert (line.reason, line.case_id) == (TOLD, dispute.id)
    assert (await _what(dispute)).count("booked") == 1
    await alone.open(other.notice)
    await other.until(booked_out="92.00")
    assert (await hasty_door.until(InboxState.DELIVERED)).case_id == other.id
    await until(lambda: sorted(_listed(alone)) == sorted([dispute.id, other.id]))


# Operations in doubt


async def test_a_notification_settles_a_reversal_in_doubt(alone: Engine, door: Door) -> None:
    """Only the id is believed: what was booked the case asks the gateway."""
    dispute = await Dispute.booked(alone)
    match = {"payment_type": "CR", "payment_id": dispute.payment}
    code = "000.400.030"
    await alone.sandbox.arm("result_code_after_booking", match=match, code=code)
    await dispute.rule("merchant_won")
    await dispute.until(lambda it: "operation_in_doubt" in it.attention)
    reversal = (await dispute.book())[-1]
    await door.notify(notification(reversal | {"amount_minor": 1_00}))
    status = await dispute.until(attention=(), booked_out="0.00")
    assert [op.gateway_id for op in status.operations if op.type == "CR"] == [reversal["id"]]
    await dispute.money_is(acquirer=92_00)


async def _refund_in_doubt(engine: Engine) -> tuple[str, Refund]:
    """A payment, and its refund that is booked and of which nobody knows."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    match = {"payment_type": "RF", "payment_id": payment}
    await engine.sandbox.arm("result_code_after_booking", match=match, code="000.400.030")
    own = await Refund.asked(engine, payment)
    await own.until(state="in_doubt")
    return payment, own


async def test_a_notification_settles_a_refund_in_doubt(alone: Engine, door: Door) -> None:
    """Its workflow is told by the id alone, and asks the gateway."""
    payment, own = await _refund_in_doubt(alone)
    booked = (await alone.sandbox.book(payment))[-1]
    await door.notify(notification(booked | {"amount_minor": 1_00}))
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.state, summary.operation.gateway_id) == ("settled", booked["id"])
    assert (await door.until(InboxState.DELIVERED)).reason == "known"
    assert own.accounts() == {"acquirer": 72_00, "sales": -92_00, "refunds": 20_00}
    assert await own.posts() == ["RF"]


async def test_a_refund_in_doubt_that_the_gateway_does_not_show_yet_is_told_again(
    alone: Engine, door: Door
) -> None:
    payment, own = await _refund_in_doubt(alone)
    asked = {"payment_id": payment, "query": True}
    await alone.sandbox.arm("result_code", match=asked, code="700.400.580")
    await door.notify(notification((await alone.sandbox.book(payment))[-1]))
    assert (await own.result()).state == "settled"
    assert (await door.until(InboxState.DELIVERED)).reason == "known"
    assert await own.posts() == ["RF"]


async def test_a_capture_that_comes_after_the_expiry_opens_it_again(
    alone: Engine, door: Door
) -> None:
    own = await PreAuth.opened(alone)
    assert not await own.pass_time(hours=169)
    assert (await own.result()).state == "expired"
    payment = str(own.payment)
    await alone.sandbox.own_booking("CP", payment, amount_minor=92_00)
    late = (await alone.sandbox.book(payment))[-1]
    await door.notify(notification(late | {"amount_minor": 1_00}))
    assert (await door.until(InboxState.DELIVERED)).reason == own.workflow_id
    status = await own.until(lambda it: "late_capture" in it.attention)
    assert (status.state, status.captured) == ("captured", "92.00")
    await own.result()
    assert own.accounts() == {"acquirer": 92_00, "sales": -92_00}


async def test_a_release_behind_our_back_ends_a_watched_authorization(
    alone: Engine, door: Door
) -> None:
    own = await PreAuth.opened(alone)
    await alone.sandbox.own_booking("RV", str(own.payment), amount_minor=92_00)
    await door.notify(notification((await alone.sandbox.book(own.payment))[-1]))
    assert (await own.result()).state == "reversed"


async def test_a_capture_of_what_nobody_watches_concerns_nobody(door: Door) -> None:
    await door.notify(
        notification({"id": "a" * 32, "payment_type": "CP", "referenced_id": "b" * 32})
    )
    assert (await door.until(InboxState.IGNORED)).reason == "no operation of ours"


async def test_a_refund_behind_our_back_is_told_to_the_open_case(alone: Engine, door: Door) -> None:
    dispute = await Dispute.booked(alone, amount={"amount": "50.00", "currency": "EUR"})
    stranger = {"id": sha256("rf")[:32], "payment_type": "RF", "referenced_id": dispute.payment}
    await door.notify(notification(stranger | {"amount_minor": 1_00}))
    assert (await door.until(InboxState.DELIVERED)).case_id == dispute.id


# The door


async def test_activation_and_unknown_types_are_acknowledged_and_kept(
    alone: Engine, door: Door
) -> None:
    await door.notify({"type": "test", "action": "webhook activation"})
    await door.notify({"type": "RISK", "payload": {"id": "1"}})
    await door.notify(b"not JSON")
    await door.notify({"type": "PAYMENT"})
    assert door.states() == [InboxState.IGNORED] * 4
    assert {line.type for line in door.inbox.lines()} == {"test", "RISK", "unreadable", "PAYMENT"}
    assert _listed(alone) == []


async def test_both_keys_of_a_rotation_are_taken(alone: Engine) -> None:
    async with open_door(alone, KEY, OTHER_KEY) as door:
        await door.notify({"type": "test", "place": 1}, KEY)
        await door.notify({"type": "test", "place": 2}, OTHER_KEY)
        answer = await door.knock(*sealed({"type": "test"}, "ab" * 32))
        assert answer.status_code == httpx.codes.UNAUTHORIZED
        assert len(door.states()) == 2


async def test_what_is_not_authentic_leaves_a_count_and_nothing_else(door: Door) -> None:
    body, headers = sealed({"type": "PAYMENT"})
    tag = headers["X-Authentication-Tag"]
    wrong = [
        (body, headers | {"X-Authentication-Tag": "00" * 16}),
        (body, headers | {"X-Authentication-Tag": tag[:30]}),
        (body, {"X-Authentication-Tag": tag}),
        (body, {}),
        (body + b"00", headers),
        (b"", headers),
        (b'{"type": "PAYMENT"}', headers),
    ]
    answers = [await door.knock(*envelope) for envelope in wrong]
    assert {answer.status_code for answer in answers} == {httpx.codes.UNAUTHORIZED}
    assert len({answer.text for answer in answers}) == 1
    assert door.counts.not_authentic == len(wrong)
    assert door.inbox.lines() == ()


async def test_a_body_that_is_too_long_is_not_read_to_its_end(door: Door) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 10_000
            yield b"0" * 10_000

    request = door.http.build_request("POST", "/v1/webhooks/payunity", content=endless())
    answer = await door.http.send(request)
    assert answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert read <= MAX_BODY_BYTES + 20_000
    assert door.inbox.lines() == ()


async def test_what_cannot_be_kept_is_not_acknowledged(alone: Engine, door: Door) -> None:
    with alone.store.write() as session:
        session.connection().execute(text("ALTER TABLE notification RENAME TO elsewhere"))
    answer = await door.knock(*sealed({"type": "test"}))
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    with alone.store.write() as session:
        session.connection().execute(text("ALTER TABLE elsewhere RENAME TO notification"))
    await door.notify({"type": "test"})
    assert door.states() == [InboxState.IGNORED]


async def test_nothing_of_the_shopper_is_kept(alone: Engine, door: Door) -> None:
    dispute = Dispute(alone, await alone.notice())
    await door.notify(await _charged_back(dispute))
    with alone.store.read() as session:
        rows = session.connection().execute(text("SELECT * FROM notification")).all()
    for secret in ("Jane", "jane.jones", "192.0.2.7", "420000", "8ac7a4a18ac7a4a1"):
        assert secret not in repr(rows)


# Temporal away


@pytest_asyncio.fixture
async def own_temporal(tmp_path: Path) -> AsyncIterator[TemporalServer]:
    server = await start_temporal(
        os.environ, log=tmp_path / "temporal.log", database=tmp_path / "temporal.sqlite3"
    )
    yield server
    await server.child.stop()


async def test_kept_while_temporal_is_away_and_delivered_when_it_is_back(
    own_temporal: TemporalServer, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Frozen, then gone: both times the gateway is answered, and the case hears it later."""
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    async with (
        run_engine(own_temporal, sandbox, url, tmp_path.name) as engine,
        open_door(engine) as door,
    ):
        dispute = await Dispute.booked(engine)
        [_, chargeback] = await dispute.book()
        os.killpg(own_temporal.child.pid, signal.SIGSTOP)
        reversal = await dispute.gateway_books("CR", str(chargeback["id"]), 40_00)
        entries = {str(entry["id"]): entry for entry in await dispute.book()}
        await door.notify(notification(entries[reversal]))
        assert door.states() in ([InboxState.RECEIVED], [InboxState.PARKED])
        os.killpg(own_temporal.child.pid, signal.SIGCONT)
        await door.until(InboxState.DELIVERED)
        await dispute.until(booked_out="52.00")

        port = int(own_temporal.address.rpartition(":")[2])
        await own_temporal.child.stop()
        other = await dispute.gateway_books("CR", str(chargeback["id"]), 52_00)
        entries = {str(entry["id"]): entry for entry in await dispute.book()}
        await door.notify(notification(entries[other]))
        assert (await door.until(InboxState.PARKED)).reason == "Temporal is away"
        again = await start_temporal(
            os.environ,
            log=tmp_path / "temporal-2.log",
            port=port,
            database=tmp_path / "temporal.sqlite3",
        )
        try:
            await door.until(InboxState.DELIVERED)
            await dispute.until(booked_out="0.00")
            assert await dispute.booked_types() == ["DB", "CB", "CR", "CR"]
            assert _bookings(engine, dispute) == ["CR", "CR"]
        finally:
            await again.child.stop()
