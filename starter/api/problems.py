"""What is refused, as RFC 9457 problem details; the ``type`` is the refusal's (contract).

No 5xx but 503, and that means *not known*: what was asked for may still be carried out.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from http import HTTPMethod, HTTPStatus
from typing import Final, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from disputes import errors
from disputes.card_data import redact
from disputes.errors import ConfigurationError, InvalidMessage, Refusal, Unreachable

E = TypeVar("E", bound=Exception)

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("disputes.api")
#: The status of what is not known.
NOT_KNOWN = 503
#: Headers that say after how many seconds it is worth asking again: a service that is away; a
#: payment that is held.
AGAIN = {"retry-after": "5"}
_HELD = {"retry-after": "30"}
_STATUS: Mapping[type[Refusal], int] = {
    errors.InvalidMessage: 422,
    errors.NotFound: 404,
    errors.SecondPersonNeeded: 403,
}
#: Refusals of a case as it is now.
_REFUSED = 409
_TITLES = {
    "InvalidMessage": "The request is invalid",
    "InvalidNotice": "The notice is invalid",
    "NotFound": "It does not exist",
    "Conflict": "The id is taken by other content",
    "IllegalTransition": "The case does not allow it now",
    "DeadlinePassed": "The deadline has passed",
    "IncompleteEvidence": "Evidence is missing",
    "SecondPersonNeeded": "A second person must decide",
    "MoneyHeld": "The payment is held",
    "NotSupported": "The acquirer does not support it",
    "Unreachable": "Not known: a service does not answer",
}


class Problem(BaseModel):
    """Problem details (RFC 9457); further members are the refusal's details, such as ``fields``."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "InvalidMessage",
                "title": "The request is invalid",
                "status": 422,
                "detail": "the message is invalid: amount.currency: not an ISO 4217 currency",
                "fields": {"amount.currency": "not an ISO 4217 currency"},
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str


class HttpRefusal(Exception):
    """A refusal that only HTTP knows."""

    def __init__(
        self, status: int, type_: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.type, self.detail = status, type_, detail
        self.headers = dict(headers or {})


def unauthenticated() -> HttpRefusal:
    """No key, or one that is not known."""
    asks = {"WWW-Authenticate": "Bearer"}
    return HttpRefusal(401, "Unauthenticated", "a known API key is needed as bearer token", asks)


def too_large(most: int) -> HttpRefusal:
    """A body of more than ``most`` bytes."""
    return HttpRefusal(413, "TooLarge", f"the body may have at most {most} bytes")


def problem(
    status: int, type_: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> JSONResponse:
    """A problem's answer."""
    told = {"type": type_, "title": _TITLES.get(type_, detail), "status": status, "detail": detail}
    return JSONResponse({**more, **told}, status, dict(headers or {}), MEDIA_TYPE)


def not_known(detail: str) -> JSONResponse:
    """A service is away: what was asked for may still be carried out."""
    return problem(NOT_KNOWN, "Unreachable", detail, AGAIN)


def of_refusal(refusal: Refusal) -> JSONResponse:
    """The answer to what a case, the register or a door refuses."""
    found = (status for kind, status in _STATUS.items() if isinstance(refusal, kind))
    headers = _HELD if refusal.retryable else {}
    details = {name: value for name, value in refusal.details.items() if value is not None}
    details = {name: value for name, value in details.items() if name not in Problem.model_fields}
    status = next(found, _REFUSED)
    if isinstance(refusal, errors.IllegalTransition):
        # The case's status, beside the HTTP status that problem details call so.
        details["case_status"] = refusal.details.get("status")
    return problem(status, refusal.type, refusal.message, headers, **details)


def install(app: FastAPI) -> None:
    """Have an application answer every error as problem details."""
    for kind in _ANSWERS:
        app.add_exception_handler(kind, _answer)


def _answer(request: Request, error: Exception) -> JSONResponse:
    answer = answer_of(error)
    if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework names the methods of the first route of the address only.
        answer.headers["allow"] = ", ".join(_methods(request))
    return answer


def _methods(request: Request) -> list[str]:
    """The methods that a request's address takes, of whichever of its routes."""
    routes = request.app.routes
    scopes = ({**request.scope, "method": str(method)} for method in HTTPMethod)
    return [
        scope["method"]
        for scope in scopes
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]


def answer_of(error: Exception) -> JSONResponse:
    """The answer to any error; one that is none of ours is logged, and is not known."""
    found = (_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
    return next(found, _unexpected)(error)


def _unexpected(error: Exception) -> JSONResponse:
    # Its text may hold what was given: the kind and the place are enough to look for.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("unexpected %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return not_known("something unexpected happened: ask again")


def _as(kind: type[E], error: Exception) -> E:
    if not isinstance(error, kind):
        raise TypeError("a handler got another error than it is for")
    return error


def of_http(refusal: HttpRefusal) -> JSONResponse:
    """The answer to what only HTTP refuses."""
    return problem(refusal.status, refusal.type, refusal.detail, refusal.headers)


def _of_starlette(error: HTTPException) -> JSONResponse:
    """What the framework refuses by itself; its words are the status' own."""
    kinds = {404: "NotFound", 405: "MethodNotAllowed"}
    details = {404: "there is nothing at this address", 405: "not with this method"}
    status = error.status_code
    detail = details.get(status, "the request cannot be read")
    return problem(status, kinds.get(status, "Malformed"), detail, error.headers)


def _invalid(error: RequestValidationError) -> JSONResponse:
    """A path, query or header value; the name of a query field is the caller's own word."""
    fields: dict[str, str] = {}
    for item in error.errors():
        name = redact(".".join(str(part) for part in item["loc"][1:]))[:200] or "request"
        reason = "is not a known field" if item["type"] == "extra_forbidden" else item["msg"]
        fields.setdefault(name, reason.removeprefix("Value error, "))
    return of_refusal(InvalidMessage(fields, what="the request"))


_ANSWERS: Final[Mapping[type[Exception], Callable[[Exception], JSONResponse]]] = {
    Refusal: lambda error: of_refusal(_as(Refusal, error)),
    HttpRefusal: lambda error: of_http(_as(HttpRefusal, error)),
    HTTPException: lambda error: _of_starlette(_as(HTTPException, error)),
    RequestValidationError: lambda error: _invalid(_as(RequestValidationError, error)),
    Unreachable: lambda error: not_known(str(error)),
    ConfigurationError: lambda _: not_known("a service refuses us: tell the administrator"),
    # Its text may hold the statement's values.
    SQLAlchemyError: lambda _: not_known("the database does not answer"),
}
