"""What the bank, the acquirer and the merchant's people do to one payment, drawn from the seed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from pydantic import BaseModel

from disputes.messages import (
    AcceptLiability,
    AddEvidence,
    AddNote,
    AnswerPreArbitration,
    BankRuling,
    Consent,
    NetworkEvent,
    RequestRebill,
    SubmitRepresentment,
)
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.terms import Capabilities, CaseTerms, Checklist, Pin
from disputes.vocabulary import Flow, Network, NetworkEventKind, Outcome, Stage
from tests.proof.clock import START

DAY_S = 86_400.0
_PIN = Pin(version="1", sha256="0" * 64)
_AMOUNTS = (100, 4_999, 9_200, 25_000, 199_999)
_KINDS = tuple(NetworkEventKind)
#: What a case is about: anything, parts of an amount, or rebills and what follows them.
THEMES = ("anything", "anything", "parts", "rebills")


@dataclass(frozen=True)
class Act:
    """Something that happens ``at`` seconds: a fact, a command, or a booking of the acquirer."""

    at: float
    case_id: str
    name: str
    message: BaseModel | None = None


@dataclass
class Script:
    """One payment and its disputes; amounts in minor units of EUR."""

    random: Random
    terms: CaseTerms
    amount: int = 0
    captured: bool = False
    acquirer_books: bool = False
    theme: str = "anything"
    disputes: dict[str, int] = field(default_factory=dict)
    facts: list[Act] = field(default_factory=list)
    commands: list[Act] = field(default_factory=list)
    bookings: list[Act] = field(default_factory=list)


def draw(random: Random, present: Callable[[int, bool], str], theme: str | None = None) -> Script:
    """A script; ``present`` books the payment (amount, whether captured) and gives its id.

    ``theme`` is one of ``THEMES``; drawn too, unless it is given.
    """
    drawn = random.choice(THEMES)
    theme = theme or drawn
    script = Script(random, _terms(random, theme), theme=theme)
    script.amount = random.choice(_AMOUNTS)
    script.captured = random.random() < (0.1 if theme == "rebills" else 0.4)
    script.acquirer_books = random.random() < 0.4
    for number in range(1, 2 + (random.random() < 0.3)):
        part = random.choice((1.0, 1.0, 0.4, 0.6))
        script.disputes[f"D-{number}"] = max(int(script.amount * part), 1)
    entry = present(script.amount, script.captured)
    for case_id, minor in script.disputes.items():
        _dispute(script, case_id, minor, entry)
    if random.random() < 0.25:
        script.bookings.append(Act(random.uniform(0, 3 * DAY_S), "D-1", "refund"))
    return script


def _terms(random: Random, theme: str) -> CaseTerms:
    able = theme != "anything"
    return CaseTerms(
        rulebook=_PIN,
        policy=_PIN,
        known_reason=True,
        category="goods_not_received",
        fraud=False,
        flow=random.choice((Flow.COLLABORATION, Flow.COLLABORATION, Flow.ALLOCATION)),
        checklist=Checklist(ruled=False),
        respond_days=30,
        pre_arbitration_answer_days=30,
        arbitration_days=10,
        issuer_answer_days=30,
        expected_fee_minor=1500,
        tail_response_days=random.choice((20, 120)),
        tail_lost_days=random.choice((20, 120)),
        ladder_hours=random.choice(((), (24,))),
        capabilities=Capabilities(
            post_chargeback=able or random.random() < 0.9,
            post_reversal=able or random.random() < 0.9,
            partial_reversal_of_chargeback=able or random.random() < 0.8,
            undo_reversal=random.choice(("adopt_only", "cr_on_tip", "cr_on_tip")),
            rebill_after_dispute=True,
        ),
    )


def _dispute(script: Script, case_id: str, minor: int, payment_id: str) -> None:
    random = script.random
    at = random.uniform(0, DAY_S)
    received = START + timedelta(seconds=at)
    notice = DisputeNotice(
        dispute_id=case_id,
        merchant_id="M-1",
        payment_id=payment_id,
        stage=random.choice((Stage.CHARGEBACK,) * 6 + (Stage.INQUIRY,)),
        network=Network.MASTERCARD,
        reason_code="4853",
        amount=Money.of(minor, "EUR"),
        received_at=received,
        processed_at=received.date(),
    )
    script.facts.append(Act(at, case_id, "dispute_opened", notice))
    if script.acquirer_books:
        script.bookings.append(Act(at + random.uniform(-3600, 7200), case_id, "chargeback"))
    _commands(script, case_id, at, minor)
    if script.theme == "rebills":
        at = _rebilled(script, case_id, at, minor)
    for number in range(random.randint(0, 5)):
        at += random.choice((60.0, 3600.0, DAY_S, 10 * DAY_S, 40 * DAY_S)) * random.uniform(
            0.5, 1.5
        )
        _fact(script, case_id, number, at, minor)


def _fact(script: Script, case_id: str, number: int, at: float, minor: int) -> None:
    random = script.random
    moment = START + timedelta(seconds=at)
    share = Money.of(random.randint(1, minor), "EUR") if random.random() < 0.5 else None
    if random.random() < 0.6:
        parts = (Outcome.PARTIAL,) * 4 if script.theme == "parts" else ()
        outcome = random.choice((*Outcome, *parts))
        if outcome is Outcome.PARTIAL and share is None:
            share = Money.of(max(minor // 2, 1), "EUR")
        ruling = BankRuling(
            ruling_id=f"R-{number}",
            outcome=outcome,
            decided_at=moment,
            merchant_amount=share if outcome is Outcome.PARTIAL or random.random() < 0.1 else None,
            stage=random.choice((None, None, Stage.ARBITRATION)),
            final=random.random() < 0.05,
        )
        script.facts.append(Act(at, case_id, "bank_ruling", ruling))
        own = "chargeback" if outcome is Outcome.CARDHOLDER_WON else "reversal"
    else:
        kind = random.choice((*_KINDS, NetworkEventKind.SECOND_CHARGEBACK))
        fee = kind in (NetworkEventKind.FEE_CHARGED, NetworkEventKind.FEE_RETURNED)
        event = NetworkEvent(
            event_id=f"N-{number}",
            kind=kind,
            occurred_at=moment,
            amount=Money.of(1500, "EUR") if fee else share if random.random() < 0.3 else None,
            respond_by=moment + timedelta(days=20) if random.random() < 0.5 else None,
        )
        script.facts.append(Act(at, case_id, "network_event", event))
        own = "undo" if kind is NetworkEventKind.SECOND_CHARGEBACK else "reversal"
        if kind not in (NetworkEventKind.SECOND_CHARGEBACK, NetworkEventKind.CHARGEBACK_WITHDRAWN):
            return
    if script.acquirer_books:
        script.bookings.append(Act(at + random.uniform(-3600, 7200), case_id, own))


def _rebilled(script: Script, case_id: str, at: float, minor: int) -> float:
    """Lost, rebilled in parts, and won late: a part of the rebill is given back. Gives its end."""
    random = script.random

    def rule(number: int, days: float, outcome: Outcome, share: int | None = None) -> float:
        moment = at + days * DAY_S
        ruling = BankRuling(
            ruling_id=f"R-of-rebill-{number}",
            outcome=outcome,
            decided_at=START + timedelta(seconds=moment),
            merchant_amount=Money.of(share, "EUR") if share else None,
        )
        script.facts.append(Act(moment, case_id, "bank_ruling", ruling))
        return moment

    rule(1, random.uniform(0.1, 1), Outcome.CARDHOLDER_WON)
    for number in (1, 2):
        ask = RequestRebill(
            requested_by="ann",
            reason="delivered",
            consent=Consent(given_at=START, evidence_id="EV-1"),
            rebill_id=f"RB-{number}",
            amount=Money.of(max(minor * number // 3, 1), "EUR"),
        )
        days = random.uniform(2.5, 5)
        script.commands.append(Act(at + days * DAY_S, case_id, "request_rebill", ask))
    share = random.randint(max(minor // 2, 1), minor)
    outcome = random.choice((Outcome.PARTIAL, Outcome.MERCHANT_WON))
    return rule(2, random.uniform(6, 12), outcome, share)


def _commands(script: Script, case_id: str, at: float, minor: int) -> None:
    random = script.random

    def later(days: float) -> float:
        return at + random.uniform(0.01, days) * DAY_S

    def add(days: float, name: str, message: BaseModel) -> None:
        script.commands.append(Act(later(days), case_id, name, message))

    evidence = AddEvidence(
        evidence_id="EV-1", evidence_type="invoice", submitted_by="ann", text="as agreed"
    )
    add(5, "add_evidence", evidence)
    if random.random() < 0.5:
        submit = SubmitRepresentment(submitted_by="ann", allow_incomplete=True)
        add(20, "submit_representment", submit)
    if random.random() < 0.3:
        part = Money.of(random.randint(1, minor), "EUR") if random.random() < 0.5 else None
        add(20, "accept_liability", AcceptLiability(accepted_by="ann", amount=part))
    if random.random() < 0.3:
        accept = AnswerPreArbitration(decision="accept", answered_by="ann")
        answer = random.choice((accept, accept.model_copy(update={"decision": "decline"})))
        add(60, "answer_pre_arbitration", answer)
    if random.random() < 0.2:
        add(30, "add_note", AddNote(author="ann", text="called the shopper"))
    if random.random() < 0.5:
        consent = Consent(given_at=START, evidence_id="EV-1")
        for attempt in range(3):
            name = f"RB-{random.randint(1, 2)}" if attempt else None
            ask = RequestRebill(
                requested_by="ann", reason="delivered", consent=consent, rebill_id=name
            )
            add(60, "request_rebill", ask)
