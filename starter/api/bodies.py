"""From a request's bytes to a message: strict JSON, and the name that signs it."""

import json
import math
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel

from disputes.decode import decode
from disputes.errors import InvalidMessage
from starter.api.keys import ApiKey
from starter.api.problems import HttpRefusal

M = TypeVar("M", bound=BaseModel)
Given = dict[str, object]


async def read_object(request: Request) -> Given:
    """The JSON object that a request brings; none at all is an empty one.

    Raises:
        HttpRefusal: it is no JSON (400), or says that it is something else (415).
        InvalidMessage: a name stands twice in an object, or it is no object.
    """
    raw = await request.body()
    declared = request.headers.get("content-type", "application/json")
    kind = declared.partition(";")[0].strip().lower()
    if raw and kind != "application/json":
        raise HttpRefusal(415, "UnsupportedMediaType", "the body must be application/json")
    return parse(raw) if raw.strip() else {}


def parse(raw: bytes) -> Given:
    """Read one JSON object (RFC 8259), each name once and every number finite.

    Raises:
        HttpRefusal: 400; it is no JSON.
        InvalidMessage: a name stands twice in an object, or it is no object.
    """
    problem = "is not valid JSON"
    try:
        parsed: object = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError:  # also of bytes that are no UTF-8
        pass
    else:
        if isinstance(parsed, dict):
            return parsed
        raise InvalidMessage({"message": "must be one JSON object"})
    raise HttpRefusal(400, "MalformedJson", f"the body {problem}")


def _unique(pairs: list[tuple[str, object]]) -> Given:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidMessage({"message": "names a field twice in one object"})
    return found


def _no_constant(_word: str) -> object:
    raise ValueError("JSON knows no such number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number too large")
    return number


def message(model: type[M], given: Given, **ours: object) -> M:
    """A message from what was given and what the request's address says; checked strictly.

    Raises:
        InvalidMessage: naming every field at fault, also one that only the address may say.
    """
    said = [name for name in ours if name in given]
    if said:
        raise InvalidMessage(dict.fromkeys(said, "stands in the address"))
    try:
        return decode(model, json.dumps({**given, **ours}), edge=True)
    except RecursionError:
        pass
    raise InvalidMessage({"message": "is nested too deeply"})


def signed(given: Given, key: ApiKey, *fields: str) -> Given:
    """What was given, signed by the key: four eyes must not be one pair under two names.

    Args:
        given: the message's fields.
        key: whose name stands in ``fields``; a name that the body says there is ignored (contract,
            Temporal), also an admin's: who may ask as one and decide as another needs no second.
        fields: those that say who acts.
    """
    return {**given, **dict.fromkeys(fields, key.name)}
