"""What the engine asks of the gateway: checked before anything is written, with a last moment."""

import re
import time
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import SecretStr

from disputes.gateway.wire import GATEWAY_ID, wire_amount
from disputes.vocabulary import PaymentType

#: Form field of a chargeback's reason. ASSUMED: unconfirmed (protocol section 2).
CHARGEBACK_REASON_FIELD: Final = "chargeback.reason"
#: Payments of their own, by a shopper's registration.
STANDALONE: Final = frozenset({PaymentType.PA, PaymentType.DB, PaymentType.CD})
#: Operations on an existing transaction (protocol, section 2: the back office); a PA on a PA
#: increases it.
BACK_OFFICE: Final = frozenset(
    {
        PaymentType.PA,
        PaymentType.CP,
        PaymentType.RV,
        PaymentType.RF,
        PaymentType.RB,
        PaymentType.CB,
        PaymentType.CR,
    }
)
#: The platform allows 8 to 255 characters; connectors may allow fewer (protocol, section 1).
_MERCHANT_TRANSACTION_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,255}")
_REASON: Final = re.compile(r"000\.100\.2[0-9]{2}")

TestMode = Literal["INTERNAL", "EXTERNAL"]
QueryVersion = Literal[1, 3]


@dataclass(frozen=True)
class Entity:
    """A merchant's account at the gateway, and the key to it.

    ``base_url`` has no path; ``test_mode`` is sent with every operation where set, and must be that
    of the referenced transaction; ``acquirer`` names the row of the capability table;
    ``query_version`` is the query API to ask (protocol, section 9); ``queries_per_minute`` limits
    all questions to the account together, ``None``: only those about one transaction are limited.
    """

    id: str
    token: SecretStr = field(repr=False)
    base_url: str
    test_mode: TestMode | None = None
    acquirer: str = "default"
    query_version: QueryVersion = 1
    queries_per_minute: int | None = None


class Deadline:
    """The moment after which a request may no longer be written.

    Two clocks run, and the one that saw more time pass decides: the monotonic one stands still
    while a machine is suspended, the wall clock may be set back.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._monotonic = time.monotonic()
        self._wall = time.time()

    @property
    def passed(self) -> bool:
        """Whether it is too late to write."""
        elapsed = max(time.monotonic() - self._monotonic, time.time() - self._wall)
        return elapsed >= self._seconds


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operation: a PA, DB or CD by ``registration_id``, or any type on ``referenced_id``.

    ``amount_minor`` is in minor units of ``currency`` (ISO 4217), and ``None`` for a full RV only;
    ``reason`` is a result code 000.100.2xx, for a CB only. Raises ``ValueError`` naming the field
    that cannot be sent, and never its value.
    """

    payment_type: PaymentType
    merchant_transaction_id: str
    entity: Entity
    deadline: Deadline
    referenced_id: str | None = None
    #: the shopper's token at the gateway, 32 hex: confidential
    registration_id: str | None = field(default=None, repr=False)
    amount_minor: int | None = None
    currency: str | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        self._check_target()
        if not _MERCHANT_TRANSACTION_ID.fullmatch(self.merchant_transaction_id):
            raise ValueError("merchant_transaction_id: must be 8 to 255 of A-Z a-z 0-9 . _ -")
        if (self.amount_minor is None) != (self.currency is None):
            raise ValueError("amount_minor, currency: both or neither")
        if self.amount_minor is None and self.payment_type is not PaymentType.RV:
            raise ValueError("amount_minor: only a full RV goes without an amount")
        if self.reason is not None and (
            self.payment_type is not PaymentType.CB or not _REASON.fullmatch(self.reason)
        ):
            raise ValueError("reason: must be 000.100.2xx, on a CB only")

    def _check_target(self) -> None:
        """What it acts on: a transaction, or a registration; a card never."""
        allowed = BACK_OFFICE if self.referenced_id else STANDALONE
        if self.payment_type not in allowed:
            raise ValueError("payment_type: does not go without, or with, a referenced_id")
        if self.referenced_id is not None and not GATEWAY_ID.fullmatch(self.referenced_id):
            raise ValueError("referenced_id: must be 32 lower-case hex digits")
        token = self.registration_id
        if (token is None) == (self.referenced_id is None):
            raise ValueError(
                "registration_id: needed where there is no referenced_id, and only there"
            )
        if token is not None and not GATEWAY_ID.fullmatch(token):
            raise ValueError("registration_id: must be 32 lower-case hex digits")

    @property
    def path(self) -> str:
        """Where it is sent (protocol, section 1)."""
        if self.registration_id is not None:
            return f"/registrations/{self.registration_id}/payments"
        return f"/payments/{self.referenced_id}"

    def form(self) -> dict[str, str]:
        """Form fields of the request; ``AmountNotRepresentable`` where two decimals lose value."""
        fields = {
            "entityId": self.entity.id,
            "paymentType": self.payment_type.value,
            "merchantTransactionId": self.merchant_transaction_id,
        }
        if self.amount_minor is not None and self.currency is not None:
            fields["amount"] = wire_amount(self.amount_minor, self.currency)
            fields["currency"] = self.currency
        if self.entity.test_mode is not None:
            fields["testMode"] = self.entity.test_mode
        if self.reason is not None:
            fields[CHARGEBACK_REASON_FIELD] = self.reason
        return fields
