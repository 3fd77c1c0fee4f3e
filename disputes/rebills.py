"""When a shopper may be charged again after a lost dispute (lifecycle row 21)."""

from datetime import datetime, timedelta
from itertools import count

from disputes import messages
from disputes.case import Case
from disputes.errors import InvalidMessage, MoneyHeld, NotSupported
from disputes.events import RebillRequested
from disputes.money import Money
from disputes.vocabulary import PaymentType, Purpose


def rebill_requested(case: Case, command: messages.RequestRebill, now: datetime) -> RebillRequested:
    """The rebill that the command asks for at ``now`` (UTC).

    Raises ``NotSupported``, ``MoneyHeld`` or ``InvalidMessage``: each condition has its own answer.
    """
    terms = case.opened_terms
    if terms.fraud:
        raise NotSupported("rebill", terms.acquirer, "nothing: the reason code is fraud")
    if not terms.capabilities.rebill_after_dispute:
        instead = "a new payment with the shopper's own authorization"
        raise NotSupported("rebill_after_dispute", terms.acquirer, instead)
    if case.payment is None or not case.payment.known:
        raise MoneyHeld(
            "the payment's history at the gateway is not known: payment_history_unknown"
        )
    if case.presented_as is not PaymentType.DB:
        instead = "a new DB by the shopper's registration: a rebill references a DB only"
        raise NotSupported("rebill", terms.acquirer, instead)
    no_live_rebill(case)
    cool_off = timedelta(hours=terms.rebill_cool_off_hours)
    if case.decided_at and now < case.decided_at + cool_off:
        raise MoneyHeld("the policy's cool-off after the decision has not passed yet")
    amount = rebill_amount(case, command.amount)
    taken = {rebill.rebill_id for rebill in case.rebills}
    free = (f"R{number}" for number in count(1) if f"R{number}" not in taken)
    rebill_id = command.rebill_id or next(free)
    return RebillRequested(request=command, rebill_id=rebill_id, amount_minor=amount)


def rebill_amount(case: Case, given: Money | None) -> int:
    """Rebilled and reinstated together stay within the disputed amount (lifecycle, Guards)."""
    left = case.out_minor - case.rebilled_minor
    if left <= 0:
        raise MoneyHeld("nothing is left to charge again: it was rebilled or came back before")
    return amount_within(case, given, left)


def no_live_rebill(case: Case) -> None:
    """One rebill at a time: none under way, none whose money is still here."""
    reported = {op.key: op for op in case.operations if op.purpose is Purpose.REBILL}
    for rebill in case.rebills:
        key = f"dispute:{case.case_id}:rebill:{rebill.rebill_id}"
        if key not in reported:
            raise MoneyHeld("a rebill of this dispute is under way", key)
    if case.rebilled_minor > case.given_back_minor:
        raise MoneyHeld("a rebill of this dispute is live already, or still being given back")


def amount_within(case: Case, given: Money | None, limit: int) -> int:
    """Minor units of what is given, or all of the ``limit``; raises ``InvalidMessage`` above it."""
    if given is None:
        return limit
    if given.currency != case.currency:
        raise InvalidMessage({"amount.currency": "must be the case's currency"})
    if given.minor > limit:
        raise InvalidMessage({"amount": "is more than what is left of the disputed amount"})
    return given.minor
