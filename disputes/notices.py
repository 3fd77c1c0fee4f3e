"""What merchant and shopper are told; who delivers it is the port's business."""

from typing import Literal

from disputes.fields import Durable, GatewayId, Identifier, Moment

Audience = Literal["merchant", "shopper"]


class Notice(Durable):
    """One message; the same ``notice_id`` is told once.

    ``kind`` names the occasion for programs, ``text`` says it for people; ``at`` is case time.
    """

    notice_id: str
    audience: Audience
    kind: str
    merchant_id: Identifier
    payment_id: GatewayId | None = None
    at: Moment
    text: str
