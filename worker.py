"""Composition root of the worker process: settings -> adapters -> activities -> Worker -> drain."""

import asyncio
import logging
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from activities.case import CaseActivities
from activities.gateway import GatewayActivities
from activities.operation import Patience
from activities.payment_case import PaymentCaseActivities
from activities.payments import PaymentActivities
from activities.reconciliation import ReconciliationActivities
from disputes import rulebook
from disputes.errors import ConfigurationError, Unreachable
from disputes.gateway.client import Gateway, Timeouts
from disputes.gateway.entities import Entities, load_entities, one_entity
from disputes.gateway.payunity import PayUnity
from disputes.notice import DisputeNotice
from disputes.payment_terms import AuthorizationTerms, OrderTerms
from disputes.policy import Policy
from disputes.ports import PaymentNews, QueryThrottle
from disputes.requests import OrderRequest, PreAuthorization
from disputes.rulebook.policy_file import read_policy
from disputes.settings import Settings
from disputes.store import Store, open_store
from disputes.store.notices import SqlNotices
from disputes.store.operations import SqlOperationBook
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.store.register import SqlRegister
from disputes.store.throttle import SqlQueryThrottle
from disputes.terms import CaseTerms
from workflows.connection import connect
from workflows.dispute import DisputeWorkflow
from workflows.ids import dispute_workflow_id
from workflows.namespace import require_search_attributes
from workflows.news import TemporalCaseNews
from workflows.payout import PayoutWorkflow
from workflows.preauthorization import PreAuthorizationWorkflow
from workflows.rebill import RebillWorkflow
from workflows.reconciliation import ReconciliationWorkflow
from workflows.refund import RefundWorkflow

#: A killed worker's idle cases move again within 3 s: the server waits this long for its cache.
STICKY_TIMEOUT = timedelta(seconds=1)
#: A frozen worker swallows one call for each poll it has open, so an idle one keeps few.
POLLERS = PollerBehaviorAutoscaling(minimum=1, maximum=20, initial=1)
DRAIN_TIMEOUT = timedelta(seconds=20)
THREADS = 16


@dataclass(frozen=True)
class Adapters:
    """What activities are built from; closed by whoever made it."""

    store: Store
    gateway: Gateway
    entities: Entities
    policy: Policy
    patience: Patience
    throttle: QueryThrottle


def read_entities(settings: Settings) -> Entities:
    """The gateway entities that the settings name."""
    if settings.entities_file is not None:
        return load_entities(Path(settings.entities_file), os.environ)
    token = settings.gateway_token
    return one_entity(
        settings.gateway_url or "",
        settings.gateway_entity_id or "",
        token.get_secret_value() if token else "",
        settings.gateway_test_mode,
        int(settings.gateway_query_version),
        settings.gateway_queries_per_minute,
    )


async def make_adapters(settings: Settings, exits: AsyncExitStack) -> Adapters:
    """Open database and gateway; ``exits`` closes them."""
    policy = read_policy(settings)
    entities = read_entities(settings)
    store = open_store(settings.database_url)
    exits.callback(store.close)
    timeouts = Timeouts.within(settings.gateway_timeout_s)
    gateway = await exits.enter_async_context(Gateway(timeouts))
    patience = Patience(
        settle_window_s=settings.gateway_settle_window_s,
        doubt_after_s=policy.clocks.gateway_patience_minutes * 60,
    )
    throttle = SqlQueryThrottle(store, settings.gateway_query_interval_s)
    return Adapters(store, gateway, entities, policy, patience, throttle)


def activities(adapters: Adapters, news: PaymentNews) -> Sequence[Callable[..., object]]:
    """Every activity, bound to its adapters."""
    register = SqlRegister(adapters.store)
    book = SqlOperationBook(adapters.store)
    gateway = PayUnity(adapters.gateway, adapters.entities, adapters.throttle)
    rules = rulebook.load()

    def terms_of(notice: DisputeNotice) -> CaseTerms:
        return rulebook.terms_for(
            network=notice.network,
            reason_code=notice.reason_code,
            region=notice.region,
            currency=(notice.settled_amount or notice.amount).currency,
            rulebook=rules,
            policy=adapters.policy,
            acquirer=adapters.entities.acquirer_of(notice.merchant_id),
        )

    def authorization_terms(start: PreAuthorization) -> AuthorizationTerms:
        acquirer = adapters.entities.acquirer_of(start.merchant_id)
        return rulebook.authorization_terms(start, rules, adapters.policy, acquirer)

    def order_terms(request: OrderRequest) -> OrderTerms:
        acquirer = adapters.entities.acquirer_of(request.merchant_id)
        return rulebook.order_terms(request, adapters.policy, acquirer)

    case = CaseActivities(
        register, terms_of, dispute_workflow_id, adapters.policy.clocks.notice_wait_days
    )
    money = GatewayActivities(register, book, gateway, adapters.patience)
    payments = PaymentActivities(book, gateway, adapters.patience)
    files = PaymentCaseActivities(
        register,
        SqlPaymentRegister(adapters.store),
        SqlNotices(adapters.store),
        news,
        authorization_terms,
        order_terms,
    )
    reconciliation = ReconciliationActivities(
        register,
        SqlReconciliationBook(adapters.store),
        book,
        gateway,
        adapters.patience,
        news,
    )
    return [
        case.open_case,
        case.record_events,
        money.ask_payment,
        money.adopt_booking,
        money.book_chargeback,
        money.reinstate,
        money.undo_reinstatement,
        money.rebill,
        money.give_back,
        money.refund_dispute,
        money.resolve_doubt,
        payments.authorize,
        payments.debit,
        payments.capture,
        payments.reverse,
        payments.refund,
        payments.credit,
        payments.rebill_payment,
        files.open_authorization,
        files.open_order,
        files.record_payment,
        files.tell_successor,
        files.tell_disputes,
        files.request_case_rebill,
        files.case_rebill,
        reconciliation.claim_window,
        reconciliation.list_payments,
        reconciliation.compare_payment,
        reconciliation.adopt_shown,
    ]


def build_worker(client: Client, settings: Settings, adapters: Adapters) -> Worker:
    """A worker for every workflow and activity; a forgotten pass-through refuses to start."""
    policy = SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    restrictions = SandboxRestrictions.default.with_import_notification_policy(policy)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[
            DisputeWorkflow,
            PreAuthorizationWorkflow,
            RefundWorkflow,
            PayoutWorkflow,
            RebillWorkflow,
            ReconciliationWorkflow,
        ],
        activities=activities(adapters, TemporalCaseNews(client, settings.task_queue)),
        activity_executor=ThreadPoolExecutor(THREADS, thread_name_prefix="store"),
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        activity_task_poller_behavior=POLLERS,
        graceful_shutdown_timeout=DRAIN_TIMEOUT,
    )


async def run() -> None:
    """Work until SIGINT or SIGTERM, then let running activities end."""
    settings = Settings.from_env(os.environ, needs_gateway=True)
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with AsyncExitStack() as exits:
        adapters = await make_adapters(settings, exits)
        client = await connect(os.environ)
        await require_search_attributes(client)
        async with build_worker(client, settings, adapters):
            logging.getLogger(__name__).info("working on task queue %s", settings.task_queue)
            await stop.wait()


def main() -> None:
    """Console script ``dispute-worker``: exit 1 for a wrong setting, 4 for a missing service."""
    ArgumentParser(
        "dispute-worker", description="Carries disputes; its settings are environment variables."
    ).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Their lines tell nothing that our own do not.
    for noisy in ("httpx", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        asyncio.run(run())
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    except Unreachable as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(4) from None


if __name__ == "__main__":
    main()
