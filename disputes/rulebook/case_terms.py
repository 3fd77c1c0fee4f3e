"""Cuts from rulebook and policy the slice that one case is pinned to for its whole life."""

from collections.abc import Collection

from disputes.policy import Policy
from disputes.rulebook.rulebook import Rulebook
from disputes.terms import CaseTerms
from disputes.vocabulary import Flow, Network

_INQUIRY = ("inquiry", "retrieval")
_RESPONSE = {
    Flow.COLLABORATION: ("representment",),
    Flow.ALLOCATION: ("pre_arbitration",),
    Flow.NONE: (),
}


def terms_for(
    *,
    network: Network,
    reason_code: str,
    region: str | None,
    currency: str,
    rulebook: Rulebook,
    policy: Policy,
    acquirer: str = "default",
) -> CaseTerms:
    """Terms of a case, from the fields of its notice.

    ``currency`` is the case's (ISO 4217), ``acquirer`` a name of the policy's capability table.
    Windows: lifecycle, Deadlines; our own are shortened by the policy's ``acquirer_days``, but
    never below one day.
    """
    reason = rulebook.reason(network, reason_code)
    flow = rulebook.flow(network, reason_code)

    def ours(steps: Collection[str]) -> int | None:
        days = rulebook.merchant_days(steps, network, reason_code, region)
        return None if days is None else max(1, days - policy.clocks.acquirer_days)

    return CaseTerms(
        rulebook=rulebook.pin,
        policy=policy.pin,
        acquirer=acquirer,
        known_reason=reason is not None,
        category=reason.category if reason else "other",
        fraud=reason is not None and reason.category == "fraud",
        flow=flow,
        gateway_reason=rulebook.gateway_reason(network, reason_code),
        checklist=rulebook.checklist(network, reason_code),
        respond_days=ours(_RESPONSE[flow]),
        inquiry_days=ours(_INQUIRY),
        pre_arbitration_answer_days=ours(("pre_arbitration_response",)),
        arbitration_days=ours(("arbitration",)),
        issuer_answer_days=rulebook.issuer_days(
            ("pre_arbitration_response",), network, reason_code, region
        ),
        **_tails(rulebook, network, flow),
        capabilities=policy.capabilities(acquirer, network),
        fallback_days=policy.clocks.fallback_days,
        notice_wait_days=policy.clocks.notice_wait_days,
        payment_wait_days=policy.clocks.payment_wait_days,
        rebill_after_refusal=True,
        ladder_hours=policy.clocks.ladder_hours,
        last_call_hours=policy.clocks.last_call_hours,
        auto_submit=policy.decisions.auto_submit,
        submission_needs_approval=policy.decisions.submission_needs_approval,
        approval_hours=policy.clocks.approval_hours,
        rebill_cool_off_hours=policy.clocks.rebill_cool_off_hours,
        auto_accept_below_minor=policy.decisions.auto_accept_below.get(currency),
        four_eyes_above_minor=policy.decisions.four_eyes_above.get(currency),
        expected_fee_minor=policy.expected_fee_minor(network, currency),
    )


def _tails(rulebook: Rulebook, network: Network, flow: Flow) -> dict[str, int]:
    # In allocation our response is itself the filing; where no answer exists (SEPA) the chargeback
    # is the end, and the table says so under its own name.
    response = "pre_arbitration_filed" if flow is Flow.ALLOCATION else "response_sent"
    lost = "chargeback_received" if flow is Flow.NONE else "lost_accepted_or_expired"
    return {
        "tail_response_days": rulebook.tail_days(response, network, flow),
        "tail_pre_arbitration_days": rulebook.tail_days("won_in_pre_arbitration", network, flow),
        "tail_arbitration_days": rulebook.tail_days("arbitration_ruled", network, flow),
        "tail_lost_days": rulebook.tail_days(lost, network, flow),
    }
