"""What follows from a row of a provider's report, compared with the last row of its dispute.

Such reports repeat the current state; a case is told what changed.
"""

from collections.abc import Mapping as Words
from dataclasses import dataclass
from datetime import datetime, timedelta

from disputes.decode import canonical, sha256
from disputes.errors import InvalidMessage
from disputes.vocabulary import NetworkEventKind, Stage
from starter.feed import Entry, NetworkEventLine, RulingLine, read_line
from starter.mapping import Mapping, ReportState
from workflows.messages import CLOCK_AHEAD

#: Events that a case takes again for the deadline that they name (lifecycle rows 14 to 16).
_RENEWS_DEADLINE = (
    NetworkEventKind.SECOND_CHARGEBACK,
    NetworkEventKind.PRE_ARBITRATION_OPENED,
    NetworkEventKind.PRE_ARBITRATION_DECLINED,
)
#: Events that a dispute's first row does not tell beside the notice: its being a chargeback is the
#: notice, and the amount of a fee is not the dispute's.
_NOT_AT_FIRST = (
    NetworkEventKind.ESCALATED,
    NetworkEventKind.FEE_CHARGED,
    NetworkEventKind.FEE_RETURNED,
)
#: Between facts of a dispute that would else be told of one moment.
_TICK = timedelta(microseconds=1)
_NOTICE = (
    *("dispute_id", "merchant_id", "payment_id", "network", "reason_code", "received_at"),
    *("processed_at", "respond_by", "arn", "mcc", "region"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """A row of a report: known by its content, for the same row again is no news."""

    mapping: Mapping
    state: ReportState
    sha256: str

    @classmethod
    def of(cls, mapping: Mapping, state: ReportState) -> "Report":
        """A row that ``mapping`` has read."""
        return cls(mapping, state, sha256(state.json_text))

    @property
    def event_id(self) -> str:
        """The id under which the row is known for ever."""
        return f"{self.mapping.name}-{self.sha256[:40]}"

    @property
    def dispute_id(self) -> str:
        """The dispute that the row is about."""
        return self.state.dispute_id

    @property
    def subject(self) -> str:
        """What rows keep their order for."""
        return f"dispute/{self.dispute_id}"


def is_outdated(before: ReportState, state: ReportState) -> bool:
    """Whether a row is older than the last one, as far as the report tells its moments."""
    moments = before.changed_at, state.changed_at
    if None in moments:
        return False
    first, second = (datetime.fromisoformat(moment or "") for moment in moments)
    return second < first


def check_row(report: Report, now: datetime) -> None:
    """Raises ``InvalidMessage``, by column, for a row that could not open its case.

    Nor is a row taken that is told to have changed after tomorrow: every true one that follows
    would be older than it.
    """
    read_line(canonical(_opened(report, 0)), now)
    changed_at = report.state.changed_at
    if changed_at and datetime.fromisoformat(changed_at) > now + CLOCK_AHEAD:
        reason = "is more than a day in the future"
        raise InvalidMessage({report.mapping.columns["changed_at"]: reason}, what="the line")


def moment_of(state: ReportState, last: datetime | None, now: datetime) -> datetime:
    """When a case is told that a change happened: later than all it was told before.

    A case puts facts in the order of their moments. Rows are compared in theirs, and the bank's
    last word must decide also where a report tells no moments, or days only.

    Args:
        state: the row that brought the change.
        last: the moment of the last fact that the report told of the dispute.
        now: this moment (UTC), for rows that do not tell when they changed.
    """
    moment = datetime.fromisoformat(state.changed_at) if state.changed_at else now
    return moment if last is None else max(moment, last + _TICK)


def last_moment(entries: list[Entry], before: datetime | None) -> datetime | None:
    """The moment of the last fact of a dispute, after ``entries``; ``before``: the one before."""
    last = before
    for entry in entries:
        match entry.line:
            case RulingLine():
                last = entry.line.data.decided_at
            case NetworkEventLine():
                last = entry.line.data.occurred_at
    return last


def lines_of(
    report: Report, before: ReportState | None, changes: int, moment: datetime
) -> list[str]:
    """The feed lines that tell a case what a row brings; none where nothing that it takes changed.

    Args:
        report: the row.
        before: the last row of its dispute.
        changes: how many changes came before: with it the ids of the lines are made.
        moment: when the change happened (``moment_of``).
    """
    turned = before is None or report.state.state != before.state
    resized = before is not None and _differs(report.state, before, "amount", "currency")
    told = [
        # A deadline told again carries no amount: with another one it would be another event.
        _event(report, changes, moment + _TICK * number, kind, amount=resized and turned)
        for number, kind in enumerate(_events(report, before))
    ]
    unsaid = resized and not (told and turned)
    if turned:
        # What a state says the network did was before what the bank then ruled.
        told += _ruling(report, changes, moment + _TICK * len(told))
    if before is None:
        told = [_opened(report, changes), *told]
    elif unsaid or (not told and _differs(report.state, before, "state", "respond_by")):
        last, comment = moment + _TICK * len(told), NetworkEventKind.ISSUER_COMMENT
        told.append(_event(report, changes, last, comment, amount=True))
    return [canonical(line) for line in told]


def entries_of(lines: list[str], now: datetime) -> list[Entry]:
    """The lines, read as strictly as any feed's; raises ``InvalidMessage``."""
    return [read_line(line, now) for line in lines]


def _differs(state: ReportState, before: ReportState, *names: str) -> bool:
    return any(getattr(state, name) != getattr(before, name) for name in names)


def _id(report: Report, changes: int, kind: str) -> str:
    key = canonical([report.mapping.name, report.dispute_id, changes, kind])
    return f"{report.mapping.name}-{sha256(key)[:40]}"


def _opened(report: Report, changes: int) -> dict[str, object]:
    state = report.state
    notice: dict[str, object] = {
        name: getattr(state, name) for name in _NOTICE if getattr(state, name) is not None
    }
    notice["stage"] = report.mapping.states[state.state].stage
    notice["amount"] = _money(state)
    return {"event_id": _id(report, changes, "opened"), "type": "dispute.opened", "data": notice}


def _money(state: ReportState) -> dict[str, str]:
    return {"amount": state.amount, "currency": state.currency}


def _ruling(report: Report, changes: int, moment: datetime) -> list[dict[str, object]]:
    says = report.mapping.states[report.state.state]
    if says.outcome is None:
        return []
    name = _id(report, changes, "ruling")
    data: dict[str, object] = {
        "ruling_id": name,
        "outcome": says.outcome,
        "decided_at": moment.isoformat(),
        "final": says.final,
    }
    return [_line(report, name, "dispute.ruling", data)]


def _events(report: Report, before: ReportState | None) -> list[NetworkEventKind]:
    """What the network did, in its order, where a row stands for something that it did."""
    states, escalated = report.mapping.states, NetworkEventKind.ESCALATED
    says = states[report.state.state]
    own = [says.event] if says.event else []
    if before is None:
        return [kind for kind in own if kind not in _NOT_AT_FIRST]
    if report.state.state == before.state:
        # Another deadline of a stage: its event again, where the case takes it so.
        renewed = report.state.respond_by != before.respond_by
        return [kind for kind in own if renewed and kind in _RENEWS_DEADLINE]
    said = states.get(before.state)
    own_turn = escalated in own and (said is None or said.stage != says.stage)
    # The report may have skipped the chargeback: its money is gone all the same.
    skipped = said is not None and said.stage.rank < Stage.CHARGEBACK.rank <= says.stage.rank
    first = [escalated] if own_turn or skipped else []
    return first + [kind for kind in own if kind is not escalated]


def _event(
    report: Report, changes: int, moment: datetime, kind: NetworkEventKind, *, amount: bool
) -> dict[str, object]:
    name = _id(report, changes, kind)
    data: dict[str, object] = {"event_id": name, "kind": kind, "occurred_at": moment.isoformat()}
    if report.state.respond_by is not None:
        data["respond_by"] = report.state.respond_by
    if amount:
        data["amount"] = _money(report.state)
    return _line(report, name, "dispute.network_event", data)


def _line(report: Report, name: str, kind: str, data: Words[str, object]) -> dict[str, object]:
    return {"event_id": name, "type": kind, "dispute_id": report.dispute_id, "data": dict(data)}
