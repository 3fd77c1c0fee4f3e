"""The one way from JSON bytes to a message: strict types, named fields, no value repeated."""

import hashlib
import json
from collections.abc import Mapping
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from disputes import card_data
from disputes.errors import InvalidMessage

M = TypeVar("M", bound=BaseModel)
#: Reasons that a refusal names; a message may be nothing but faults.
_MOST_REASONS = 50
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "json_invalid": "is not valid JSON",
}


def decode(model: type[M], raw: bytes | str, *, edge: bool = False) -> M:
    """Read ``raw`` JSON as ``model``.

    ``edge``: refuse unknown fields by name (feed, HTTP, CLI); inside, they are ignored so that an
    older worker reads a newer message. Raises ``InvalidMessage`` naming every field at fault, of
    very many the first.
    """
    fields: dict[str, str] = {}
    message: M | None = None
    try:
        message = model.model_validate_json(raw, strict=True, extra="forbid" if edge else "ignore")
    except ValidationError as error:
        fields = _fields(error)
    fields |= _card_data(raw)
    # Raised outside the except: the ValidationError holds the input and must not be its cause.
    if fields or message is None:
        raise InvalidMessage(fields or {"": "is empty"})
    return message


def _fields(error: ValidationError) -> dict[str, str]:
    found: dict[str, str] = {}
    items = error.errors(include_input=False, include_url=False, include_context=False)
    for item in items[:_MOST_REASONS]:
        name = ".".join(str(part) for part in item["loc"]) or "message"
        reason = _WORDS.get(item["type"], item["msg"].removeprefix("Value error, "))
        found.setdefault(_told(name), reason[:500])
    if len(items) > _MOST_REASONS:
        found["more"] = f"{len(items) - _MOST_REASONS} other reasons"
    return found


def _card_data(raw: bytes | str) -> dict[str, str]:
    try:
        parsed: object = json.loads(raw)
        first = islice(card_data.find(parsed), _MOST_REASONS)
        return {_told(name): reason for name, reason in first}
    except ValueError:
        return {}
    except RecursionError:
        return {"message": "is nested too deeply"}


def _told(name: str) -> str:
    """A field's name as it may be told: a stranger wrote it, and half a character is no text."""
    return card_data.redact(name.encode("utf-8", "backslashreplace").decode())[:200]


def canonical(value: object) -> str:
    """Canonical JSON of a JSON-able value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def json_of(message: BaseModel) -> dict[str, object]:
    """A message as a JSON object without empty fields: equal for equal content, however sent."""
    return message.model_dump(mode="json", exclude_none=True)


def canonical_of(message: BaseModel) -> str:
    """Canonical JSON of a message; see ``json_of``."""
    return canonical(json_of(message))


def sha256(text: str | bytes) -> str:
    """Hex SHA-256 of text (UTF-8) or bytes."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def differing(first: Mapping[str, object], second: Mapping[str, object]) -> list[str]:
    """Names of the top-level fields in which two JSON objects differ, sorted."""
    names = first.keys() | second.keys()
    return sorted(name for name in names if first.get(name) != second.get(name))
