"""Tells one story of the engine in the terminal: what somebody does, and what came of it when."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import BaseModel
from rich.text import Text
from temporalio.client import Client

from disputes.authorization import Note
from disputes.authorization_status import PreAuthorizationStatus
from disputes.decode import sha256
from disputes.errors import Refusal
from disputes.ledger import Account
from disputes.messages import BankRuling
from disputes.notice import DisputeNotice
from disputes.order_status import OperationSummary
from disputes.requests import ConditionMet, OrderRequest, PreAuthorization
from disputes.status import CaseStatus
from disputes.store.engine import Store
from disputes.store.ledger import LedgerBook
from disputes.store.notices import SqlNotices
from disputes.vocabulary import Condition
from starter.client import DisputeDesk
from starter.demo_clock import Clocks, Handle
from starter.payment_desk import Kind, PaymentDesk
from starter.render import console, plain, when
from workflows.ids import dispute_workflow_id, payment_workflow_id


@dataclass
class Teller:
    """Does what a story says and prints it; every line carries its workflow's own date."""

    client: Client
    desk: PaymentDesk
    cases: DisputeDesk
    store: Store
    sandbox: httpx.AsyncClient
    clocks: Clocks
    _told: dict[str, int] = field(default_factory=dict)
    _numbers: int = 0

    def scene(self, title: str) -> None:
        """Begin another scene."""
        console().print(Text(f"\n{title}", style="bold"))

    def say(self, line: str) -> None:
        """Tell what somebody does."""
        console().print(Text(f"  {plain(line)}"))

    async def payment(self, amount: str, kind: str = "DB", days_ago: int = 0) -> str:
        """Have the gateway book a payment in EUR; gives its id."""
        self._numbers += 1
        payment_id = sha256(f"story {self._numbers}")[:32]
        booked = datetime.now(UTC) - timedelta(days=days_ago)
        body = {"id": payment_id, "payment_type": kind, "amount": amount, "currency": "EUR"}
        answer = await self.sandbox.post(
            "/_sandbox/payments", json=body | {"booked_at": booked.isoformat()}
        )
        answer.raise_for_status()
        return payment_id

    async def authorize(self, start: PreAuthorization) -> None:
        """Have an authorization watched over."""
        await self.desk.authorize(start)
        await self.clocks.quiet(self._handle("preauthorization", start.payment_id))

    async def command(self, payment_id: str, name: str, command: BaseModel) -> None:
        """Give a pre-authorization a command."""
        await self.desk.command("preauthorization", payment_id, name, command)

    async def condition(self, payment_id: str, condition: Condition) -> None:
        """Tell a pre-authorization that a condition has come true, by its own clock."""
        handle = self._handle("preauthorization", payment_id)
        now = await self.clocks.quiet(handle)
        fact = ConditionMet(condition=condition, occurred_at=now or datetime.now(UTC))
        await self.desk.signal("preauthorization", payment_id, "condition_met", fact)
        await self.clocks.quiet(handle)

    async def order(self, kind: Kind, own_id: str, request: OrderRequest) -> None:
        """Ask for a refund, payout or rebill, and tell what came of it or why it was refused."""
        try:
            await self.desk.order(kind, request)
            await self.desk.outcome(kind, own_id)
        except Refusal as refusal:
            self.say(f"    refused: {refusal.message}")
        else:
            await self.news(kind, own_id)

    async def pass_time(self, payment_id: str, **duration: float) -> None:
        """Let time go by for a pre-authorization."""
        handle = self._handle("preauthorization", payment_id)
        await self.clocks.pass_time(handle, timedelta(**duration))
        await self.clocks.quiet(handle)

    async def news(self, kind: Kind, own_id: str) -> PreAuthorizationStatus | OperationSummary:
        """Print what is new of a workflow, each line with its date; gives its status."""
        status: PreAuthorizationStatus | OperationSummary
        if kind == "preauthorization":
            status = await self.desk.authorization(own_id)
        else:
            status = await self.desk.order_status(kind, own_id)
        workflow_id = payment_workflow_id(kind, own_id)
        self._print(workflow_id, status.timeline)
        return status

    def _print(self, workflow_id: str, notes: tuple[Note, ...]) -> None:
        for note in notes[self._told.get(workflow_id, 0) :]:
            line = f"    {when(note.at)}  {note.actor:<9} {plain(note.what)}"
            console().print(Text(line, style="dim"), soft_wrap=True)
        self._told[workflow_id] = len(notes)

    async def dispute(self, notice: DisputeNotice) -> None:
        """Open a dispute and wait until it only waits."""
        await self.cases.open(notice)
        await self.clocks.quiet(self._case(notice.dispute_id))

    async def rule(self, case_id: str, ruling: BankRuling) -> None:
        """Tell a dispute what its bank decided."""
        await self.cases.fact(case_id, "bank_ruling", ruling)
        await self.clocks.quiet(self._case(case_id))

    async def days_pass(self, case_id: str, days: float) -> None:
        """Let days go by for a dispute."""
        await self.clocks.pass_time(self._case(case_id), timedelta(days=days))

    async def case(self, case_id: str) -> CaseStatus:
        """A dispute's status once it only waits; one line of it is printed."""
        now = await self.clocks.quiet(self._case(case_id))
        status = await self.cases.status(case_id)
        line = (
            f"    {when(now) or 'closed':<17}  bank      {case_id} is {status.status}:"
            f" at risk {status.at_risk}, rebilled {status.rebilled}, recovered {status.recovered}"
        )
        console().print(Text(line, style="dim"), soft_wrap=True)
        return status

    async def ends(self) -> list[str]:
        """Print what merchant and shopper were told, and whether the books add up."""
        told = SqlNotices(self.store).told(limit=1000)
        if told:
            self.scene("What was told")
            for notice in told:
                self.say(f"{when(notice.at)}  {notice.audience:<8}  {notice.text}")
        problems = LedgerBook(self.store).verify() + await self._drift()
        self.scene("The books")
        for problem in problems or ["balanced, and the acquirer's account is the gateway's own"]:
            self.say(problem)
        return problems

    async def _drift(self) -> list[str]:
        """Where the gateway's own book and ours differ."""
        answer = (await self.sandbox.get("/_sandbox/position")).raise_for_status().json()
        theirs = sum(entry["minor"] for entry in answer["roots"].values())
        ours = sum(
            it.amount_minor
            for it in LedgerBook(self.store).balances()
            if it.account is Account.ACQUIRER
        )
        return [] if theirs == ours else ["the gateway's own book shows another sum"]

    def _handle(self, kind: Kind, own_id: str) -> Handle:
        return self.client.get_workflow_handle(payment_workflow_id(kind, own_id))

    def _case(self, case_id: str) -> Handle:
        return self.client.get_workflow_handle(dispute_workflow_id(case_id))
