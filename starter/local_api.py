"""The stack's own HTTP API: a child process, and a key for whoever may read the stack's folder."""

import os
import secrets
import sys
from pathlib import Path
from typing import Final

from disputes.decode import sha256
from starter.api.keys import SETTING, ApiKey, Role, entry_of, new_secret
from starter.processes import LOOPBACK, Child, claim_port
from starter.stack import Endpoints, Stack, log_file

_SAYS: Final = "api listening on "
_WEBHOOKS: Final = "DISPUTES_WEBHOOK_KEYS"
_HOLDER: Final = "local-admin"
#: Nobody but this machine's user has it: what runs beside the stack need not wait.
_PER_MINUTE: Final = 1_000_000


async def start_api(stack: Stack, port: int) -> Endpoints:
    """Start the API; gives the stack's addresses with it.

    Without a file of keys in the settings, an admin's key is made once for the stack's folder; so
    is a key for the gateway's notifications.

    Raises:
        ConfigurationError: the port is in use.
        Unreachable: it did not start; with its last lines of output.
    """
    if port:
        claim_port(port, "the API")
    secret = None
    env = dict(stack.env)
    if SETTING not in env:
        secret = _kept(stack.folder / "api-key", new_secret())
        env[SETTING] = str(_keys_file(stack.folder / "api-keys.toml", secret))
    if _WEBHOOKS not in env:
        env[_WEBHOOKS] = _kept(stack.folder / "webhook-key", secrets.token_hex(32))
    command = [sys.executable, "-m", "starter.cli", "api", "--host", LOOPBACK, "--port", str(port)]
    child = await Child.start("api", command, env=env, log=log_file(stack.folder, "api"))
    stack.children.append(child)

    async def announced() -> str | None:
        lines = (line for line in child.output().splitlines() if line.startswith(_SAYS))
        return next(lines, None)

    url = (await child.until(announced)).removeprefix(_SAYS).strip()
    return stack.endpoints.model_copy(update={"api": url, "api_key": secret})


def write_private(file: Path, text: str) -> None:
    """Write a file that only this user may read, also before it is full."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


def _kept(file: Path, fresh: str) -> str:
    """The secret of a file, which gets ``fresh`` where there is none yet."""
    if not file.exists():
        write_private(file, f"{fresh}\n")
    return file.read_text(encoding="utf-8").strip()


def _keys_file(file: Path, secret: str) -> Path:
    key = ApiKey(
        name=_HOLDER,
        roles=frozenset({Role.ADMIN}),
        sha256=sha256(secret),
        per_minute=_PER_MINUTE,
    )
    write_private(file, entry_of(key))
    return file
