"""Captures and increases that carry their caller's id: the same id with the same content is one."""

import json
from collections.abc import Iterable

from disputes.decode import canonical_of, differing, json_of
from disputes.errors import Conflict
from disputes.fields import Durable, Identifier
from disputes.requests import AuthorizationCommand, Capture, Increase


class AskedFor(Durable):
    """What was asked for under an id, as canonical JSON, and the operation that it became."""

    request_id: Identifier
    command: str
    content: str
    operation_key: str


def request_id_of(command: AuthorizationCommand) -> str | None:
    """The caller's id of a command, where it has one."""
    return command.request_id if isinstance(command, Capture | Increase) else None


def asked_for(command: AuthorizationCommand, operation_key: str) -> AskedFor | None:
    """What is kept of a command that was planned; ``None`` for one without an id."""
    request_id = request_id_of(command)
    if request_id is None:
        return None
    return AskedFor(
        request_id=request_id,
        command=type(command).__name__.lower(),
        content=canonical_of(command),
        operation_key=operation_key,
    )


def without(known: Iterable[AskedFor], request_id: str | None) -> tuple[AskedFor, ...]:
    """The others."""
    return tuple(it for it in known if it.request_id != request_id)


def key_of(known: Iterable[AskedFor], command: AuthorizationCommand) -> str | None:
    """Key of the operation that this very command became; ``Conflict`` for other content."""
    request_id = request_id_of(command)
    first = next((it for it in known if it.request_id == request_id), None)
    if first is None:
        return None
    fresh = asked_for(command, first.operation_key)
    if fresh != first:
        fields = differing(json.loads(first.content), json_of(command))
        fields += [] if fresh and fresh.command == first.command else ["command"]
        raise Conflict("this request_id", fields)
    return first.operation_key
