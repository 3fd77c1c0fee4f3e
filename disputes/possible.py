"""Which commands a case's status allows, and which come too late."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from disputes import messages
from disputes.case import Case, refundable
from disputes.deadlines import due_when_known
from disputes.errors import DeadlinePassed
from disputes.events import TimerKind
from disputes.messages import Command
from disputes.vocabulary import Flow, Stage, Status

#: Commands that the deadline of the open stage ends.
_ANSWERS = (
    "submit_representment",
    "answer_pre_arbitration",
    "file_arbitration",
    "resolve_by_refund",
)
_REBILLABLE = (Status.LOST, Status.ACCEPTED, Status.EXPIRED, Status.PARTIALLY_WON)


def may_submit(case: Case) -> bool:
    """Whether the open stage is answered by a representment."""
    return case.answerable and case.stage in (Stage.INQUIRY, Stage.CHARGEBACK)


def _may_accept(case: Case) -> bool:
    return case.notice is not None and not case.decided


def _may_answer(case: Case) -> bool:
    ours = case.terms is not None and case.terms.flow is Flow.ALLOCATION
    return case.answerable and case.stage is Stage.PRE_ARBITRATION and not ours


def _may_arbitrate(case: Case) -> bool:
    ours = case.terms is not None and case.terms.flow is Flow.ALLOCATION
    return case.answerable and case.stage is Stage.PRE_ARBITRATION and ours


def _may_rebill(case: Case) -> bool:
    return case.status in _REBILLABLE and case.out_minor > 0


def _may_collect(case: Case) -> bool:
    return case.answerable or case.status is Status.AWAITING_NOTICE


def _always(_case: Case) -> bool:
    return True


#: When each command is possible at all; the order is that of the contract.
POSSIBLE: dict[str, Callable[[Case], bool]] = {
    # After a loss only the shopper's consent to a rebill is still of use.
    "add_evidence": lambda case: _may_collect(case) or _may_rebill(case),
    "withdraw_evidence": _may_collect,
    "submit_representment": may_submit,
    "answer_pre_arbitration": _may_answer,
    "file_arbitration": _may_arbitrate,
    "accept_liability": _may_accept,
    "resolve_by_refund": refundable,
    "approve": lambda case: bool(case.open_approvals),
    "decline": lambda case: bool(case.open_approvals),
    "request_rebill": _may_rebill,
    "assign": _always,
    "add_note": _always,
    "resolve_operation": lambda case: bool(case.doubtful),
}


def allowed(case: Case) -> list[str]:
    """Names of the commands that the case's status allows."""
    return [name for name, possible in POSSIBLE.items() if possible(case)]


def in_time(case: Case, now: datetime) -> None:
    """Raises ``DeadlinePassed`` from the deadline on; ``now`` is UTC."""
    if case.respond_by is not None and now >= case.respond_by:
        raise _too_late(case.respond_by)


def not_missed(case: Case, name: str, command: Command) -> None:
    """Raises ``DeadlinePassed`` for what would answer, had the deadline not ended the case."""
    if isinstance(command, messages.Decide) and name == "approve":
        asked = (it for it in case.approvals if it.outcome in ("open", "overtaken"))
        name = next((it.command for it in asked if it.request_id == command.request_id), name)
    if case.respond_by is None or name not in _ANSWERS or not case.decided:
        return
    if POSSIBLE[name](case):  # an inquiry is refunded after its moment as well
        return
    due = due_when_known(case, case.respond_by)
    missed = case.decided_at == due and (TimerKind.DEADLINE, due, "") in case.fired
    if missed and POSSIBLE[name](replace(case, status=Status.COLLECTING)):
        raise _too_late(case.respond_by)


def _too_late(respond_by: datetime) -> DeadlinePassed:
    return DeadlinePassed(respond_by.isoformat().replace("+00:00", "Z"))
