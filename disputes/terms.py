"""The slice of rulebook and policy that one case needs, pinned to it by version and hash.

Built once, when the case opens (``disputes.rulebook.terms_for``); the workflow never reads the
packaged rulebook, so a new version reaches a running case only by an event that says so.
"""

from pydantic import BaseModel, ConfigDict

from disputes.vocabulary import Flow


class _Pinned(BaseModel):
    model_config = ConfigDict(frozen=True)


class AnyOf(_Pinned):
    """A group of evidence types of which at least one must be there."""

    group: str
    types: tuple[str, ...]


class EvidencePath(_Pinned):
    """One way to answer a reason code: complete when all_of and one of each any_of are there."""

    path: str
    all_of: tuple[str, ...] = ()
    any_of: tuple[AnyOf, ...] = ()
    optional: tuple[str, ...] = ()


class Checklist(_Pinned):
    """The paths of a reason code, alternatives of each other; unruled without rows of its own."""

    ruled: bool
    paths: tuple[EvidencePath, ...] = ()


class Capabilities(_Pinned):
    """What acquirer and brand support (contract, capability table); by default what all have."""

    credit: bool = False
    rebill: bool = False
    multiple_capture: bool = True
    #: of a pre-authorization; else only its entire open amount
    partial_reversal: bool = False
    increase: bool = False
    refund_after_chargeback: bool = False
    post_chargeback: bool = True
    post_reversal: bool = True
    partial_reversal_of_chargeback: bool = True
    #: ``adopt_only`` posts nothing and adopts the gateway's own entry; ``cr_on_tip`` posts a CR on
    #: the newest CR: ASSUMED, unconfirmed at a real gateway (protocol, section 10).
    undo_reversal: str = "adopt_only"
    rebill_after_dispute: bool = False


class Pin(_Pinned):
    """Which version of a rule source a case uses."""

    version: str
    sha256: str


class CaseTerms(_Pinned):
    """Days are calendar days, hours are hours, amounts minor units of the case's currency.

    ``None`` in a ``..._days`` field means that no source gives a number: nothing is invented.
    """

    rulebook: Pin
    policy: Pin
    acquirer: str = "default"

    # rulebook
    known_reason: bool
    category: str
    fraud: bool
    flow: Flow
    checklist: Checklist
    #: the gateway's chargeback reason, 000.100.2xx; none in a case that is older than the table
    gateway_reason: str | None = None
    #: merchant's answer to the chargeback: shortest window less acquirer_days
    respond_days: int | None
    #: merchant's answer to an inquiry: shortest window less acquirer_days
    inquiry_days: int | None = None
    #: merchant's answer to the issuer's pre-arbitration: shortest window less acquirer_days
    pre_arbitration_answer_days: int | None
    #: merchant's filing of arbitration (allocation): shortest window less acquirer_days
    arbitration_days: int | None
    #: issuer's answer to our pre-arbitration attempt (allocation): longest window
    issuer_answer_days: int | None
    #: tails, longest window; 120 where the table is empty
    tail_response_days: int = 120
    tail_pre_arbitration_days: int = 120
    tail_arbitration_days: int = 0
    tail_lost_days: int = 120

    # policy
    capabilities: Capabilities = Capabilities()
    fallback_days: int = 7
    notice_wait_days: int = 14
    #: none in a case that is older than the rule: it is asked once only
    payment_wait_days: int = 0
    #: whether a rebill goes out anew after a refused one; not in a case older than the rule
    rebill_after_refusal: bool = False
    ladder_hours: tuple[int, ...] = (168, 72, 24)
    last_call_hours: int = 12
    auto_submit: bool = False
    submission_needs_approval: bool = False
    approval_hours: int = 72
    rebill_cool_off_hours: int = 0
    auto_accept_below_minor: int | None = None
    four_eyes_above_minor: int | None = None
    #: fee expected with a chargeback, in the case's currency; 0: none
    expected_fee_minor: int = 0
