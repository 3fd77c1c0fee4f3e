"""The moments of a pre-authorization: reminders, the policy's action, and the end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from disputes.authorization import Authorization, AuthorizationTimer
from disputes.authorization_plans import own_plan
from disputes.notices import Notice
from disputes.vocabulary import OnExpiry

_REFUSED = "the same was refused before"


@dataclass(frozen=True, slots=True)
class Due:
    """A moment (UTC) and what it is for; ``name`` is what ``Authorization.fired`` keeps."""

    due: datetime
    kind: AuthorizationTimer
    name: str


def next_due(auth: Authorization) -> Due | None:
    """The next moment of an authorization of which something is open."""
    if auth.open_minor <= 0:
        return None
    coming = (moment for moment in _moments(auth) if moment.name not in auth.fired)
    return min(coming, key=lambda moment: moment.due, default=None)


def _moments(auth: Authorization) -> Iterator[Due]:
    for hours in auth.terms.ladder_hours:
        due = auth.expires_at - timedelta(hours=hours)
        yield Due(due, AuthorizationTimer.LADDER, f"{AuthorizationTimer.LADDER}:{hours}")
    buffer = auth.expires_at - timedelta(hours=auth.terms.buffer_hours)
    yield Due(buffer, AuthorizationTimer.ACTION, AuthorizationTimer.ACTION.value)
    yield Due(auth.expires_at, AuthorizationTimer.EXPIRY, AuthorizationTimer.EXPIRY.value)


def fire(auth: Authorization, moment: Due, now: datetime) -> tuple[Authorization, Notice]:
    """What becomes of it when a moment has come, however late, and what the merchant is told."""
    after = auth.model_copy(update={"fired": (*auth.fired, moment.name)})
    match moment.kind:
        case AuthorizationTimer.LADDER:
            after = after.flagged("expiry_near")
            text = f"{_open(auth)} lapses at {_when(auth)}{_missing(auth)}; {_plans(auth)}"
        case AuthorizationTimer.ACTION:
            after, text = _act(after, now)
        case AuthorizationTimer.EXPIRY:
            text = f"{_open(auth)} has lapsed{_missing(auth)}"
            after = after.flagged("lapsed")
    late = now - moment.due
    if late > timedelta(minutes=1):
        text += f" (told {_span(late)} late)"
    after = after.noted(now, "clock", text)
    notice = Notice(
        notice_id=f"preauthorization/{auth.start.payment_id}:{moment.name}:{_when(auth)}",
        audience="merchant",
        kind=f"preauthorization_{moment.kind.value}",
        merchant_id=auth.start.merchant_id,
        payment_id=auth.start.payment_id,
        at=now,
        text=text,
    )
    return after, notice


def _act(auth: Authorization, now: datetime) -> tuple[Authorization, str]:
    """The policy's last step before it lapses; what it cannot do, a person must."""
    if now >= auth.expires_at:
        return auth, f"{_open(auth)} lapsed at {_when(auth)}, before anything could be done"
    said = f"{_open(auth)} lapses at {_when(auth)}"
    why = _hindrance(auth)
    if why is None:
        return auth, f"{said}: {_plans(auth)}"
    return auth.flagged("expiry_action_needed"), f"{said}, and {why}: capture or reverse it now"


def _hindrance(auth: Authorization) -> str | None:
    """Why nothing is done by itself once the moment of the policy's action has come."""
    action, terms = auth.terms.on_expiry, auth.terms
    captures = action is OnExpiry.CAPTURE or (auth.start.capture_when and not auth.missing)
    if action is OnExpiry.CAPTURE and auth.missing:
        return f"it is not captured{_missing(auth)}"
    if captures and auth.captured_minor and not terms.capabilities.multiple_capture:
        return f"acquirer {terms.acquirer} takes one capture only: reverse the rest"
    if action is OnExpiry.REAUTHORIZE and auth.start.registration_id is None:
        return "no registration is known to authorize it anew by"
    if action is OnExpiry.NOTIFY:
        return "the policy leaves it to a person"
    if not auth.known:
        return "the gateway has not told what became of it"
    if auth.doubtful:
        return "an operation on it is in doubt, to be resolved first"
    return _REFUSED if own_plan(auth) is None else None


def _plans(auth: Authorization) -> str:
    """What will be done shortly before, if nobody does anything."""
    then = auth.model_copy(update={"fired": (*auth.fired, AuthorizationTimer.ACTION.value)})
    if _hindrance(then) == _REFUSED:
        return f"nothing is done by itself, for {_REFUSED}"
    return {
        OnExpiry.CAPTURE: "what is open is captured before then",
        OnExpiry.REVERSE: "it is reversed before then",
        OnExpiry.REAUTHORIZE: "it is authorized anew before then",
        OnExpiry.NOTIFY: "nothing is done unless a person does it",
    }[auth.terms.on_expiry]


def _missing(auth: Authorization) -> str:
    if not auth.missing:
        return ""
    return f"; its capture still waits for {', '.join(it.value for it in auth.missing)}"


def _open(auth: Authorization) -> str:
    return auth.money(auth.open_minor)


def _when(auth: Authorization) -> str:
    return auth.expires_at.strftime("%Y-%m-%d %H:%MZ")


def _span(late: timedelta) -> str:
    hours, minutes = divmod(int(late.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
