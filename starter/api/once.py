"""Requests with an ``Idempotency-Key`` are carried out once, on whatever replica they arrive.

Kept is what succeeded. A refusal changed nothing: the same request may be right later, and is
another attempt then, for Temporal keeps what it refused an update with. An answer that nobody heard
(503, or one that says itself that it is to be asked for again) is found by asking again: the case
knows its updates by their ids.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BaseModel, StringConstraints

from disputes.decode import canonical, sha256
from disputes.errors import Refusal
from disputes.store.requests import Answer, RequestName
from starter.api.keys import ApiKey
from starter.api.office import office_of
from starter.api.problems import AGAIN

_JSON = "application/json"


def _printable(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be printable ASCII")
    return value


IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
    | None,
    Header(
        alias="Idempotency-Key",
        description="Any text of your own, new for each command. Repeating a request with its key"
        " within 24 hours does it once and gives the same answer.",
    ),
]


@dataclass(slots=True)
class Command:
    """A request that changes something.

    Attributes:
        request: as it came.
        key: whose it is.
        idempotency_key: the caller's own.
        content: its JSON; the same key with another is a conflict.
    """

    request: Request
    key: ApiKey
    idempotency_key: str | None
    content: BaseModel
    _attempt: tuple[str, ...] = field(default=(), init=False)

    @property
    def id(self) -> str | None:
        """What a case knows it by, while it is carried out by ``once``.

        The caller's key, told apart by API key, route, content, and what was refused before: a key
        that comes again after a day with other content is another command.
        """
        return self.id_for()

    def id_for(self, *parts: str) -> str | None:
        """The same of a part of the request, such as one case of several."""
        known_by = self._known_by(*self._attempt, *parts)
        return known_by and f"http-{known_by}"

    def own_id(self, prefix: str) -> str | None:
        """An id for what the request makes, where it names none: the same whenever repeated."""
        known_by = self._known_by()
        return known_by and f"{prefix}-{known_by}"

    def naming(self, field: str, prefix: str) -> "Command":
        """The same with an ``own_id`` in ``field``, where the caller names none."""
        own = self.own_id(prefix)
        if own is None or getattr(self.content, field) is not None:
            return self
        content = self.content.model_copy(update={field: own})
        return Command(self.request, self.key, self.idempotency_key, content)

    def _known_by(self, *parts: str) -> str | None:
        if self.idempotency_key is None:
            return None
        return sha256(canonical([self.key.name, self._route, self.idempotency_key, *parts]))[:40]

    @property
    def _route(self) -> str:
        return f"{self.request.method} {self.request.scope['route'].path}"

    async def once(self, name: str, work: Callable[[], Awaitable[Response]]) -> Response:
        """Do ``work``, which is called ``name``, or give the answer that it had.

        Raises:
            Conflict: the key came before with another path or content.
        """
        if self.idempotency_key is None:
            return await work()
        book = office_of(self.request).requests
        known_by = RequestName(self.key.name, self.idempotency_key, self._route)
        told = canonical([self.request.url.path, name, self.content.model_dump(mode="json")])
        content = sha256(told)
        begun = await asyncio.to_thread(book.begin, known_by, content)
        if begun.answer is not None:
            replayed = {"Idempotency-Replayed": "true"}
            return Response(begun.answer.body, begun.answer.status, replayed, media_type=_JSON)
        refused_at = begun.refused_at
        self._attempt = (content, refused_at.isoformat()) if refused_at else (content,)
        try:
            response = await work()
        except Refusal:
            await asyncio.to_thread(book.refused, known_by, begun)
            raise
        if AGAIN.keys() & response.headers.keys():
            return response
        answer = Answer(response.status_code, bytes(response.body).decode())
        await asyncio.to_thread(book.end, known_by, answer)
        return response


def json_answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer of plain JSON."""
    if isinstance(content, BaseModel):
        return Response(content.model_dump_json(), status, headers, media_type=_JSON)
    return JSONResponse(content, status, headers)
