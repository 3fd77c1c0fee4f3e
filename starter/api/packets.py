"""The packet of a representment as PDF, for the submission channel and for the files."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from disputes.errors import NotFound
from disputes.fields import Identifier
from disputes.packet import Packet, packet_of
from starter.api import documents
from starter.api.access import Viewer
from starter.api.keys import ApiKey
from starter.api.office import ApiOffice, office_of
from starter.packet_pdf import pdf_of

router = APIRouter(tags=["evidence"])
_PDF: Final = "application/pdf"
_MEANING: Final = "The packet that was submitted last, or a draft while it can be submitted."
#: Setting pages is work: one packet at a time, so that lists keep a processor.
_PRESS: Final = ThreadPoolExecutor(1, thread_name_prefix="packet")


@router.get(
    "/v1/disputes/{dispute_id}/packet.pdf",
    summary="Read the packet of the representment",
    response_class=Response,
    responses=documents.reads(None)
    | documents.refusals(409)
    | {200: {"description": _MEANING, "content": {_PDF: {"schema": {"type": "string"}}}}},
)
async def packet_pdf(request: Request, key: Viewer, dispute_id: Identifier) -> Response:
    """Typeset what was submitted, with what its SHA-256 is of; before that, a draft."""
    packet = await asyncio.to_thread(_packet, office_of(request), key, dispute_id)
    pdf = await asyncio.get_running_loop().run_in_executor(_PRESS, pdf_of, packet)
    name = f'attachment; filename="{packet.dispute_id}.pdf"'
    return Response(pdf, media_type=_PDF, headers={"content-disposition": name})


def _packet(office: ApiOffice, key: ApiKey, dispute_id: str) -> Packet:
    office.see(key, dispute_id)
    case = office.reads.case(dispute_id)
    if not case.events and not office.reads.known(dispute_id):
        raise NotFound("there is no case with this id")
    return packet_of(case)
