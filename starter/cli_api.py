"""Commands of the HTTP API: serve it, make a key for it."""

import sys
from typing import Annotated

import typer
from pydantic import ValidationError

from disputes.decode import sha256
from disputes.errors import InvalidMessage
from starter.api.keys import SETTING, ApiKey, Role, entry_of, new_secret
from starter.cli_office import AsJson, environment, print_json
from starter.render import note


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("api")(api)
    app.command("api-key")(api_key)


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
) -> None:
    """Serve the HTTP API until Ctrl-C; it needs DISPUTES_API_KEYS_FILE."""
    from starter.api.server import serve  # noqa: PLC0415 - only this command needs a web server

    serve(environment(), host, port)


def api_key(
    name: Annotated[str, typer.Argument(help="Of its holder; it signs what the key does.")],
    role: Annotated[list[Role], typer.Option(help="What it may do; give it again for more.")],
    merchant: Annotated[
        list[str] | None, typer.Option(help="Only this merchant's cases; again for more.")
    ] = None,
    per_minute: Annotated[int, typer.Option(min=1, help="Requests it may make a minute.")] = 600,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key: printed once, and its lines for the file of keys."""
    secret = new_secret()
    entry = entry_of(make_key(name, role, secret, merchant, per_minute))
    if as_json:
        print_json({"key": secret, "entry": entry})
        return
    note(f"this key is shown once: {secret}")
    note(f"add these lines to the file of {SETTING}, and start the API again:")
    sys.stdout.write(entry)


def make_key(
    name: str,
    roles: list[Role],
    secret: str,
    merchants: list[str] | None = None,
    per_minute: int = 600,
) -> ApiKey:
    """A key's entry; ``InvalidMessage`` naming the field that is at fault."""
    fields: dict[str, str] = {}
    try:
        return ApiKey(
            name=name,
            roles=frozenset(roles),
            merchants=tuple(merchants) if merchants else None,
            sha256=sha256(secret),
            per_minute=per_minute,
        )
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            fields[str(item["loc"][0])] = item["msg"].removeprefix("Value error, ")
    raise InvalidMessage(fields, what="the key")
