"""Commands that start things: the demo, the stack, set-up."""

import asyncio
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from disputes.errors import ConfigurationError, Unreachable
from disputes.settings import Settings
from disputes.store.migrations import migrate
from starter.cli_office import AsJson, environment, print_json
from starter.endpoints import STACK_FOLDER
from starter.render import console, note, say, table
from starter.stack import Endpoints, Ports
from workflows.connection import connect
from workflows.namespace import prepare_namespace
from workflows.schedule import prepare_schedule


class Scenario(StrEnum):
    """The stories that the demo can tell."""

    PREAUTH = "preauth"
    REFUND = "refund"
    REBILL = "rebill"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(demo)
    app.command("up")(up)
    app.command("setup")(setup)


def demo(
    feed: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Another feed to play.")
    ] = None,
    scenario: Annotated[
        Scenario | None, typer.Option(help="Tell one story instead, with virtual dates.")
    ] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the stack's folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play the example feed through the whole engine and check the money; or tell a story."""
    from starter.demo import run, tell  # noqa: PLC0415 - only this command needs the stack

    if scenario is not None:
        if feed is not None or as_json:
            raise typer.BadParameter("a story takes neither --feed nor --json")
        raise typer.Exit(asyncio.run(tell(scenario.value, keep=keep)))
    raise typer.Exit(asyncio.run(run(feed=feed, keep=keep, as_json=as_json)))


def up(
    temporal_port: Annotated[int, typer.Option(min=0, max=65535)] = 7233,
    temporal_ui_port: Annotated[int, typer.Option(min=0, max=65535)] = 8233,
    gateway_port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    api_port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=16)] = 1,
) -> None:
    """Run the whole stack until Ctrl-C; port 0 takes a free one."""
    note(f"starting the stack of {STACK_FOLDER}; its logs are in {STACK_FOLDER}/logs")
    ports = Ports(
        temporal=temporal_port, temporal_ui=temporal_ui_port, gateway=gateway_port, api=api_port
    )
    try:
        asyncio.run(_serve(ports, workers))
    except ConfigurationError as error:
        options = {
            temporal_port: "--temporal-port",
            temporal_ui_port: "--temporal-ui-port",
            gateway_port: "--gateway-port",
            api_port: "--api-port",
        }
        for port, option in options.items():
            if str(error).startswith(f"port {port} "):
                raise ConfigurationError(f"{error} with {option}") from error
        raise


async def _serve(ports: Ports, workers: int) -> None:
    from starter.embedded import embedded_stack  # noqa: PLC0415 - only this command starts it

    async with embedded_stack(
        STACK_FOLDER, env=os.environ, ports=ports, workers=workers, ui=True
    ) as stack:
        ended = await stack.serve(_announce)
    if ended:
        raise Unreachable(f"{ended.name} ended by itself; its log is in {STACK_FOLDER}/logs")
    note("stopped; `disputes up` continues the open cases where they were")


def _announce(endpoints: Endpoints) -> None:
    names = {
        "Temporal": endpoints.temporal,
        "Temporal's pages": endpoints.temporal_ui,
        "API": endpoints.api,
        "its key": endpoints.api_key and f"api_key in {STACK_FOLDER / 'endpoints.json'}",
        "gateway": endpoints.gateway,
        "database": endpoints.database,
    }
    rows = [(name, address) for name, address in names.items() if address]
    console().print(table("The stack is running; Ctrl-C stops it", ("", ""), rows))
    sys.stdout.flush()


def setup(*, as_json: AsJson = False) -> None:
    """Migrate the database, prepare the namespace and its nightly schedule; safe to repeat."""
    env = environment()
    settings = Settings.from_env(env)
    migrate(settings.database_url)

    async def prepare() -> str:
        client = await connect(env)
        await prepare_namespace(client)
        await prepare_schedule(client, settings.task_queue)
        return client.namespace

    namespace = asyncio.run(prepare())
    if as_json:
        print_json({"database": "ready", "namespace": namespace})
    else:
        say(f"the database is ready, and so is namespace {namespace}")
