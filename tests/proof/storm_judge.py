"""Whether every case of a storm came to rest, and the gateway's own book shows what it should."""

import asyncio
import time
from collections import Counter, defaultdict

from disputes.ledger import Account
from disputes.reconciliation import FIRST, LAST, ReconciliationWindow
from disputes.status import CaseStatus
from disputes.store.ledger import LedgerBook
from disputes.store.listing import CaseFilter
from disputes.store.reads import OperationLine, Reads
from disputes.vocabulary import OperationState
from starter.reconciler import Reconciler
from tests.proof.storm_ground import Ground
from tests.proof.storm_lives import case_id_of, insist, life_of, payment_of
from workflows.ids import TASK_QUEUE

_OPEN = (OperationState.INTENDED, OperationState.SENT)
_POLL_S = 2.0


class Judge:
    """Judges a ground at rest; ``findings`` are sentences, ``seen`` counts."""

    def __init__(self, ground: Ground, cases: int) -> None:
        self._ground = ground
        self._cases = cases
        self._shown: dict[str, CaseStatus] = {}
        self._lines: dict[str | None, list[OperationLine]] = {}
        self.findings: list[str] = []
        self.seen: dict[str, int] = {}

    async def wait_for_rest(self, within_s: float) -> None:
        """Until every case is where its life ends, or time is up."""
        began = time.monotonic()
        while restless := await self._restless():
            if time.monotonic() - began > within_s:
                never = "never came to rest"
                self.findings += [
                    f"{case_id_of(number)} {never}: {self._state(number)}" for number in restless
                ]
                return
            await asyncio.sleep(_POLL_S)

    async def _restless(self) -> list[int]:
        await self._look()
        return [number for number in range(self._cases) if not self._rests(number)]

    async def _look(self) -> None:
        reads = Reads(self._ground.store)
        every = CaseFilter(limit=self._cases + 1)
        shown = await insist(lambda: asyncio.to_thread(reads.cases, every))
        lines = await insist(lambda: asyncio.to_thread(reads.operations))
        self._shown = {status.dispute_id: status for status in shown}
        self._lines = defaultdict(list)
        for line in lines:
            self._lines[line.dispute_id].append(line)

    def _rests(self, number: int) -> bool:
        case_id, life = case_id_of(number), life_of(number)
        shown, lines = self._shown.get(case_id), self._lines[case_id]
        if shown is None or shown.status != life.status or any(it.state in _OPEN for it in lines):
            return False
        return self._doubtful(number) or self._net(case_id) == life.net_minor - 92_00

    def _net(self, case_id: str) -> int:
        """What the settled operations of a case moved at the gateway, in minor units."""
        taken = {"CB": -1, "RB": 1, "RF": -1}
        return sum(
            line.amount_minor
            * (taken.get(line.payment_type) or (-1 if line.purpose == "undo" else 1))
            for line in self._lines[case_id]
            if line.state is OperationState.SETTLED
        )

    def _doubtful(self, number: int) -> bool:
        lines = self._lines[case_id_of(number)]
        return any(line.state is OperationState.IN_DOUBT for line in lines)

    def _state(self, number: int) -> str:
        shown = self._shown.get(case_id_of(number))
        lines = self._lines[case_id_of(number)]
        states = ", ".join(f"{line.key} {line.state}" for line in lines)
        return (
            f"{shown.status if shown else 'not there'}, {life_of(number).status} is right; {states}"
        )

    async def judge(self) -> None:
        """Everything that must hold at rest."""
        ledger = LedgerBook(self._ground.store)
        self.findings += await asyncio.to_thread(ledger.verify)
        book = await self._ground.sandbox.book()
        ours = await asyncio.to_thread(ledger.positions, Account.ACQUIRER)
        theirs: Counter[str] = Counter()
        for entry in book:
            theirs[str(entry["root_id"])] += int(str(entry["sign"])) * int(
                str(entry["amount_minor"])
            )
        for number in range(self._cases):
            self._compare(number, theirs, ours)
        twins = await self._once(book)
        every = [line for lines in self._lines.values() for line in lines]
        doubtful = [it for it in every if it.state is OperationState.IN_DOUBT]
        self.seen = {
            "operations": len(every),
            "of them sent more than once": sum(line.attempts > 1 for line in every),
            "booked more than once by the gateway's book, and told": twins,
            "in doubt: a person is asked": len(doubtful),
            "entries in the gateway's book": len(book),
            "worker processes started": self._ground.started,
        }

    def _compare(self, number: int, theirs: Counter[str], ours: dict[tuple[str, str], int]) -> None:
        payment = payment_of(number)
        there, here = theirs[payment], ours.get((payment, "EUR"), 0)
        if there != here:
            self.findings.append(f"{case_id_of(number)}: the gateway says {there}, we {here}")
        if there != life_of(number).net_minor and not self._doubtful(number):
            self.findings.append(f"{case_id_of(number)} ends with {there} at the gateway")
        shown = self._shown.get(case_id_of(number))
        asked = shown is not None and "operation_in_doubt" in shown.attention
        if self._doubtful(number) and not asked:
            self.findings.append(f"{case_id_of(number)} is in doubt, and nobody is asked")

    async def _once(self, book: list[dict[str, object]]) -> int:
        """No operation is booked twice, or somebody is told; gives how many were."""
        named: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
        for entry in book:
            if entry["merchant_transaction_id"]:
                named[str(entry["merchant_transaction_id"])].append(entry)
        twins = [entries for entries in named.values() if len(entries) > 1]
        for entries in twins:
            payment = str(entries[0]["root_id"])
            if not await self._told(payment):
                self.findings.append(f"{entries[0]['payment_type']} on {payment} is booked twice")
        return len(twins)

    async def _told(self, payment_id: str) -> bool:
        reconciler = Reconciler(self._ground.client, TASK_QUEUE)
        window = ReconciliationWindow(since=FIRST, until=LAST, adopt=False, payment_id=payment_id)
        report = await insist(lambda: reconciler.run(f"storm-{payment_id}", window))
        return report.flagged > 0
