"""The comparison of our books with the gateway's: by day on a Schedule, or by hand.

Each page of payments is a run of its own, so that no history grows with the number of payments;
the report so far travels on, and what was interrupted goes on where it was.
"""

from datetime import UTC, datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue, SearchAttributeKey

with workflow.unsafe.imports_passed_through():
    from activities.reconciliation import ReconciliationActivities
    from disputes.decode import decode
    from disputes.errors import Conflict, InvalidMessage, Refusal
    from disputes.reconciliation import (
        AdoptShown,
        ClaimWindow,
        ListPayments,
        PaymentPage,
        PaymentRoot,
        ReconciliationReport,
        ReconciliationWindow,
    )
    from workflows import options
    from workflows.ids import RECONCILIATION_WORKFLOW
    from workflows.messages import NOTHING, payload_json
    from workflows.refusals import as_application_error

#: Payments of one run: about 300 events where every one of them has news.
PAGE = 50
_SCHEDULED = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@workflow.defn(name=RECONCILIATION_WORKFLOW)
class ReconciliationWorkflow:
    """One comparison of a window of operations with the gateway."""

    def __init__(self) -> None:
        self._report: ReconciliationReport | None = None

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> ReconciliationReport:
        """Compare page by page, adopt what is ours or new, and report the rest."""
        report = self._report = await self._begin(start)
        page = await self._list(report)
        for payment in page.payments:
            report = self._report = await self._compare(report, payment)
        if page.more and report.compared != report.window.limit:
            workflow.continue_as_new(report)
        return report if page.more else report.model_copy(update={"next_after": None})

    @workflow.query
    def progress(self) -> ReconciliationReport | None:
        """The report so far; ``None`` until the window is known."""
        return self._report

    async def _begin(self, start: RawValue) -> ReconciliationReport:
        """The report to go on with: of the run before this one, or a new one."""
        refusal: Refusal | None = None
        try:
            if workflow.info().continued_run_id:
                return decode(ReconciliationReport, payload_json([start]))
            window = _window(start)
        except InvalidMessage as error:
            refusal = error
        if refusal is None:
            claim = ClaimWindow(workflow_id=workflow.info().workflow_id, window=window)
            fields = await workflow.execute_activity_method(
                ReconciliationActivities.claim_window,
                claim,
                start_to_close_timeout=options.STORE_TIMEOUT,
                retry_policy=options.STORE_RETRY,
            )
            if not fields:
                return ReconciliationReport(window=window, next_after=window.after)
            refusal = Conflict("the reconciliation", fields)
        # Outside the except: no input may leak as the refusal's cause.
        raise as_application_error(refusal)

    async def _list(self, report: ReconciliationReport) -> PaymentPage:
        limit = report.window.limit
        size = PAGE if limit is None else min(PAGE, limit - report.compared)
        return await workflow.execute_activity_method(
            ReconciliationActivities.list_payments,
            ListPayments(window=report.window, after=report.next_after, size=size),
            start_to_close_timeout=options.STORE_TIMEOUT,
            retry_policy=options.STORE_RETRY,
        )

    async def _compare(
        self, report: ReconciliationReport, payment: PaymentRoot
    ) -> ReconciliationReport:
        compared = await workflow.execute_activity_method(
            ReconciliationActivities.compare_payment,
            payment,
            start_to_close_timeout=options.GATEWAY_TIMEOUT,
            heartbeat_timeout=options.GATEWAY_HEARTBEAT,
            retry_policy=options.GATEWAY_RETRY,
        )
        adopted, corrected = 0, 0
        differences = (*compared.adoptable, *compared.differences)
        news = compared.adoptable or compared.untold or compared.amiss
        if report.window.adopt and news:
            taken = await workflow.execute_activity_method(
                ReconciliationActivities.adopt_shown,
                AdoptShown(
                    payment=payment,
                    shown=compared.shown,
                    adoptable=tuple(it.gateway_id or "" for it in compared.adoptable),
                    at=workflow.now(),
                ),
                start_to_close_timeout=options.GATEWAY_TIMEOUT,
                heartbeat_timeout=options.GATEWAY_HEARTBEAT,
                retry_policy=options.GATEWAY_RETRY,
            )
            adopted, corrected, differences = taken.adopted, taken.corrected, taken.differences
        fuller = report.with_payment(len(compared.shown), adopted, corrected, differences)
        return fuller.model_copy(update={"next_after": payment.root_id})


def _window(start: RawValue) -> ReconciliationWindow:
    """The window that was asked for, or the day (UTC) before the scheduled start."""
    if start.payload.metadata.get("encoding", b"") in (b"", b"binary/null"):
        scheduled = workflow.info().typed_search_attributes.get(_SCHEDULED) or workflow.now()
        return day_before(scheduled)
    content = payload_json([start])
    return (
        day_before(workflow.now()) if content == b"null" else decode(ReconciliationWindow, content)
    )


def day_before(moment: datetime) -> ReconciliationWindow:
    """The whole day (UTC) before a moment's."""
    today = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return ReconciliationWindow(since=today - timedelta(days=1), until=today)
