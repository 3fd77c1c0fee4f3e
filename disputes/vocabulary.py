"""The closed sets of words that the contract fixes, so that a typo fails type checking."""

from enum import StrEnum


class Network(StrEnum):
    """Card networks and schemes a dispute can come from (contract, DisputeNotice)."""

    VISA = "visa"
    MASTERCARD = "mastercard"
    AMEX = "amex"
    DISCOVER = "discover"
    DINERS = "diners"
    JCB = "jcb"
    UNIONPAY = "unionpay"
    SEPA_DD = "sepa_dd"


class Stage(StrEnum):
    """What the network is doing; declared in the order in which a dispute escalates."""

    ALERT = "alert"
    INQUIRY = "inquiry"
    CHARGEBACK = "chargeback"
    PRE_ARBITRATION = "pre_arbitration"
    ARBITRATION = "arbitration"

    @property
    def rank(self) -> int:
        """Place in the escalation, for ordering facts of one moment."""
        return list(Stage).index(self)

    @property
    def takes_money(self) -> bool:
        """Whether it is one in which the bank has taken money."""
        return self.rank >= Stage.CHARGEBACK.rank


class Status(StrEnum):
    """Where the merchant's side of the case stands (lifecycle, Axes)."""

    AWAITING_NOTICE = "awaiting_notice"
    RECEIVED = "received"
    COLLECTING = "collecting"
    READY = "ready"
    #: kept for the contract's list; no case shows it: an answer leaves in the step that accepts it,
    #: and the case is under review at once (lifecycle row 7)
    SUBMITTED = "submitted"
    UNDER_REVIEW = "under_review"
    WON = "won"
    PARTIALLY_WON = "partially_won"
    LOST = "lost"
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    DEFLECTED = "deflected"


#: Statuses in which the merchant may still act on the open stage.
ANSWERABLE = frozenset({Status.RECEIVED, Status.COLLECTING, Status.READY})
#: Statuses in which nobody has decided yet.
UNDECIDED = ANSWERABLE | {Status.AWAITING_NOTICE, Status.SUBMITTED, Status.UNDER_REVIEW}
#: Decided statuses; provisional until their tail ends.
DECIDED = frozenset(Status) - UNDECIDED


class Finality(StrEnum):
    """Whether a decision can still turn."""

    OPEN = "open"
    PROVISIONAL = "provisional"
    FINAL = "final"


class Outcome(StrEnum):
    """A bank's ruling."""

    MERCHANT_WON = "merchant_won"
    CARDHOLDER_WON = "cardholder_won"
    PARTIAL = "partial"


class NetworkEventKind(StrEnum):
    """What a network can report besides a ruling."""

    ESCALATED = "escalated"
    SECOND_CHARGEBACK = "second_chargeback"
    PRE_ARBITRATION_OPENED = "pre_arbitration_opened"
    PRE_ARBITRATION_ACCEPTED = "pre_arbitration_accepted"
    PRE_ARBITRATION_DECLINED = "pre_arbitration_declined"
    REPRESENTMENT_ACCEPTED = "representment_accepted"
    ARBITRATION_OPENED = "arbitration_opened"
    CHARGEBACK_WITHDRAWN = "chargeback_withdrawn"
    CARDHOLDER_WITHDREW = "cardholder_withdrew"
    ISSUER_COMMENT = "issuer_comment"
    FEE_CHARGED = "fee_charged"
    FEE_RETURNED = "fee_returned"


class Flow(StrEnum):
    """How the merchant answers under a reason code.

    ``collaboration``: one representment, then the issuer may open pre-arbitration.
    ``allocation``: our one response *is* the pre-arbitration attempt (Visa 10.x, 11.x).
    ``none``: the scheme knows no answer (SEPA direct debit).
    """

    COLLABORATION = "collaboration"
    ALLOCATION = "allocation"
    NONE = "none"


class PaymentType(StrEnum):
    """Payment types on the gateway's wire (protocol, section 2)."""

    PA = "PA"
    DB = "DB"
    CD = "CD"
    CP = "CP"
    RV = "RV"
    RF = "RF"
    RB = "RB"
    CB = "CB"
    CR = "CR"
    RC = "RC"


#: What a dispute's chain is made of at the gateway (lifecycle, Axes).
CHAIN_TYPES = (PaymentType.CB, PaymentType.CR)


class OperationState(StrEnum):
    """Where one gateway operation stands (architecture, One gateway operation)."""

    INTENDED = "intended"
    SENT = "sent"
    SETTLED = "settled"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


class Purpose(StrEnum):
    """Why the engine called the gateway; part of the operation's business key.

    Each has one payment type (``operations.PAYMENT_TYPE``) and one line of the ledger's table.
    """

    # steps of a dispute
    BOOK = "book"
    REINSTATE = "reinstate"
    UNDO = "undo"
    REBILL = "rebill"
    GIVE_BACK = "give_back"
    #: the same by CD, where the rebill can no longer be refunded and a registration is known
    GIVE_BACK_CREDIT = "give_back_credit"

    # a payment's own
    AUTHORIZE = "authorize"
    INCREASE = "increase"
    DEBIT = "debit"
    CAPTURE = "capture"
    #: of a PA its open amount, of a DB all of it
    REVERSE = "reverse"
    #: of a CP, DB or RB, or of a CD: then the money comes back
    REFUND = "refund"
    #: CD instead of a refund, beyond the refund window or after a billing error
    CREDIT = "credit"
    #: CD as a customer service gesture
    GOODWILL = "goodwill"
    #: RB because the final amount differs from what was estimated
    REBILL_DIFFERENCE = "rebill_difference"
    #: RB because more was refunded than was captured
    REBILL_EXCESS_REFUND = "rebill_excess_refund"


class AuthorizationState(StrEnum):
    """Where a pre-authorization stands (contract, PreAuthorizationWorkflow)."""

    AUTHORIZED = "authorized"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    REVERSED = "reversed"
    EXPIRED = "expired"
    IN_DOUBT = "in_doubt"


class OnExpiry(StrEnum):
    """What happens by itself shortly before an authorization lapses."""

    REVERSE = "reverse"
    CAPTURE = "capture"
    REAUTHORIZE = "reauthorize"
    NOTIFY = "notify"


class Condition(StrEnum):
    """What releases a capture (back-office guide, Capture)."""

    PRODUCT_AVAILABLE = "product_available"
    ORDER_FULFILLED = "order_fulfilled"
    CUSTOMER_CONFIRMED = "customer_confirmed"
    FRAUD_CLEARED = "fraud_cleared"


class ReversalReason(StrEnum):
    """Why an authorization is given up (back-office guide, Reversal)."""

    DUPLICATE_TRANSACTION = "duplicate_transaction"
    CUSTOMER_CHANGE_OF_MIND = "customer_change_of_mind"
    PRODUCT_UNAVAILABLE = "product_unavailable"
    FRAUD_SUSPECTED = "fraud_suspected"
    EXPIRED = "expired"


class RefundReason(StrEnum):
    """Why a payment is refunded (back-office guide, Refund)."""

    UNMET_EXPECTATIONS = "unmet_expectations"
    DAMAGED_OR_DEFECTIVE = "damaged_or_defective"
    INCORRECT_PRODUCT = "incorrect_product"
    INCORRECT_AMOUNT = "incorrect_amount"
    DUPLICATE_TRANSACTION = "duplicate_transaction"
    PRODUCT_UNAVAILABLE = "product_unavailable"
    CHANGE_OF_MIND = "change_of_mind"


class PayoutReason(StrEnum):
    """Why a shopper is paid without a refund (back-office guide, Payout)."""

    EXPIRED_REFUND_WINDOW = "expired_refund_window"
    BILLING_ERROR = "billing_error"
    CUSTOMER_SERVICE_GESTURE = "customer_service_gesture"


class RebillReason(StrEnum):
    """Why a shopper is charged again (back-office guide, Rebill)."""

    FINAL_AMOUNT_DIFFERS = "final_amount_differs"
    EXCESS_REFUND = "excess_refund"
    UNJUSTIFIED_CHARGEBACK = "unjustified_chargeback"


class OrderState(StrEnum):
    """Where a refund, payout or rebill stands."""

    REQUESTED = "requested"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    UNDER_WAY = "under_way"
    SETTLED = "settled"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    #: the second person said no, or nobody came in time
    DECLINED = "declined"
