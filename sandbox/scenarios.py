"""How the issuing bank and the merchant's desk behave, scenario by scenario: a table of steps.

Days count from the moment in which the notice was received. The rulings are the example bank's;
which of them end a case where is the engine's business.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Act(StrEnum):
    """What a step is: a line of the bank's feed, or a command of the merchant's desk."""

    EVIDENCE = "evidence"
    CONSENT = "consent"
    RULING = "ruling"
    EVENT = "event"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Step:
    """One act ``day`` days after the notice; ``name`` is the outcome, event kind or command.

    ``respond_days`` becomes a ``respond_by`` that much later, ``percent`` the share of the disputed
    amount that returns to the merchant; ``same_as`` repeats the line of that earlier step (1 is the
    first) to the letter; ``extra`` goes into the line's data as it is.
    """

    day: float
    act: Act
    name: str = ""
    respond_days: int | None = None
    percent: int | None = None
    same_as: int | None = None
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps after the notice; ``percent`` of the payment is disputed.

    ``reason_code`` replaces the one asked for; ``second`` is the scenario of another dispute on the
    same payment, for ``second_percent`` of it.
    """

    steps: tuple[Step, ...] = ()
    percent: int = 100
    reason_code: str | None = None
    second: str | None = None
    second_percent: int = 0


def _evidence(day: float = 4) -> Step:
    return Step(day, Act.EVIDENCE)


def _ruled(day: float, outcome: str, percent: int | None = None, **extra: object) -> Step:
    return Step(day, Act.RULING, outcome, percent=percent, extra=extra)


def _event(day: float, kind: str, respond_days: int | None = None, **extra: object) -> Step:
    return Step(day, Act.EVENT, kind, respond_days=respond_days, extra=extra)


def _desk(day: float, command: str) -> Step:
    return Step(day, Act.COMMAND, command)


_WON, _LOST = "merchant_won", "cardholder_won"
_FOUGHT = (_evidence(), _desk(9, "submit_representment"))
_LOST_AND_REBILLED = (
    *_FOUGHT,
    _ruled(38, _LOST),
    Step(44, Act.CONSENT),
    _desk(45, "request_rebill"),
)
_TO_ARBITRATION = (
    *_FOUGHT,
    _event(35, "pre_arbitration_declined", respond_days=10),
    _desk(38, "file_arbitration"),
    _event(39, "arbitration_opened"),
)

SCENARIOS: dict[str, Scenario] = {
    "won": Scenario((*_FOUGHT, _ruled(38, _WON))),
    "lost": Scenario((*_FOUGHT, _ruled(38, _LOST))),
    "partial_win": Scenario((*_FOUGHT, _ruled(38, "partial", percent=40))),
    "representment_accepted": Scenario((*_FOUGHT, _event(30, "representment_accepted"))),
    "won_then_lost": Scenario((*_FOUGHT, _ruled(38, _WON), _ruled(52, _LOST))),
    "lost_then_won": Scenario((*_FOUGHT, _ruled(38, _LOST), _ruled(55, _WON))),
    "won_lost_won": Scenario(
        (*_FOUGHT, _ruled(38, _WON), _ruled(50, _LOST), _ruled(70, _WON)),
    ),
    "ruling_before_notice": Scenario((_ruled(-0.25, _WON),)),
    "ruling_before_evidence": Scenario((_ruled(5, _LOST), _evidence(8))),
    "late_evidence": Scenario((*_FOUGHT, _evidence(20), _ruled(38, _WON))),
    "duplicate_ruling": Scenario(
        (*_FOUGHT, _ruled(38, _WON), Step(38, Act.RULING, _WON, same_as=3)),
    ),
    "same_ruling_other_id": Scenario((*_FOUGHT, _ruled(38, _WON), _ruled(39, _WON))),
    "second_chargeback_after_reversal": Scenario(
        (
            *_FOUGHT,
            _ruled(38, _WON),
            _event(50, "second_chargeback", respond_days=28, cycle=2),
            _desk(58, "submit_representment"),
            _ruled(90, _LOST, cycle=2),
        ),
    ),
    "allocation_issuer_accepts": Scenario((*_FOUGHT, _event(35, "pre_arbitration_accepted"))),
    "allocation_issuer_silent": Scenario(_FOUGHT),
    "allocation_issuer_declines": Scenario(
        (*_FOUGHT, _event(35, "pre_arbitration_declined", respond_days=10)),
    ),
    "arbitration_won": Scenario(
        (*_TO_ARBITRATION, _ruled(95, _WON, stage="arbitration", final=True)),
    ),
    "arbitration_lost": Scenario(
        (*_TO_ARBITRATION, _ruled(95, _LOST, stage="arbitration", final=True)),
    ),
    "cardholder_withdrew": Scenario(
        (*_FOUGHT, _event(12, "cardholder_withdrew"), _ruled(30, _WON)),
    ),
    "issuer_withdrew": Scenario((_evidence(), _event(15, "chargeback_withdrawn"))),
    "deadline_missed": Scenario(),
    "deadline_met_by_last_call": Scenario((_evidence(), _ruled(60, _WON))),
    "accepted": Scenario((_desk(5, "accept_liability"),)),
    "accepted_with_approval": Scenario((_desk(5, "accept_liability"), _desk(5.5, "approve"))),
    "accepted_then_won": Scenario((_desk(5, "accept_liability"), _ruled(40, _WON))),
    "auto_accepted": Scenario(),
    "sepa_return": Scenario(),
    "rebill_after_loss": Scenario(_LOST_AND_REBILLED),
    "rebill_after_expiry": Scenario((Step(44, Act.CONSENT), _desk(45, "request_rebill"))),
    "rebill_then_late_win": Scenario((*_LOST_AND_REBILLED, _ruled(70, _WON))),
    "two_disputes_one_payment": Scenario(
        (*_FOUGHT, _ruled(38, _WON)), percent=30, second="lost", second_percent=40
    ),
    "amount_above_payment": Scenario((*_FOUGHT, _ruled(38, _LOST)), percent=120),
    "unknown_reason_code": Scenario((_ruled(38, _LOST),), reason_code="99.9"),
    "fees": Scenario(
        (
            _event(1, "fee_charged", fee_type="chargeback"),
            *_FOUGHT,
            _ruled(38, _WON),
            _event(45, "fee_returned", fee_type="chargeback"),
        ),
    ),
}
