"""What a person can do about each attention code of a case; judgement, kept beside the words."""

#: Attention code to what it means and what to do.
ADVICE = {
    "amount_above_payment": "the dispute is larger than the payment: check the payment id",
    "authorize_refused": "it was not authorized anew: capture it, or ask for a new payment",
    "capture_refused": "the gateway refused the capture: its reason stands with the operation",
    "expiry_action_needed": "it lapses soon and nothing is done by itself: capture or reverse it",
    "expiry_near": "it lapses soon: capture or reverse it",
    "expiry_unknown": "no rule says how long it stays good: ask the acquirer; ours is cautious",
    "increase_refused": "the gateway refused the increase: authorize the difference anew",
    "lapsed": "it expired with something open: ask for a new payment if it is owed",
    "lapsed_early": "the gateway says that its time is over, before ours was",
    "late_capture": "a capture was booked after it had expired: it may be charged back",
    "raced_chargeback": "a dispute came meanwhile: represent with the refund as proof",
    "reverse_refused": "the gateway refused the reversal: it lapses by itself",
    "approval_waiting": "a second person must approve or decline",
    "cardholder_withdrew": "the cardholder withdrew; evidence is still due until the bank closes",
    "currency_unknown": "the amounts' currencies differ: give the settled amount",
    "deadline_near": "answer now, or the case expires",
    "deadline_past": "the deadline passed before an answer: ask the acquirer if one is still taken",
    "deadline_unknown": "no rule names the deadline: ask the acquirer; ours is a cautious guess",
    "double_loss": "refunded and charged back: represent with the refund as proof",
    "fx_difference": "the bank returned another amount than it took: check the statement",
    "gateway_unreachable": "the gateway does not answer; the case asks again by itself",
    "give_back_due": "money rebilled is owed back to the shopper",
    "money_held": "another operation on the payment is under way; the case waits for it",
    "not_mirrored": "the gateway does not show what the bank did: the operation's reason says why",
    "notice_missing": "facts came but no notice: ask the bank for it",
    "operation_in_doubt": "find out at the gateway, then `disputes resolve`",
    "other_amount": "the gateway booked another amount than was asked: ask the acquirer",
    "payment_unknown": "the gateway does not know the payment: check the payment id and merchant",
    "rebill_refused": "the gateway refused the rebill: ask the shopper for another payment",
    "refund_overtaken": "the refund came too late to be sent: see the operations, then answer",
    "refund_refused": "the refund was refused: its reason stands with the operation",
    "ruling_overdue": "the bank's answer is late: ask the acquirer",
    "ruling_unclear": "a ruling does not add up: ask the bank for a corrected one",
    "second_dispute": "another dispute holds the same payment: compare the two",
    "twin_entries": "the gateway booked one operation twice: have the acquirer undo the second",
    "unknown_reason_code": "no rule for this reason code: check the code, choose evidence yourself",
    "message_not_taken": "a message could not be taken: the timeline says why; ask its sender",
}
_UNKNOWN = "see the timeline"


def advice(code: str) -> str:
    """What to do about an attention code."""
    return ADVICE.get(code, _UNKNOWN)
