"""Evidence: text, as JSON or as a file; files that are no text are a later version's."""

from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from disputes.decode import canonical, sha256
from disputes.errors import InvalidMessage
from disputes.fields import Identifier
from disputes.messages import AddEvidence, WithdrawEvidence
from disputes.status import ChecklistStatus
from starter.api import documents, examples
from starter.api.access import Analyst
from starter.api.bodies import Given, message, read_object, signed
from starter.api.commands import Accepted, give
from starter.api.once import Command, IdempotencyKey
from starter.api.problems import HttpRefusal

router = APIRouter(tags=["evidence"])
#: Longest text of one piece of evidence (``fields.Text``).
_MOST_CHARACTERS: Final = 20_000
_NO_TEXT: Final = f"only UTF-8 text of up to {_MOST_CHARACTERS:,} characters can be added yet"
_BY_ID: Final = "evidence_id"
_MULTIPART: Final = "multipart/form-data"


def _document() -> dict[str, object]:
    """A body of JSON, or a form with the same fields, in which a file may be the text."""
    optional = ("submitted_by", _BY_ID)
    extra = documents.body(AddEvidence, examples.EVIDENCE, optional=optional)
    form = documents.body_schema(AddEvidence, optional=optional, without=("blob",))
    properties = form["properties"]
    if isinstance(properties, dict):
        file = {"type": "string", "contentMediaType": "text/plain"}
        properties["file"] = file | {"description": "The text; not together with `text`."}
    content = extra["requestBody"]
    if isinstance(content, dict):
        content["content"][_MULTIPART] = {"schema": form}
    return extra


@router.post(
    "/v1/disputes/{dispute_id}/evidence",
    summary="Add a piece of evidence",
    responses=documents.writes(ChecklistStatus, "Where the evidence stands."),
    openapi_extra=_document(),
)
async def add(
    request: Request, key: Analyst, dispute_id: Identifier, idempotency: IdempotencyKey = None
) -> Response:
    """Add evidence, once under its id; without an id, it gets one from its content."""
    is_form = request.headers.get("content-type", "").lower().startswith(_MULTIPART)
    given = signed(await (_form(request) if is_form else read_object(request)), key, "submitted_by")
    if given.get("blob") is not None:
        raise InvalidMessage({"blob": "files cannot be kept yet: send their text"})
    if given.get(_BY_ID) is None:
        # Only what is valid has a digest: no UTF-8 can write half of a character's pair.
        message(AddEvidence, {**given, _BY_ID: "evidence"})
        digest = sha256(canonical([dispute_id, given]))
        given = {**given, _BY_ID: f"evidence-{digest[:16]}"}
    content = message(AddEvidence, given)
    return await give(Command(request, key, idempotency, content), dispute_id, "add_evidence")


async def _form(request: Request) -> Given:
    """The fields of a form; its file is the text."""
    try:
        form = await request.form(max_files=1, max_fields=10)
    except (HTTPException, ValueError):  # a ValueError: not in the charset that it names
        form = None
    if form is None:
        raise HttpRefusal(400, "MalformedForm", "the body is no multipart form")
    given: Given = {}
    try:
        names = [name for name, _ in form.multi_items()]
        if len(set(names)) < len(names):
            raise InvalidMessage({"message": "names a field twice"})
        if {"file", "text"} <= set(names):  # both are the text: one would be lost
            raise InvalidMessage({"text": "not together with file"})
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                given[name] = value
            elif name != "file":
                raise InvalidMessage({"message": "takes its file in the field `file`"})
            else:
                given["text"] = _text(await value.read())
    finally:
        await form.close()
    return given


def _text(content: bytes) -> str:
    text: str | None = None
    with suppress(UnicodeDecodeError):
        text = content.decode("utf-8")
    if text is None or len(text) > _MOST_CHARACTERS or "\0" in text:
        raise InvalidMessage({"file": _NO_TEXT})
    return text


@router.delete(
    "/v1/disputes/{dispute_id}/evidence/{evidence_id}",
    summary="Take a piece of evidence back before it is submitted",
    responses=documents.writes(Accepted, "Taken back."),
    openapi_extra=documents.body(
        WithdrawEvidence,
        {"reason": "it shows another order"},
        without=[_BY_ID],
        optional=["withdrawn_by"],
    ),
)
async def withdraw(
    request: Request,
    key: Analyst,
    dispute_id: Identifier,
    evidence_id: Identifier,
    idempotency: IdempotencyKey = None,
) -> Response:
    """Withdraw evidence; what was withdrawn stays on the timeline."""
    given = signed(await read_object(request), key, "withdrawn_by")
    content = message(WithdrawEvidence, given, evidence_id=evidence_id)
    return await give(Command(request, key, idempotency, content), dispute_id, "withdraw_evidence")
