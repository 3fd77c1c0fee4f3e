"""The packet of a representment: what goes to the bank."""

from disputes.case import Case
from disputes.commands import packet_content
from disputes.errors import IllegalTransition
from disputes.events import Submitted
from disputes.fields import Durable, Moment
from disputes.lifecycle import fold
from disputes.messages import AddEvidence
from disputes.money import Money
from disputes.possible import allowed, may_submit
from disputes.vocabulary import Network, Stage


class Packet(Durable):
    """A packet as it was submitted, or a draft of it: then ``sha256`` is ``None``.

    ``evidence`` is in the order in which it was added; ``content`` is what ``sha256`` (hex) is of.
    """

    dispute_id: str
    merchant_id: str
    payment_id: str
    arn: str | None
    network: Network
    reason_code: str
    stage: Stage
    cycle: int
    disputed: Money
    respond_by: Moment | None
    evidence: tuple[AddEvidence, ...]
    content: str
    narrative: str | None = None
    submitted_at: Moment | None = None
    sha256: str | None = None


def packet_of(case: Case) -> Packet:
    """The packet that was submitted last; a draft while there is one to submit, or never was.

    A submitted one is read back from the events before the submission: what was added since, such
    as the consent to a rebill, was not sent.

    Raises:
        IllegalTransition: the case has no notice yet, so nobody knows what there is to answer.
    """
    answers = [(it, it.body) for it in case.events if isinstance(it.body, Submitted)]
    if may_submit(case) or not answers:
        return _packet(case, None)
    event, body = answers[-1]
    earlier = (it for it in case.events if it.sequence < event.sequence)
    packet = _packet(fold(case.case_id, earlier), body.submission.narrative)
    sealed = {"submitted_at": event.at, "sha256": body.packet_sha256}
    return packet.model_copy(update=sealed)


def _packet(case: Case, narrative: str | None) -> Packet:
    notice = case.notice
    if notice is None:
        raise IllegalTransition(case.status.value, "packet", allowed(case))
    return Packet(
        dispute_id=case.case_id,
        merchant_id=notice.merchant_id,
        payment_id=notice.payment_id,
        arn=notice.arn,
        network=notice.network,
        reason_code=notice.reason_code,
        stage=case.stage,
        cycle=case.cycle,
        disputed=Money.of(case.disputed_minor, case.currency),
        respond_by=case.respond_by,
        evidence=case.evidence,
        narrative=narrative,
        content=packet_content(case, narrative),
    )
