"""What the gateway remembers: one immutable transaction, its direction and its wire amount."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from disputes.money import decimals
from disputes.vocabulary import PaymentType
from sandbox.codes import succeeded

#: Payment types that take back what they reference (protocol, section 2).
INVERSE = frozenset({PaymentType.RF, PaymentType.RV, PaymentType.CB, PaymentType.CR})
#: Payment types that put money into the merchant's hands.
PRESENTED = frozenset({PaymentType.CP, PaymentType.DB, PaymentType.RB})


@dataclass(frozen=True, slots=True)
class Order:
    """A request that passed the form check; amounts in minor units, ``None`` where none was given.

    ``simulated_code`` comes from ``customParameters[SIM_resultCode]``, the sandbox's own trigger.
    """

    payment_type: PaymentType
    entity_id: str
    amount_minor: int | None = None
    currency: str | None = None
    referenced_id: str | None = None
    merchant_transaction_id: str | None = None
    test_mode: str = "INTERNAL"
    reason: str | None = None
    simulated_code: str | None = None
    brand: str | None = None
    card_bin: str | None = None
    card_last4: str | None = None
    registration_id: str | None = None
    id: str | None = None
    #: RFC 3339; else now
    booked_at: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """One answered request, refused ones included: the platform numbers those too.

    ``amount_minor`` is 0 where a refused request had none. ``entry_id`` is the presented entry
    (CP, DB, RB) or payout that it moves, ``sign`` what it does to the merchant's position (+1, -1,
    0), ``booked_at`` RFC 3339 in UTC. Of a card only BIN and last four digits are kept.
    """

    id: str
    payment_type: PaymentType
    amount_minor: int
    currency: str
    entity_id: str
    test_mode: str
    merchant_transaction_id: str | None
    referenced_id: str | None
    root_id: str
    entry_id: str | None
    sign: int
    result_code: str
    booked_at: str
    brand: str | None
    card_bin: str | None
    card_last4: str | None
    registration_id: str | None

    @property
    def booked(self) -> bool:
        """Whether money (or an authorization) moved."""
        return succeeded(self.result_code)


def transaction(
    order: Order, referenced: Transaction | None, amount_minor: int, result_code: str
) -> Transaction:
    """The record of ``order`` answered with ``result_code``, placed in its payment's tree."""
    identity = order.id or uuid4().hex
    booked = succeeded(result_code)
    return Transaction(
        id=identity,
        payment_type=order.payment_type,
        amount_minor=amount_minor,
        currency=order.currency or (referenced.currency if referenced else ""),
        entity_id=order.entity_id,
        test_mode=order.test_mode,
        merchant_transaction_id=order.merchant_transaction_id,
        referenced_id=order.referenced_id,
        root_id=referenced.root_id if referenced else identity,
        entry_id=_entry(order.payment_type, identity, referenced),
        sign=_sign(order.payment_type, referenced) if booked else 0,
        result_code=result_code,
        booked_at=order.booked_at or datetime.now(UTC).isoformat(timespec="milliseconds"),
        brand=order.brand,
        card_bin=order.card_bin,
        card_last4=order.card_last4,
        registration_id=order.registration_id,
    )


def _sign(payment_type: PaymentType, referenced: Transaction | None) -> int:
    # A reversal takes back its reference, so a chain CB, CR, CR on CR ... alternates by itself.
    if payment_type in INVERSE:
        return -referenced.sign if referenced else 0
    if payment_type in PRESENTED:
        return 1
    return -1 if payment_type is PaymentType.CD else 0


def _entry(payment_type: PaymentType, identity: str, referenced: Transaction | None) -> str | None:
    if payment_type in PRESENTED or payment_type is PaymentType.CD:
        return identity
    return referenced.entry_id if referenced else None


def wire_amount(minor: int, currency: str) -> str:
    """Minor units as the platform writes every currency: two decimals and a dot.

    What two decimals cannot show is cut: only the sandbox's own helpers could have booked it.
    """
    hundredths = minor * 100 // _scale(currency)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def minor_amount(wire: str, currency: str) -> int:
    """Minor units of a two-decimal wire amount; ``ValueError`` where cents do not exist (JPY)."""
    hundredths = int(wire.replace(".", ""))
    minor, rest = divmod(hundredths * _scale(currency), 100)
    if rest:
        raise ValueError("the currency has fewer decimals")
    return minor


def _scale(currency: str) -> int:
    return int(10 ** decimals(currency))
