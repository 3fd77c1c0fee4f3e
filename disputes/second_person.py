"""Four eyes on a payment's own workflow: what waits for a second person, and their word."""

from datetime import datetime, timedelta
from typing import Literal

from disputes.errors import IllegalTransition, SecondPersonNeeded
from disputes.fields import Durable, Moment, Name
from disputes.messages import Decide, ResolveOperation


class PaymentApproval(Durable):
    """A request above the policy's limit; ``resolution``: what waits, where it is no order."""

    request_id: str
    requested_by: Name
    at: Moment
    expires_at: Moment
    outcome: Literal["open", "approved", "declined", "expired"] = "open"
    decided_by: Name | None = None
    resolution: ResolveOperation | None = None

    @property
    def waits(self) -> bool:
        """Whether nobody has decided yet."""
        return self.outcome == "open"


def request(
    request_id: str,
    requested_by: str,
    now: datetime,
    hours: int,
    resolution: ResolveOperation | None = None,
) -> PaymentApproval:
    """A request made at ``now`` (UTC) that waits for so many hours."""
    return PaymentApproval(
        request_id=request_id,
        requested_by=requested_by,
        at=now,
        expires_at=now + timedelta(hours=hours),
        resolution=resolution,
    )


def decide(
    approval: PaymentApproval, decision: Decide, now: datetime, *, approved: bool, state: str
) -> PaymentApproval:
    """The second person's word; the same person's same word again changes nothing.

    Raises ``IllegalTransition`` for one that is decided or too old, ``SecondPersonNeeded``.
    ``state`` is its owner's, for a person.
    """
    outcome: Literal["approved", "declined"] = "approved" if approved else "declined"
    if (approval.outcome, approval.decided_by) == (outcome, decision.decided_by):
        return approval
    # A request ends with its moment, however late the timer is.
    if not approval.waits or now >= approval.expires_at:
        raise IllegalTransition(state, "approve" if approved else "decline", [])
    if approval.requested_by.casefold() == decision.decided_by.casefold():
        raise SecondPersonNeeded
    update = {"outcome": outcome, "decided_by": decision.decided_by}
    return approval.model_copy(update=update)


def expire(approval: PaymentApproval) -> PaymentApproval:
    """The same when it ends undecided."""
    return approval.model_copy(update={"outcome": "expired"})
