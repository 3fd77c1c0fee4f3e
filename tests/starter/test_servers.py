"""The real servers that other tests stand on do what those tests need of them."""

from datetime import timedelta

import psycopg
from temporalio import workflow
from temporalio.testing import TimeSkipper
from temporalio.worker import Worker

from starter.temporal_server import TemporalServer
from tests.support.postgres import Postgres
from workflows.connection import connect
from workflows.namespace import require_search_attributes


@workflow.defn
class FortyDays:
    """Sleeps for forty days of its own clock."""

    @workflow.run
    async def run(self) -> float:
        started = workflow.now()
        await workflow.sleep(timedelta(days=40))
        return (workflow.now() - started) / timedelta(days=1)


async def test_a_workflow_of_forty_days_ends_at_once(temporal_server: TemporalServer) -> None:
    client = TimeSkipper(await connect(temporal_server.env)).client
    async with Worker(client, task_queue="forty-days", workflows=[FortyDays]):
        days = await client.execute_workflow(
            FortyDays.run, id="forty-days", task_queue="forty-days"
        )
    assert days >= 40


async def test_the_server_has_our_search_attributes(temporal_server: TemporalServer) -> None:
    await require_search_attributes(await connect(temporal_server.env))


def test_each_postgres_database_is_empty_and_its_own(postgres: Postgres) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    with psycopg.connect(postgres.url(first)) as connection:
        connection.execute("CREATE TABLE mark (id integer)")
    with psycopg.connect(postgres.url(second)) as connection:
        found = connection.execute("SELECT to_regclass('mark')").fetchone()
    copy = postgres.new_database(template=first)
    with psycopg.connect(postgres.url(copy)) as connection:
        copied = connection.execute("SELECT to_regclass('mark')").fetchone()
    assert (found, copied) == ((None,), ("mark",))
