"""Plans of a payment's own operations, as a workflow of its own would make them."""

from disputes.operations import STANDALONE, Owner, Plan, business_key, payment_of_its_own
from disputes.terms import Capabilities
from disputes.vocabulary import Purpose

#: An acquirer that offers everything.
EVERYTHING = Capabilities(
    credit=True,
    rebill=True,
    multiple_capture=True,
    partial_reversal=True,
    increase=True,
    refund_after_chargeback=True,
    rebill_after_dispute=True,
    undo_reversal="cr_on_tip",
)
#: A shopper's token, as confidential as a card: no text may show it.
REGISTRATION = "5a1f" * 8


def own_plan(
    owner: Owner, name: str, purpose: Purpose, minor: int, on: str | None = None, **more: object
) -> Plan:
    """An operation of cents of EUR; ``on``: the entry it acts on, else it makes a payment."""
    key = business_key(owner, name, purpose)
    alone = purpose in STANDALONE
    plan = Plan(
        key=key,
        purpose=purpose,
        merchant_id="M-1",
        payment_id=on or payment_of_its_own(key),
        referenced_id=None if alone else on,
        registration_id=REGISTRATION if alone else None,
        amount_minor=minor,
        currency="EUR",
        capabilities=EVERYTHING,
    )
    return plan.model_copy(update=more)
