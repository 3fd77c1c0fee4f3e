"""Commands of the person who works on a case: evidence, answers, approvals, notes."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import BaseModel

from disputes import messages
from disputes.decode import decode
from disputes.errors import InvalidMessage, NotFound
from starter.cli_office import AsJson, By, at_desk, message, own_id, print_json
from starter.cli_orders import give_payment, order_of
from starter.render import say, say_checklist, say_result

#: Longest text of one piece of evidence; files travel as blobs, which this version cannot keep.
_MOST_CHARACTERS = 20_000
_Reason = Annotated[str | None, typer.Option(help="Why.")]
_Narrative = Annotated[str | None, typer.Option(help="The merchant's own account.")]
_evidence = typer.Typer(help="Evidence of a case.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(_evidence, name="evidence")
    app.command("represent")(represent)
    app.command("arbitrate")(arbitrate)
    app.command("approve")(approve)
    app.command("decline")(decline)
    app.command("assign")(assign)
    app.command("note")(note)


def give(dispute_id: str, name: str, command: BaseModel, *, as_json: bool) -> None:
    """Give a command and print what it did."""
    result = at_desk(lambda desk: desk.command(dispute_id, name, command))
    if as_json:
        print_json(result)
    else:
        say_result(dispute_id, name, result)


@_evidence.command("add")
def add(
    dispute_id: str,
    evidence_type: str,
    by: By,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A text file.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="The evidence itself.")] = None,
    description: Annotated[str | None, typer.Option(help="What it shows.")] = None,
    evidence_id: Annotated[str | None, typer.Option("--id", help="Default: from content.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a piece of evidence and show the checklist."""
    if (file is None) == (text is None):
        raise typer.BadParameter("give either --file or --text")
    content = _text_of(file) if file else text
    evidence = message(
        messages.AddEvidence,
        evidence_id=evidence_id or own_id("evidence", dispute_id, evidence_type, content),
        evidence_type=evidence_type,
        submitted_by=by,
        text=content,
        description=description or (file and file.name),
    )
    checklist = at_desk(lambda desk: desk.command(dispute_id, "add_evidence", evidence))
    if as_json:
        print_json(checklist)
    else:
        say(f"{evidence.evidence_id} was added to {dispute_id}")
        say_checklist(checklist)


def _text_of(file: Path) -> str:
    text: str | None = None
    if file.stat().st_size <= 4 * _MOST_CHARACTERS:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            text = None
    if text is None or len(text) > _MOST_CHARACTERS or "\0" in text:
        raise InvalidMessage(
            {"file": f"only UTF-8 text of up to {_MOST_CHARACTERS:,} characters can be added yet"}
        )
    return text


@_evidence.command("withdraw")
def withdraw(
    dispute_id: str,
    evidence_id: str,
    by: By,
    reason: Annotated[str, typer.Option(help="Why.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Take a piece of evidence back before it is submitted."""
    command = message(
        messages.WithdrawEvidence, evidence_id=evidence_id, withdrawn_by=by, reason=reason
    )
    give(dispute_id, "withdraw_evidence", command, as_json=as_json)


def represent(
    dispute_id: str,
    by: By,
    *,
    allow_incomplete: Annotated[
        bool, typer.Option("--allow-incomplete", help="Although evidence is missing.")
    ] = False,
    narrative: _Narrative = None,
    as_json: AsJson = False,
) -> None:
    """Answer the dispute with the evidence collected."""
    command = message(
        messages.SubmitRepresentment,
        submitted_by=by,
        allow_incomplete=allow_incomplete,
        narrative=narrative,
    )
    give(dispute_id, "submit_representment", command, as_json=as_json)


def arbitrate(
    dispute_id: str, by: By, narrative: _Narrative = None, *, as_json: AsJson = False
) -> None:
    """Take the case to the network's arbitration."""
    command = message(messages.FileArbitration, filed_by=by, narrative=narrative)
    give(dispute_id, "file_arbitration", command, as_json=as_json)


def approve(request_id: str, by: By, reason: _Reason = None, *, as_json: AsJson = False) -> None:
    """Approve what someone else requested."""
    _decide("approve", request_id, by, reason, as_json=as_json)


def decline(request_id: str, by: By, reason: _Reason = None, *, as_json: AsJson = False) -> None:
    """Decline what someone else requested."""
    _decide("decline", request_id, by, reason, as_json=as_json)


def _decide(
    name: Literal["approve", "decline"],
    request_id: str,
    by: str,
    reason: str | None,
    *,
    as_json: bool,
) -> None:
    order = order_of(request_id)
    if order is not None:
        decision = message(messages.Decide, request_id=request_id, decided_by=by, reason=reason)
        give_payment(*order, name, decision, as_json=as_json)
        return
    # A request's id carries its case's: D-1001-A2.
    dispute_id, separator, _ = request_id.rpartition("-A")
    if not separator:
        raise NotFound("there is no request with this id")
    command = message(messages.Decide, request_id=request_id, decided_by=by, reason=reason)
    give(dispute_id, name, command, as_json=as_json)


def assign(
    dispute_id: str,
    assignee: Annotated[str | None, typer.Argument(help="Nobody: back into the pool.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Your name.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Give the case to a person, or back into the pool."""
    given = json.dumps({"assignee": assignee, "assigned_by": by})
    command = decode(messages.Assign, given, edge=True)
    give(dispute_id, "assign", command, as_json=as_json)


def note(
    dispute_id: str,
    text: str,
    by: By,
    note_id: Annotated[str | None, typer.Option("--id", help="Default: from the content.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write a remark on the case."""
    given = note_id or own_id("note", dispute_id, by, text)
    command = message(messages.AddNote, author=by, text=text, note_id=given)
    give(dispute_id, "add_note", command, as_json=as_json)
