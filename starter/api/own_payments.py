"""What the routes of pre-authorizations and orders share: shown, listed, told what to do."""

import asyncio

from fastapi.responses import Response
from pydantic import BaseModel

from disputes.errors import NotFound
from disputes.fields import Identifier
from disputes.requests import OrderRequest, PayoutRequest, PreAuthorization
from disputes.store.payment_reads import PaymentFilter, PaymentPlace
from starter.api.keys import ApiKey
from starter.api.office import ApiOffice, office_of
from starter.api.once import Command, json_answer
from starter.api.paging import Page, cursor_of, moment_of, no_cursor, place_of, text_of
from starter.api.problems import HttpRefusal
from starter.payment_desk import Kind
from workflows.ids import payment_workflow_id

_JSON = "application/json"


class PaymentQuery(Page):
    """Query fields that lists of payments' own workflows share."""

    merchant_id: Identifier | None = None


class Standing(BaseModel):
    """Where it stands after the command, or the request that a second person must decide first."""

    state: str | None = None
    request_id: str | None = None


def check_scope(
    office: ApiOffice, key: ApiKey, kind: Kind, own_id: str, asked: PreAuthorization | OrderRequest
) -> None:
    """Refuse what a key asks for outside of its merchants, also by another's payment; blocks.

    Raises:
        HttpRefusal: 403; it asks in the name of a merchant that is not the key's.
        NotFound: the id, the payment or the dispute is another merchant's.
    """
    if not key.sees(asked.merchant_id):
        raise HttpRefusal(403, "Forbidden", "the key may not act for this merchant")
    office.see_payment(key, kind, own_id)
    if key.merchants is None:
        return
    if asked.payment_id:
        office.see_books(key, asked.payment_id)
    if not isinstance(asked, PreAuthorization | PayoutRequest) and asked.dispute_id:
        office.see(key, asked.dispute_id)


async def give(command: Command, kind: Kind, own_id: str, name: str) -> Response:
    """Give a command to a payment's own workflow, once, and answer with what it did.

    Raises:
        NotFound: there is none, or it is not of the key's merchants.
        Refusal: it says no.
        Unreachable: not known; it may still be carried out.
    """
    office = office_of(command.request)
    await asyncio.to_thread(office.see_payment, command.key, kind, own_id)

    async def work() -> Response:
        async with office.temporal.payments() as desk:
            done = await desk.command(kind, own_id, name, command.content, command.id)
        return json_answer(done)

    return await command.once(name, work)


async def show(office: ApiOffice, key: ApiKey, kind: Kind, own_id: str, *, live: bool) -> Response:
    """Answer with the status on file, or as the workflow says of itself in this moment."""
    await asyncio.to_thread(office.see_payment, key, kind, own_id)
    workflow_id = payment_workflow_id(kind, own_id)
    stored = await asyncio.to_thread(office.files.status, workflow_id)
    if stored is not None and not live:
        return Response(stored, media_type=_JSON)
    if stored is None and await asyncio.to_thread(office.files.merchant, workflow_id) is None:
        raise NotFound(f"there is no {kind} with this id")
    # One that was asked for a moment ago is not on file yet: it can say so itself.
    async with office.temporal.payments() as desk:
        if kind == "preauthorization":
            return json_answer(await desk.authorization(own_id))
        return json_answer(await desk.order_status(kind, own_id))


def page(office: ApiOffice, wanted: PaymentFilter) -> Response:
    """Answer with a page of statuses, as they are stored; blocks."""
    found = office.files.page(wanted)
    place = found.next
    cursor = cursor_of(place.next_moment, place.updated_at, place.workflow_id) if place else None
    following = f'"{cursor}"' if cursor else "null"
    content = f'{{"items":[{",".join(found.statuses)}],"next_cursor":{following}}}'
    return Response(content, media_type=_JSON)


def after(asked: Page, kind: Kind) -> PaymentPlace | None:
    """The place that a list's cursor names; ``InvalidMessage`` for another list's."""
    if asked.cursor is None:
        return None
    due, updated, own = place_of(asked.cursor, 3)
    workflow_id = text_of(own)
    if not workflow_id.startswith(payment_workflow_id(kind, "")):
        raise no_cursor()
    moment = None if due is None else moment_of(due)
    return PaymentPlace(moment, moment_of(updated), workflow_id)
