"""The HTTP API as its callers meet it: uvicorn on a real socket, in a thread of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import uvicorn

from disputes.decode import sha256
from starter.api.app import make_app
from starter.api.keys import ApiKey, Role, entry_of
from starter.api.server import listen
from tests.support.waiting import until

#: Keys of the tests by name; each secret is the name with a tail.
ROLES: Mapping[str, tuple[Role, ...]] = {
    "ann": (Role.ANALYST,),
    "bob": (Role.ANALYST, Role.APPROVER),
    "bank": (Role.BANK,),
    "door": (Role.INTAKE,),
    "eve": (Role.VIEWER,),
    "root": (Role.ADMIN,),
}
_PER_MINUTE = 1_000_000


def secret_of(name: str) -> str:
    """The secret of a test's key."""
    return f"dk_{name}-of-the-tests"


def key_of(name: str, roles: tuple[Role, ...], **more: object) -> ApiKey:
    """A key of the file."""
    fields = {"name": name, "roles": roles, "sha256": sha256(secret_of(name))}
    return ApiKey.model_validate({**fields, "per_minute": _PER_MINUTE, **more})


def keys_file(folder: Path, *more: ApiKey) -> Path:
    """The file of the tests' keys and of further ones."""
    keys = [*(key_of(name, roles) for name, roles in ROLES.items()), *more]
    file = folder / "api-keys.toml"
    file.write_text("\n".join(map(entry_of, keys)))
    return file


@dataclass
class Api:
    """A running API; ``as_`` gives a client that knocks with a key."""

    url: str
    exits: AsyncExitStack

    async def as_(self, name: str | None) -> httpx.AsyncClient:
        """A client with the key of that name, or without any."""
        headers = {"Authorization": f"Bearer {secret_of(name)}"} if name else {}
        client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60)
        return await self.exits.enter_async_context(client)


@asynccontextmanager
async def run_api(
    env: Mapping[str, str], folder: Path, *more: ApiKey, patience_s: float = 20
) -> AsyncIterator[Api]:
    """Serve the API on a free port."""
    file = str(keys_file(folder, *more))
    patience = timedelta(seconds=patience_s)
    app = make_app({**env, "DISPUTES_API_KEYS_FILE": file}, patience=patience)
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        await until(lambda: server.started or not thread.is_alive())
        async with AsyncExitStack() as exits:
            yield Api(f"http://127.0.0.1:{listener.getsockname()[1]}", exits)
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join)
        listener.close()
