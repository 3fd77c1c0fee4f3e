"""The client against the sandbox gateway: a real process with its own book."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from uuid import uuid4

import pytest
import pytest_asyncio
from pydantic import SecretStr

from disputes.gateway.calls import Call, Deadline, Entity
from disputes.gateway.client import Gateway, Timeouts
from disputes.gateway.codes import Verdict
from disputes.gateway.replies import Absent, Found, Reply, Throttled, Unknown
from disputes.gateway.wire import AmountNotRepresentable, Entry
from disputes.vocabulary import PaymentType
from tests.support.sandbox import Sandbox

_numbers = count(1)


class Desk:
    """One payment of 92.00 EUR and what a test does with it."""

    def __init__(self, gateway: Gateway, sandbox: Sandbox, bearer: str = "sandbox") -> None:
        self.gateway = gateway
        self.sandbox = sandbox
        self.entity = Entity("sandbox", SecretStr(bearer), sandbox.url, "INTERNAL")
        self.payment_id = uuid4().hex
        self.mtid = ""

    async def post(
        self,
        payment_type: PaymentType,
        referenced_id: str | None = None,
        amount_minor: int = 9200,
        currency: str = "EUR",
    ) -> Reply:
        """A call under a new merchant transaction id, kept in ``mtid``."""
        self.mtid = f"client-test-{next(_numbers)}"
        call = Call(
            payment_type=payment_type,
            referenced_id=referenced_id or self.payment_id,
            merchant_transaction_id=self.mtid,
            entity=self.entity,
            deadline=Deadline(60),
            amount_minor=amount_minor,
            currency=currency,
        )
        return await self.gateway.post(call)

    async def booked(self, payment_type: PaymentType, referenced_id: str | None = None) -> Entry:
        """A call that must succeed: its entry."""
        reply = await self.post(payment_type, referenced_id)
        assert reply.verdict is Verdict.SUCCESS, reply
        assert reply.entry is not None
        return reply.entry

    async def under_mtid(self) -> list[Entry]:
        """What the gateway lists under the last merchant transaction id."""
        reply = await self.gateway.query_by_merchant_transaction_id(self.mtid, self.entity)
        assert isinstance(reply, Found), reply
        return list(reply.entries)

    async def kinds(self) -> list[object]:
        """Payment types in the gateway's own book under this payment, in order."""
        return [entry["payment_type"] for entry in await self.sandbox.book(self.payment_id)]


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(Timeouts.within(20)) as client:
        yield client


@pytest_asyncio.fixture
async def desk(gateway: Gateway, sandbox: Sandbox) -> Desk:
    made = Desk(gateway, sandbox)
    await sandbox.payment(made.payment_id, "92.00", "EUR")
    return made


async def test_a_dispute_and_its_reversals_are_booked_in_a_chain(desk: Desk) -> None:
    chargeback = await desk.booked(PaymentType.CB)
    reversal = await desk.booked(PaymentType.CR, chargeback.id)
    undone = await desk.booked(PaymentType.CR, reversal.id)
    assert await desk.kinds() == ["DB", "CB", "CR", "CR"]
    assert (undone.referenced_id, undone.amount_minor, undone.currency) == (
        reversal.id,
        9200,
        "EUR",
    )
    assert undone.timestamp is not None


async def test_a_payment_is_rebilled_and_the_rebill_given_back(desk: Desk) -> None:
    rebill = await desk.booked(PaymentType.RB)
    await desk.booked(PaymentType.RF, rebill.id)
    assert await desk.kinds() == ["DB", "RB", "RF"]


async def test_a_second_chargeback_is_refused_with_its_code(desk: Desk) -> None:
    await desk.booked(PaymentType.CB)
    reply = await desk.post(PaymentType.CB)
    assert (reply.verdict, reply.result_code) == (Verdict.REFUSED, "700.400.400")
    assert await desk.kinds() == ["DB", "CB"]


async def test_a_chargeback_that_answers_with_its_reason_is_booked(desk: Desk) -> None:
    await desk.sandbox.set(chargeback_answers_reason=True)
    try:
        entry = await desk.booked(PaymentType.CB)
    finally:
        await desk.sandbox.set(chargeback_answers_reason=False)
    assert entry.result_code.startswith("000.100.2")


@pytest.mark.parametrize(
    ("amount", "minor", "currency"), [("5000", 5000, "JPY"), ("1.250", 1250, "KWD")]
)
async def test_currencies_of_other_decimals_are_booked_to_the_unit(
    desk: Desk, amount: str, minor: int, currency: str
) -> None:
    desk.payment_id = uuid4().hex
    await desk.sandbox.payment(desk.payment_id, amount, currency)
    reply = await desk.post(PaymentType.CB, amount_minor=minor, currency=currency)
    assert reply.entry is not None
    assert (reply.verdict, reply.entry.amount_minor) == (Verdict.SUCCESS, minor)


async def test_an_amount_that_would_lose_value_never_reaches_the_gateway(desk: Desk) -> None:
    with pytest.raises(AmountNotRepresentable):
        await desk.post(PaymentType.CB, amount_minor=1255, currency="KWD")
    assert await desk.sandbox.requests(desk.mtid) == []


async def test_a_wrong_token_is_refused_and_teaches_a_query_nothing(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    stranger = Desk(gateway, sandbox, bearer="stolen")
    reply = await stranger.post(PaymentType.CB)
    assert (reply.verdict, reply.result_code) == (Verdict.REFUSED, "800.900.300")
    assert await gateway.query_by_id(uuid4().hex, stranger.entity) == Unknown("800.900.300", 403)


async def test_a_payments_whole_family_is_found_by_its_id(desk: Desk) -> None:
    chargeback = await desk.booked(PaymentType.CB)
    reply = await desk.gateway.query_by_id(desk.payment_id, desk.entity)
    assert isinstance(reply, Found)
    assert {(entry.id, entry.payment_type) for entry in reply.entries} == {
        (desk.payment_id, PaymentType.DB),
        (chargeback.id, PaymentType.CB),
    }


async def test_the_newer_query_api_tells_the_same_where_the_account_has_it(desk: Desk) -> None:
    chargeback = await desk.booked(PaymentType.CB)
    desk.entity = replace(desk.entity, query_version=3)
    reply = await desk.gateway.query_by_id(desk.payment_id, desk.entity)
    assert isinstance(reply, Found)
    assert {entry.id for entry in reply.entries} == {desk.payment_id, chargeback.id}
    assert await desk.under_mtid() == [chargeback]
    asked = await desk.sandbox.requests(desk.mtid)
    assert asked[-1]["path"] == "/v3/query"
    assert await desk.gateway.query_by_id(uuid4().hex, desk.entity) == Absent()


async def test_a_status_tells_of_one_transaction_and_denies_none(desk: Desk) -> None:
    chargeback = await desk.booked(PaymentType.CB)
    reply = await desk.gateway.status(chargeback.id or "", desk.entity)
    assert isinstance(reply, Found)
    assert [entry.id for entry in reply.entries] == [chargeback.id]
    assert await desk.gateway.status(uuid4().hex, desk.entity) == Unknown("200.300.404", 400)


async def test_what_was_never_sent_is_absent(desk: Desk) -> None:
    by_name = desk.gateway.query_by_merchant_transaction_id("client-test-none", desk.entity)
    assert await by_name == Absent()
    assert await desk.gateway.query_by_id(uuid4().hex, desk.entity) == Absent()


async def test_too_many_queries_are_throttled(desk: Desk) -> None:
    await desk.booked(PaymentType.CB)
    await desk.sandbox.set(query_limit_per_minute=2)
    try:
        replies = [
            await desk.gateway.query_by_merchant_transaction_id(desk.mtid, desk.entity)
            for _ in range(3)
        ]
    finally:
        await desk.sandbox.set(query_limit_per_minute=0)
    assert [type(reply) for reply in replies] == [Found, Found, Throttled]


@pytest.mark.parametrize(
    "fault",
    ["timeout_after_booking", "http_500_after_booking", "malformed_body", "truncated_body",
     "empty_body"],
)  # fmt: skip
async def test_a_booking_whose_answer_was_lost_is_unknown_and_then_found(
    desk: Desk, fault: str
) -> None:
    await desk.sandbox.arm(fault, delay_s=0, match={"payment_id": desk.payment_id})
    assert (await desk.post(PaymentType.CB)).verdict is Verdict.UNKNOWN
    (entry,) = await desk.under_mtid()
    assert (entry.payment_type, entry.amount_minor, entry.referenced_id) == (
        PaymentType.CB,
        9200,
        desk.payment_id,
    )


@pytest.mark.parametrize("fault", ["timeout_before_booking", "http_500"])
async def test_a_request_that_was_lost_is_unknown_and_then_absent(desk: Desk, fault: str) -> None:
    await desk.sandbox.arm(fault, delay_s=0, match={"payment_id": desk.payment_id})
    assert (await desk.post(PaymentType.CB)).verdict is Verdict.UNKNOWN
    query = desk.gateway.query_by_merchant_transaction_id(desk.mtid, desk.entity)
    assert await query == Absent()


async def test_a_gateway_that_answers_too_late_is_unknown(desk: Desk) -> None:
    await desk.sandbox.arm("hang", delay_s=2, match={"payment_id": desk.payment_id})
    async with Gateway(Timeouts(read_s=0.2)) as impatient:
        desk.gateway = impatient
        assert await desk.post(PaymentType.CB) == Reply(Verdict.UNKNOWN)


async def test_a_gateway_that_books_twice_lists_both(desk: Desk) -> None:
    await desk.sandbox.arm("duplicate_answer", match={"payment_id": desk.payment_id})
    await desk.booked(PaymentType.RB)
    first, second = await desk.under_mtid()
    assert first.id != second.id
    assert first.merchant_transaction_id == second.merchant_transaction_id == desk.mtid


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("900.100.300", Verdict.UNKNOWN),
        ("999.999.999", Verdict.UNKNOWN),
        ("123.456.789", Verdict.UNKNOWN),
        ("900.100.310", Verdict.NOT_SENT),
        ("800.800.801", Verdict.BACK_OFF),
        ("000.400.030", Verdict.MANUAL),
        ("000.200.000", Verdict.PENDING),
        ("800.110.100", Verdict.DUPLICATE),
        ("800.100.152", Verdict.REFUSED),
    ],
)
async def test_an_answers_code_decides(desk: Desk, code: str, verdict: Verdict) -> None:
    match = {"payment_id": desk.payment_id}
    await desk.sandbox.arm("result_code", code=code, match=match)
    assert (await desk.post(PaymentType.CB)).verdict is verdict


async def test_a_success_counts_though_the_status_says_bad_request(desk: Desk) -> None:
    await desk.sandbox.arm("refuse_success_status", match={"payment_id": desk.payment_id})
    reply = await desk.post(PaymentType.CB)
    assert (reply.verdict, reply.http_status) == (Verdict.SUCCESS, 400)


async def test_a_throttled_post_says_so(desk: Desk) -> None:
    await desk.sandbox.arm("throttle", match={"payment_id": desk.payment_id})
    assert (await desk.post(PaymentType.CB)).verdict is Verdict.THROTTLED
    assert await desk.kinds() == ["DB"]
