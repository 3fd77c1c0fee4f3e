"""A person's word on an operation in doubt of a pre-authorization or order, and a second one's.

Above the policy's limit one person alone settles nothing: "it did not happen" and the same once
more is money twice.
"""

from datetime import datetime
from typing import TypeVar

from disputes import second_person
from disputes.authorization import Authorization
from disputes.errors import IllegalTransition, NotFound
from disputes.messages import Decide, ResolveOperation
from disputes.operations import Operation
from disputes.orders import Order
from disputes.second_person import PaymentApproval
from disputes.twins import TWIN

Owner = TypeVar("Owner", Authorization, Order)


def resolve(
    owner: Owner,
    word: ResolveOperation,
    now: datetime,
    *,
    undoing: tuple[Operation, ...] = (),
    four_eyes: bool = True,
) -> tuple[Owner, PaymentApproval | None]:
    """The owner with the word noted, and the request that it waits for; ``None``: it counts now.

    Raises ``NotFound`` where nothing of that key is in doubt, ``IllegalTransition`` while another
    word on it waits. The same word again changes nothing. ``undoing``: what
    undoes twins and is in doubt by the books. ``four_eyes``: false in runs that began without.
    """
    in_doubt = (*owner.doubtful, *undoing)
    amount_minor = _amount_of(word.operation_key, in_doubt)
    limit = owner.terms.four_eyes_above_minor
    if not four_eyes or limit is None or amount_minor <= limit:
        return owner.noted(now, word.resolved_by, _told(word)), None
    for waiting in _of_key(owner, word.operation_key):
        if waiting.resolution == word:
            return owner, waiting
        decisions = ["approve", "decline"]
        raise IllegalTransition(owner.state.value, "resolve_operation", decisions)
    approval = second_person.request(
        owner.next_request_id, word.resolved_by, now, owner.terms.approval_hours, word
    )
    asked = owner.model_copy(update={"approvals": (*owner.approvals, approval)})
    asked = asked.flagged("approval_waiting")
    told = f"{_told(word)}; waits for a second person"
    return asked.noted(now, word.resolved_by, told), approval


def decided(
    owner: Owner, decision: Decide, now: datetime, *, approved: bool
) -> tuple[Owner, ResolveOperation | None]:
    """The second person's word, and what counts by it now.

    Raises ``NotFound``, ``IllegalTransition``, ``SecondPersonNeeded``; see ``second_person``.
    """
    named = (it for it in owner.approvals if it.request_id == decision.request_id)
    known = next(named, None)
    if known is None:
        raise NotFound("there is no request with this id")
    state = owner.state.value
    fresh = second_person.decide(known, decision, now, approved=approved, state=state)
    if fresh == known:
        return owner, None
    told = f"{fresh.outcome}: {decision.reason}" if decision.reason else fresh.outcome
    after = _replaced(owner, fresh).noted(now, decision.decided_by, told)
    return after, known.resolution if approved else None


def expired(owner: Owner, now: datetime) -> Owner:
    """Without the requests that nobody decided in time, or that are about no doubt any more."""
    for waiting in _open(owner):
        if waiting.expires_at <= now:
            told = "nobody approved it in time"
        elif not _still_in_doubt(owner, waiting):
            told = "nothing is left to approve: it is in doubt no more"
        else:
            continue
        owner = _replaced(owner, second_person.expire(waiting)).noted(now, "clock", told)
    return owner


def next_expiry(owner: Authorization | Order) -> datetime | None:
    """When the next request ends undecided."""
    return min((it.expires_at for it in _open(owner)), default=None)


def _amount_of(key: str, in_doubt: tuple[Operation, ...]) -> int:
    found = next((op for op in in_doubt if op.key == key), None)
    if found is None:
        raise NotFound("no operation of that key is in doubt")
    return found.amount_minor


def _still_in_doubt(owner: Authorization | Order, approval: PaymentApproval) -> bool:
    key = approval.resolution.operation_key if approval.resolution else ""
    # Of what undoes a twin only the books know how it stands.
    return TWIN in key or any(op.key == key for op in owner.doubtful)


def _open(owner: Authorization | Order) -> tuple[PaymentApproval, ...]:
    return tuple(it for it in owner.approvals if it.waits)


def _of_key(owner: Authorization | Order, key: str) -> tuple[PaymentApproval, ...]:
    return tuple(it for it in _open(owner) if it.resolution and it.resolution.operation_key == key)


def _replaced(owner: Owner, fresh: PaymentApproval) -> Owner:
    approvals = tuple(fresh if it.request_id == fresh.request_id else it for it in owner.approvals)
    after = owner.model_copy(update={"approvals": approvals})
    return after if _open(after) else after.unflagged("approval_waiting")


def _told(word: ResolveOperation) -> str:
    return f"{word.resolution.replace('_', ' ')}: {word.proof}"
