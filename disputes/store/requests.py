"""Requests that came with an ``Idempotency-Key``: each is carried out once, on every replica."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, delete

from disputes.errors import Conflict
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.tables import ApiRequestRow

#: How long a key stands for its request (contract, HTTP).
KEPT = timedelta(hours=24)
#: The body of a row without a status whose request was refused, at its moment.
_REFUSED = ""


@dataclass(frozen=True, slots=True)
class RequestName:
    """What one request is known by: the API key's name, its own key, and the route."""

    key_name: str
    idempotency_key: str
    route: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered: HTTP status and JSON body."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that may be carried out.

    Attributes:
        answer: what it was answered, if it was carried out already.
        refused_at: when it was refused last, wire time: what follows is another attempt.
    """

    answer: Answer | None = None
    refused_at: datetime | None = None


class RequestBook:
    """The requests of the last 24 hours."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, name: RequestName, sha256: str) -> Begun:
        """Note a request before it is carried out; gives its answer if it was already.

        No answer also of one that was begun and whose answer is not known: it is carried out again,
        and whoever carries it out knows it by its id.

        Args:
            name: what it is known by.
            sha256: hex digest of its path and content.

        Raises:
            Conflict: the same key came before with another path or content.
        """
        with self._store.write() as session:
            now = wire_now(session)
            session.exec(delete(ApiRequestRow).where(col(ApiRequestRow.at) < now - KEPT))
            row = ApiRequestRow(
                key_name=name.key_name,
                idempotency_key=name.idempotency_key,
                route=name.route,
                sha256=sha256,
                at=now,
            )
            if insert_once(session, row):
                return Begun()
            known = session.get_one(ApiRequestRow, _key(name))
        if known.sha256 != sha256:
            raise Conflict("the Idempotency-Key", ["path or content"])
        if known.status is not None:
            return Begun(answer=Answer(known.status, known.body or ""))
        return Begun(refused_at=_refused_at(known))

    def refused(self, name: RequestName, attempt: Begun) -> None:
        """Note that an attempt was refused, so that the next one is another.

        Of several at once that were refused together the first is noted.
        """
        with self._store.write() as session:
            row = session.get(ApiRequestRow, _key(name), with_for_update=True)
            open_yet = row is not None and row.status is None
            if row is not None and open_yet and _refused_at(row) == attempt.refused_at:
                row.body, row.at = _REFUSED, wire_now(session)
                session.add(row)

    def end(self, name: RequestName, answer: Answer) -> None:
        """Keep the answer of a request that was carried out."""
        with self._store.write() as session:
            row = session.get(ApiRequestRow, _key(name))
            if row is not None:
                row.status, row.body = answer.status, answer.body
                session.add(row)


def _refused_at(row: ApiRequestRow) -> datetime | None:
    return row.at if row.status is None and row.body == _REFUSED else None


def _key(name: RequestName) -> tuple[str, str, str]:
    return (name.key_name, name.idempotency_key, name.route)
