"""Target minus booked: which gateway operation a case owes next (lifecycle, Target minus booked).

The chain under an entry is CB, CR (reversal), CR on CR (representment), and so on: the parity of
an entry's depth gives its direction, even takes money from the merchant, odd returns it.
"""

from dataclasses import replace

from disputes.case import Case, Refund, refundable
from disputes.money import decimals
from disputes.operations import Operation, Plan, business_key
from disputes.vocabulary import OperationState, PaymentType, Purpose

_CHAIN = (Purpose.BOOK, Purpose.REINSTATE, Purpose.UNDO)
#: Start of the key of an entry that the gateway booked by itself.
ADOPTED = "gateway:"
#: The gateway's wire has two decimals for every currency (protocol, section 2).
_WIRE_DECIMALS = 2


def report(case: Case, operation: Operation) -> Case:
    """The case with the newest word on an operation; one gateway entry counts once.

    An entry that was adopted before it was known to be our own operation becomes that operation.
    """
    twin = next((op for op in case.operations if _same_entry(op, operation)), None)
    if twin and (operation.key.startswith(ADOPTED) or not twin.key.startswith(ADOPTED)):
        return case
    others = tuple(op for op in case.operations if op is not twin)
    if all(op.key != operation.key for op in others):
        return replace(case, operations=(*others, operation))
    newest = (operation if op.key == operation.key else op for op in others)
    return replace(case, operations=tuple(newest))


def _same_entry(one: Operation, other: Operation) -> bool:
    named = one.gateway_id is not None and one.gateway_id == other.gateway_id
    return named and one.key != other.key


def target_minor(case: Case) -> int:
    """What should be out at the gateway: no more than the entry held when it was disputed.

    Where the gateway itself booked more than that, it knew better.
    """
    if case.payment is None or not case.payment.known:
        return 0
    held = max(case.payment.amount_minor - case.payment.refunded_minor, 0)
    charged_back = sum(op.amount_minor for op in _live(case) if op.payment_type is PaymentType.CB)
    return min(case.out_minor + case.fx_minor, max(held, charged_back))


def booked_minor(case: Case) -> int:
    """What is out at the gateway by its own entries, in minor units."""
    live = _live(case)
    return sum(op.amount_minor * (-1 if _depth(op, live) % 2 else 1) for op in live)


def owed_minor(case: Case) -> int:
    """Target minus booked: above zero the gateway must take, below it must return."""
    return target_minor(case) - booked_minor(case)


def next_plan(case: Case) -> Plan | None:
    """The next operation to send; ``None`` when nothing is owed, possible or safe.

    An operation in doubt stops every call on the payment (lifecycle row 24).
    """
    payment = case.payment
    if case.notice is None or case.doubtful or payment is None or not payment.known:
        return None
    if payment.currency != case.currency:
        return None
    return _chain_plan(case) or _rebill_plan(case) or _give_back_plan(case) or _refund_plan(case)


def refund_owed(case: Case) -> Refund | None:
    """The case's own refund that was asked for and may still go out: never beside a chargeback."""
    if not case.refunds or not refundable(case) or booked_minor(case) > 0:
        return None
    return next((it for it in case.refunds if case.operation(it.key) is None), None)


def _live(case: Case) -> tuple[Operation, ...]:
    return tuple(
        op for op in case.operations if op.purpose in _CHAIN and op.state is OperationState.SETTLED
    )


def _depth(operation: Operation, live: tuple[Operation, ...]) -> int:
    """Place under the CB; an entry whose chain is not known goes by its purpose."""
    by_id = {op.gateway_id: op for op in live if op.gateway_id}
    depth, at = 0, operation
    while at.payment_type is not PaymentType.CB:
        parent = by_id.get(at.referenced_id or "")
        # No chain is longer than its entries: what refers to itself has no place of its own.
        if parent is None or depth > len(live):
            return depth + (2 if at.purpose is Purpose.UNDO else 1)
        depth, at = depth + 1, parent
    return depth


def _tip(case: Case, parity: int) -> tuple[Operation, int] | None:
    """Newest entry of one direction that is not undone in full, with what remains of it."""
    live = _live(case)
    for op in reversed(live):
        if _depth(op, live) % 2 == parity and op.gateway_id:
            undone = sum(
                child.amount_minor for child in live if child.referenced_id == op.gateway_id
            )
            if op.amount_minor > undone:
                return op, op.amount_minor - undone
    return None


def _chain_plan(case: Case) -> Plan | None:
    owed = owed_minor(case)
    terms = case.opened_terms.capabilities
    live = _live(case)
    if owed > 0 and not live:
        return _plan(case, Purpose.BOOK, _entry(case), owed) if terms.post_chargeback else None
    # A booking may come before its fact: what no fact has told of yet is left as it is.
    if owed > 0:
        owed -= max(_moved(live, parity=1) - case.returned_minor, 0)
        tip = _tip(case, parity=1)
        if owed <= 0 or tip is None or terms.undo_reversal != "cr_on_tip":
            return None
        return _step(case, Purpose.UNDO, owed, tip)
    due = -owed - max(_moved(live, parity=0) - case.taken_minor, 0)
    tip = _tip(case, parity=0)
    if due <= 0 or tip is None or not terms.post_reversal:
        return None
    if due < tip[1] and not terms.partial_reversal_of_chargeback:
        return None
    return _step(case, Purpose.REINSTATE, due, tip)


def _moved(live: tuple[Operation, ...], parity: int) -> int:
    """All that the gateway's entries of one direction ever moved."""
    return sum(op.amount_minor for op in live if _depth(op, live) % 2 == parity)


def _step(case: Case, purpose: Purpose, owed: int, tip: tuple[Operation, int]) -> Plan | None:
    entry, remaining = tip
    amount = min(owed, remaining)
    whole = amount == remaining
    return _plan(case, purpose, entry.gateway_id or "", amount, whole=whole)


def _rebill_plan(case: Case) -> Plan | None:
    for rebill in case.rebills:
        key = f"dispute:{case.case_id}:rebill:{rebill.rebill_id}"
        if all(op.key != key for op in case.operations):
            return _plan(case, Purpose.REBILL, _entry(case), rebill.amount_minor, key=key)
    return None


def _give_back_plan(case: Case) -> Plan | None:
    owed = case.give_back_minor - case.given_back_minor
    if owed <= 0:
        return None
    for op in case.operations:
        if op.purpose is Purpose.REBILL and op.state is OperationState.SETTLED and op.gateway_id:
            given = sum(
                back.amount_minor
                for back in case.operations
                if back.purpose is Purpose.GIVE_BACK
                and back.state is OperationState.SETTLED
                and back.referenced_id == op.gateway_id
            )
            if op.amount_minor > given:
                amount = min(owed, op.amount_minor - given)
                whole = given + amount == op.amount_minor
                return _plan(case, Purpose.GIVE_BACK, op.gateway_id, amount, whole=whole)
    return None


def _refund_plan(case: Case) -> Plan | None:
    refund = refund_owed(case)
    if refund is None:
        return None
    plan = _plan(case, Purpose.REFUND, _entry(case), refund.amount_minor, key=refund.key)
    # Its guard is that of every refund, which asks what acquirer and brand offer.
    can, acquirer = case.opened_terms.capabilities, case.opened_terms.acquirer
    return plan and plan.model_copy(update={"capabilities": can, "acquirer": acquirer})


def _entry(case: Case) -> str:
    if case.notice is None:
        raise ValueError("the case has no notice yet")
    return case.notice.payment_id


def _plan(
    case: Case,
    purpose: Purpose,
    referenced_id: str,
    amount_minor: int,
    *,
    whole: bool = True,
    key: str | None = None,
) -> Plan | None:
    notice = case.notice
    # What a person asks for anew may go out although the gateway refused the last.
    by_a_person = purpose is Purpose.REFUND or (
        purpose is Purpose.REBILL and case.opened_terms.rebill_after_refusal
    )
    refused = not by_a_person and any(
        op.state is OperationState.REFUSED
        and (op.purpose, op.referenced_id, op.amount_minor)
        == (purpose, referenced_id, amount_minor)
        for op in case.operations
    )
    # Refused for good (row 24a): the same again would be refused again.
    if notice is None or refused or not fits_wire(amount_minor, case.currency):
        return None
    same_kind = _CHAIN if purpose in _CHAIN else (purpose,)
    place = 1 + sum(op.purpose in same_kind for op in case.operations)
    return Plan(
        key=key or business_key("dispute", case.case_id, purpose, place),
        purpose=purpose,
        dispute_id=case.case_id,
        merchant_id=notice.merchant_id,
        payment_id=notice.payment_id,
        referenced_id=referenced_id,
        amount_minor=amount_minor,
        currency=case.currency,
        network=notice.network.value,
        reason_code=notice.reason_code,
        chargeback_reason=case.opened_terms.gateway_reason if purpose is Purpose.BOOK else None,
        whole=whole,
    )


def fits_wire(amount_minor: int, currency: str) -> bool:
    """Whether two decimals can say the amount; else a person is asked (contract, Money)."""
    finer: int = 10 ** max(decimals(currency) - _WIRE_DECIMALS, 0)
    return amount_minor % finer == 0
