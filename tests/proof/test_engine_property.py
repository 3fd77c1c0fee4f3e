"""Any interleaving, repetition and delay of a case's events, with faults, on the real engine.

A real Temporal server, sandbox, worker and store. Where a case comes to rest must be where the
pure core's fold of the same facts, told at once and in the order of their moments, comes to rest:
the same status, and the same net position on every account. ``PROOF_EXAMPLES=100 PROOF_SEED=7``
makes more lives than the suite does, and other ones.
"""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from disputes.case import Case
from disputes.chain import next_plan
from disputes.events import Opened, PaymentKnown, Reported, Ruled
from disputes.ledger import Account
from disputes.messages import BankRuling, NetworkEvent
from disputes.status import CaseStatus, attention
from disputes.store.ledger import LedgerBook
from disputes.store.projection import load_case
from disputes.store.reads import OperationLine, Reads
from disputes.vocabulary import NetworkEventKind, OperationState, Outcome, Stage
from starter.temporal_server import TemporalServer
from tests.proof.lives import Life, end_of, positions
from tests.support.engine import Engine, Json, run_engine
from tests.support.sandbox import Sandbox
from tests.workflows.hands import Dispute

LIVES_AT_ONCE = 5
EXAMPLES = int(os.environ.get("PROOF_EXAMPLES", "3"))
SEED = int(os.environ.get("PROOF_SEED", "1"))
#: All facts lie between the notice's moment and now; no timer of the case does.
NOTICE_AGE = timedelta(days=2)
HOURS = 40
AMOUNTS = ("10.00", "40.00", "91.00", "92.00")
FEES = (NetworkEventKind.FEE_CHARGED, NetworkEventKind.FEE_RETURNED)
#: What the sandbox may do to a call and leave the engine able to learn what became of it.
FAULTS: tuple[Json, ...] = (
    {"kind": "http_500"},
    {"kind": "http_500_after_booking"},
    {"kind": "malformed_body"},
    {"kind": "truncated_body"},
    {"kind": "empty_body"},
    {"kind": "throttle"},
    {"kind": "refuse_success_status"},
    {"kind": "result_code_after_booking", "code": "900.100.300"},
    {"kind": "timeout_after_booking", "delay_s": 1.5},
    {"kind": "book_late", "delay_s": 0.5},
)
_UNDER_WAY = (OperationState.INTENDED, OperationState.SENT)
_PATIENCE_S = 150
_numbers = itertools.count(1)

#: A fact without its id and case: name of the signal, hours after the notice, and the rest.
Fact = tuple[str, int, Json]


@dataclass(frozen=True)
class Plot:
    """One life: its facts, the order in which they arrive, and the calls that go wrong.

    ``arrivals`` are indices of ``facts``, some of them twice; ``-1`` is the notice, ``None`` waits
    until all that was told of is carried out.
    """

    facts: tuple[Fact, ...]
    arrivals: tuple[int | None, ...]
    faults: tuple[Json, ...]
    stage: str


def _money(amount: str | None) -> Json:
    return {"amount": amount, "currency": "EUR"} if amount else {}


@st.composite
def rulings(draw: st.DrawFn) -> Fact:
    outcome = draw(st.sampled_from(Outcome))
    share = draw(st.sampled_from((*AMOUNTS, None)))
    if outcome is Outcome.PARTIAL:
        share = share or "40.00"
    stage = draw(st.sampled_from((None, *list(Stage)[2:])))
    body: Json = {"outcome": outcome.value}
    body |= {"merchant_amount": _money(share)} if share else {}
    body |= {"stage": stage.value} if stage else {}
    return "bank_ruling", draw(st.integers(0, HOURS)), body


@st.composite
def network_events(draw: st.DrawFn) -> Fact:
    kind = draw(st.sampled_from(NetworkEventKind))
    share = draw(st.sampled_from((*AMOUNTS, None))) or ("10.00" if kind in FEES else None)
    body: Json = {"kind": kind.value}
    body |= {"amount": _money(share)} if share else {}
    body |= {"respond_by": "later"} if draw(st.booleans()) else {}
    return "network_event", draw(st.integers(0, HOURS)), body


@st.composite
def plots(draw: st.DrawFn) -> Plot:
    facts = tuple(draw(st.lists(rulings() | network_events(), min_size=1, max_size=5)))
    once = draw(st.permutations(range(-1, len(facts))))
    repeats = draw(st.lists(st.sampled_from(once), max_size=2))
    pauses: list[int | None] = [None] * draw(st.integers(0, 2))
    arrivals = [*once[:1], *draw(st.permutations([*once[1:], *repeats, *pauses]))]
    faults = draw(st.lists(st.sampled_from(FAULTS), max_size=2))
    stage = draw(st.sampled_from(("chargeback", "chargeback", "inquiry")))
    return Plot(facts, tuple(arrivals), tuple(faults), stage)


class Played:
    """A plot on the engine."""

    def __init__(self, engine: Engine, plot: Plot, notice: Json) -> None:
        self.plot = plot
        self.dispute = Dispute(engine, notice)
        self._engine, self._store = engine, engine.store
        self._notice_at = datetime.fromisoformat(notice["received_at"])
        self.messages = [
            self._message(number, fact) for number, fact in enumerate(plot.facts, next(_numbers))
        ]
        self._told: set[str] = set()
        self._resolved: set[str] = set()

    def _message(self, number: int, fact: Fact) -> Json:
        name, hours, body = fact
        moment = self._notice_at + timedelta(hours=hours)
        later = {"respond_by": (moment + timedelta(days=60)).isoformat()}
        body = body | (later if "respond_by" in body else {})
        if name == "bank_ruling":
            return {"ruling_id": f"R-{number}", "decided_at": moment.isoformat(), **body}
        return {"event_id": f"E-{number}", "occurred_at": moment.isoformat(), **body}

    async def to_its_end(self) -> None:
        for fault in self.plot.faults:
            match = {"payment_id": self.dispute.payment}
            await self._engine.sandbox.arm(**fault, match=match)
        for place in self.plot.arrivals:
            if place is None:
                await self._rest()
            elif place < 0:
                await self.dispute.tell("dispute_opened", self.dispute.notice)
                self._told.add("notice")
            else:
                message = self.messages[place]
                await self.dispute.tell(self.plot.facts[place][0], message)
                self._told.add(_event_id(message))
        await self._rest()

    async def _rest(self) -> None:
        """Wait until the register has all that was told, and nothing is owed or under way."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not await asyncio.to_thread(self._at_rest):
                    await self._settle_doubts()
                    await asyncio.sleep(0.2)
        except TimeoutError:
            case = self.case()
            missing = self._told - {event.event_id for event in case.events}
            state = (missing, attention(case), next_plan(case), self._operations())
            raise AssertionError(f"{self.plot} never comes to rest: {state}") from None

    def _at_rest(self) -> bool:
        case = self.case()
        recorded = {event.event_id for event in case.events}
        if not self._told <= recorded:
            return False
        if "notice" not in self._told:
            return True
        known = case.payment is not None and case.payment.known
        calls = any(op.state in (*_UNDER_WAY, OperationState.IN_DOUBT) for op in self._operations())
        return known and not calls and next_plan(case) is None

    async def _settle_doubts(self) -> None:
        """A person looks at the gateway's portal, for what the engine may not guess."""
        doubtful = (op for op in self._operations() if op.state is OperationState.IN_DOUBT)
        for op in [op for op in doubtful if op.key not in self._resolved]:
            self._resolved.add(op.key)
            await self.dispute.until(doubts(op.key))
            mtid = op.merchant_transaction_id
            shown = [it for it in await self.dispute.book() if _mtid(it) == mtid]
            word = "happened" if shown else "did_not_happen"
            resolved = {"operation_key": op.key, "resolution": word, "resolved_by": "olga"}
            await self.dispute.update("resolve_operation", resolved | {"proof": "the portal"})

    def case(self) -> Case:
        with self._store.read() as session:
            return load_case(session, self.dispute.id)

    def _operations(self) -> tuple[OperationLine, ...]:
        return Reads(self._store).operations(dispute_id=self.dispute.id)

    def expected(self) -> Life:
        """The core's life: everything is told in the order in which it happened, and booked."""
        case = self.case()
        life = Life(Case(case_id=self.dispute.id), payment_id=self.dispute.payment)
        opened = next(event for event in case.events if isinstance(event.body, Opened))
        asked = next(event for event in case.events if isinstance(event.body, PaymentKnown))
        life.tell(asked.event_id, asked.at, asked.body)
        life.tell(opened.event_id, opened.at, opened.body)
        facts = [(_event_id(message), _body(message)) for message in self.messages]
        for event_id, body in sorted(facts, key=lambda fact: _moment(fact[1])):
            life.tell(event_id, _moment(body), body)
        life.rest()
        return life

    async def judge(self) -> None:
        """The same end, the gateway's own book, and nothing booked twice."""
        life, case = self.expected(), self.case()
        assert end_of(case) == life.end, self.plot
        lines = LedgerBook(self._store).show(self.dispute.payment)
        balances: Counter[Account] = Counter()
        for line in lines:
            balances[line.debit] += line.amount_minor
            balances[line.credit] -= line.amount_minor
        # One CB per entry: what the bank took more after a CB was booked nobody can book, and a
        # person is told.
        told = any("not_mirrored" in attention(it) for it in (case, life.case))
        found = positions(balances, mirrored=not told)
        assert found == life.positions(mirrored=not told), self.plot
        entries = await self.dispute.book()
        total = sum(int(str(it["sign"])) * int(str(it["amount_minor"])) for it in entries)
        assert balances[Account.ACQUIRER] == total, (self.plot, entries)
        twice = Counter(_mtid(entry) for entry in entries if _mtid(entry))
        assert all(times == 1 for times in twice.values()), (self.plot, entries)


def doubts(key: str) -> Callable[[CaseStatus], bool]:
    """Whether a case says that an operation is in doubt."""
    return lambda status: any(op.key == key and op.state == "in_doubt" for op in status.operations)


def _event_id(message: Json) -> str:
    ruling = "ruling_id" in message
    return f"ruling:{message['ruling_id']}" if ruling else f"event:{message['event_id']}"


def _body(message: Json) -> Ruled | Reported:
    if "ruling_id" in message:
        return Ruled(ruling=BankRuling.model_validate(message))
    return Reported(event=NetworkEvent.model_validate(message))


def _moment(body: Ruled | Reported) -> datetime:
    return body.ruling.decided_at if isinstance(body, Ruled) else body.event.occurred_at


def _mtid(entry: Mapping[str, object]) -> object:
    return entry["merchant_transaction_id"]


async def _life(engine: Engine, plot: Plot) -> Played:
    received = datetime.now(UTC) - NOTICE_AGE
    notice = await engine.notice(
        stage=plot.stage,
        received_at=received.isoformat(),
        processed_at=received.date().isoformat(),
    )
    return Played(engine, plot, notice)


@pytest_asyncio.fixture(scope="module")
async def quick_engine(
    temporal_server: TemporalServer,
    sandbox_process: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Engine]:
    """An engine with short windows of its own, so that a lost answer takes seconds."""
    url = f"sqlite:///{tmp_path_factory.mktemp('property') / 'store.sqlite3'}"
    windows = {
        "DISPUTES_GATEWAY_TIMEOUT_S": "1",
        "DISPUTES_GATEWAY_QUERY_INTERVAL_S": "0.1",
        "DISPUTES_GATEWAY_SETTLE_WINDOW_S": "2",
    }
    async with run_engine(temporal_server, sandbox_process, url, "property", **windows) as engine:
        yield engine


@pytest.mark.timeout(200 * EXAMPLES + 100)
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@seed(SEED)
@given(told=st.lists(plots(), min_size=LIVES_AT_ONCE, max_size=LIVES_AT_ONCE))
async def test_any_order_of_arrival_ends_as_the_core_says(
    quick_engine: Engine, told: list[Plot]
) -> None:
    lives = [await _life(quick_engine, plot) for plot in told]
    await asyncio.gather(*(life.to_its_end() for life in lives))
    for life in lives:
        await life.judge()
    assert await asyncio.to_thread(LedgerBook(quick_engine.store).verify) == []
    await quick_engine.sandbox.disarm()
