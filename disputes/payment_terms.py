"""What a payment's own workflow is pinned to: its slice of rulebook and policy."""

from disputes.fields import Durable, Moment
from disputes.terms import Capabilities, Pin
from disputes.vocabulary import OnExpiry


class AuthorizationTerms(Durable):
    """Terms of a pre-authorization; amounts in minor units of its currency.

    ``expires_why`` names the source of ``expires_at`` for a person. ``valid_hours``: how long each
    approval stays good, where a further one starts the window anew; else ``None``.
    ``doubt_reckoned``: what a person found not booked is sent again where it is still owed, and an
    approval counts from when it was asked for, however late it is learnt. Not of what was opened
    before there was this field.
    """

    rulebook: Pin
    policy: Pin
    acquirer: str
    capabilities: Capabilities
    expires_at: Moment
    expires_why: str
    #: no source gives a number: the policy's days count, and a person is told
    expiry_known: bool = True
    valid_hours: float | None = None
    on_expiry: OnExpiry = OnExpiry.NOTIFY
    ladder_hours: tuple[int, ...] = (48, 24)
    buffer_hours: int = 4
    #: above it a second person must approve a word on what is in doubt; ``None``: never
    four_eyes_above_minor: int | None = None
    approval_hours: int = 72
    doubt_reckoned: bool = False


class OrderTerms(Durable):
    """Terms of a refund, payout or rebill; amounts in minor units of its currency."""

    policy: Pin
    acquirer: str
    capabilities: Capabilities
    #: above it a second person must approve; ``None``: never
    four_eyes_above_minor: int | None = None
    approval_hours: int = 72
    refund_window_days: int = 60
    refund_arrival_days: int = 10
    rebill_difference_percent: int = 0
