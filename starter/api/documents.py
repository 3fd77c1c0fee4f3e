"""What the OpenAPI document says of bodies and refusals: the messages' own schemas, with examples.

Bodies are read by ``bodies``, not by the framework, so that every door is equally strict.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from starter.api.problems import MEDIA_TYPE, Problem

_DEFS = "#/$defs/"
_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
_MEANINGS = {
    400: "The body is no JSON.",
    401: "No API key, or an unknown one.",
    403: "The key lacks the role, or a second person must decide.",
    404: "It does not exist, or is not one of the key's merchants.",
    405: "Not with this method.",
    409: "The case does not allow it now, or the id or key is taken by other content.",
    413: "The body is too long.",
    415: "The body is of another type.",
    422: "A field is at fault; `fields` names each with its reason.",
    429: "The key's requests are used up; `Retry-After` says for how long.",
    503: "Not known: Temporal or the database does not answer. What was asked for may still be"
    " carried out: repeat it with the same Idempotency-Key.",
}
#: Seconds after which it is worth asking again.
_AFTER: Final = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
_HELD: Final = {"Retry-After": {**_AFTER["Retry-After"], "required": False}}
#: Refusals that say so; of a case only that its payment is held.
_HEADERS: Final = {409: _HELD, 429: _AFTER, 503: _AFTER}
_REPLAYED: Final = {
    "description": "`true`: the answer that the request with this Idempotency-Key had before.",
    "schema": {"const": "true"},
}
Responses = dict[int | str, dict[str, object]]
_ALWAYS = (401, 403, 422, 429, 503)
_READS = (*_ALWAYS, 404)
_WRITES = (*_READS, 400, 409, 413, 415)


class Application(FastAPI):
    """An application whose document says what the framework's own does not."""

    def openapi(self) -> dict[str, Any]:
        """The document, with problems as problems only, and with what tells a repeated answer."""
        document = super().openapi()
        for methods in document["paths"].values():
            for route in methods.values():
                _correct(route)
        return document


def _correct(route: Mapping[str, Any]) -> None:
    once = any(it["name"] == "Idempotency-Key" for it in route.get("parameters", ()))
    for status, answer in route["responses"].items():
        if MEDIA_TYPE in answer.get("content", {}):
            # Of the model, which the document would not know without it.
            answer["content"].pop("application/json", None)
        elif once and status.startswith("2"):
            answer.setdefault("headers", {})["Idempotency-Replayed"] = _REPLAYED


def refusals(*statuses: int) -> Responses:
    """The refusals of these statuses, as problem details."""
    return {
        status: {
            "model": Problem,
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE: _PROBLEM},
            "headers": _HEADERS.get(status, {}),
        }
        for status in sorted(statuses)
    }


def reads(answer: type[BaseModel] | None, meaning: str = "What was asked for.") -> Responses:
    """The answers of a route that reads."""
    return {200: _answer(answer, meaning), **refusals(*_READS)}


def writes(answer: type[BaseModel], meaning: str, *statuses: int) -> Responses:
    """The answers of a route that changes something; 200 by default."""
    told: Responses = {status: _answer(answer, meaning) for status in statuses or (200,)}
    return {**told, **refusals(*_WRITES)}


def _answer(model: type[BaseModel] | None, meaning: str) -> dict[str, object]:
    return {"description": meaning} | ({"model": model} if model else {})


def body(
    model: type[BaseModel],
    example: Mapping[str, object],
    *,
    without: Collection[str] = (),
    optional: Collection[str] = (),
    required: bool = True,
) -> dict[str, object]:
    """The ``openapi_extra`` of a route whose body is a message.

    Args:
        model: the message.
        example: one that is accepted.
        without: fields that the address says.
        optional: fields that the API key fills in.
        required: whether there must be a body.
    """
    schema = body_schema(model, without=without, optional=optional)
    content = {"application/json": {"schema": schema, "example": dict(example)}}
    return {"requestBody": {"required": required, "content": content}}


def body_schema(
    model: type[BaseModel], *, without: Collection[str] = (), optional: Collection[str] = ()
) -> dict[str, object]:
    """The JSON schema of a message as the API takes it, whole and closed."""
    raw: dict[str, object] = model.model_json_schema()
    known = raw.pop("$defs", {})
    whole = _inlined(raw, known if isinstance(known, dict) else {})
    if not isinstance(whole, dict):
        raise TypeError("a model's schema is an object")
    properties, required = whole.get("properties"), whole.get("required", [])
    if isinstance(properties, dict):
        whole["properties"] = {k: v for k, v in properties.items() if k not in without}
    if isinstance(required, list):
        whole["required"] = [name for name in required if name not in {*without, *optional}]
    return whole


def _inlined(schema: object, known: Mapping[str, object]) -> object:
    if isinstance(schema, list):
        return [_inlined(item, known) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _inlined(known[reference.removeprefix(_DEFS)], known)
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {name: _inlined(item, known) for name, item in schema.items()} | closed
