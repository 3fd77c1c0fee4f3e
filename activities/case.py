"""Steps between a case and the register: no rule, no gateway."""

from collections.abc import Callable

from temporalio import activity

from disputes.decode import canonical_of
from disputes.errors import Conflict
from disputes.notice import DisputeNotice
from disputes.ports import Register
from disputes.steps import OpenCase, OpenedCase, RecordEvents
from disputes.terms import CaseTerms


class CaseActivities:
    """Opens cases and records what they accepted.

    ``terms_of`` builds the slice of rulebook and policy of a notice; ``workflow_id_of`` names the
    claim of a case id; ``notice_wait_days`` is the policy's.
    """

    def __init__(
        self,
        register: Register,
        terms_of: Callable[[DisputeNotice], CaseTerms],
        workflow_id_of: Callable[[str], str],
        notice_wait_days: int,
    ) -> None:
        self._register = register
        self._terms_of = terms_of
        self._workflow_id_of = workflow_id_of
        self._notice_wait_days = notice_wait_days

    @activity.defn
    def open_case(self, request: OpenCase) -> OpenedCase:
        """What the register knows of the case; a new notice claims the id and gets its terms."""
        notice = request.notice
        fields: tuple[str, ...] = ()
        if notice is not None:
            try:
                self._register.claim(self._workflow_id_of(request.case_id), canonical_of(notice))
            except Conflict as conflict:
                fields = conflict.fields
        file = self._register.load(request.case_id)
        claimed = DisputeNotice.model_validate_json(file.claimed) if file.claimed else None
        return OpenedCase(
            events=file.events,
            unfinished=file.unfinished,
            claimed=claimed,
            terms=self._terms_of(claimed) if claimed and not fields else None,
            differing=fields,
            notice_wait_days=self._notice_wait_days,
        )

    @activity.defn
    def record_events(self, request: RecordEvents) -> None:
        """Append events to the register, with their ledger facts and the projection."""
        self._register.record(request.case_id, request.events)
