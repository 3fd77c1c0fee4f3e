"""A packet on paper, as it was written, or with the numbers of letters that cannot be set."""

import json
import os
import subprocess
import sys
from datetime import datetime
from typing import Final

from disputes.errors import Unreachable
from disputes.messages import AddEvidence
from disputes.packet import Packet
from disputes.rulebook import load

_DRAFT: Final = "Draft: this packet was not submitted."
_PROOF: Final = (
    "When this packet was submitted, the case kept the SHA-256 below. It is that of the file"
    " packet.json, which is attached to this document."
)
_NUMBERED: Final = (
    "Not every letter of this packet can be set: those beyond English stand by their Unicode"
    " numbers, and as they are in the attached packet.json."
)
#: A page takes a tenth of a second, a million letters about ten.
_PATIENCE_S: Final = 60
#: Of our environment: where Python and the fonts are.
_NEEDED: Final = ("HOME", "PATH", "PYTHONPATH", "SYSTEMROOT")


def pdf_of(packet: Packet) -> bytes:
    """The packet as PDF; what was hashed is attached as ``packet.json``.

    The same submitted packet gives the same bytes on one machine: its moment is the document's.

    Raises:
        Unreachable: it cannot be set, or not in time.
    """
    pdf = _set(packet, numbered=False) or _set(packet, numbered=True)
    if pdf is None:
        raise Unreachable("the packet cannot be set now; its evidence is on the timeline")
    return pdf


def _set(packet: Packet, *, numbered: bool) -> bytes | None:
    at = packet.submitted_at
    told = {
        "packet": json.dumps(_shown(packet) | {"numbered": _NUMBERED if numbered else None}),
        "content": packet.content,
        "timestamp": int(at.timestamp()) if at else None,
    }
    # Not from the folder we stand in (-P), and without our settings: they hold the gateway's token.
    command = [sys.executable, "-P", "-m", "starter.packet_press"]
    kept = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    # What the typesetter says of its end may hold the text: nobody reads it.
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=json.dumps(told).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def _shown(packet: Packet) -> dict[str, object]:
    return {
        "title": f"Dispute {packet.dispute_id}",
        "draft": None if packet.submitted_at else _DRAFT,
        "facts": [[name, value] for name, value in _facts(packet).items() if value],
        "narrative": packet.narrative,
        "evidence": [_item(item) for item in packet.evidence],
        "sha256": packet.sha256,
        "proof": _PROOF,
    }


def _facts(packet: Packet) -> dict[str, str | None]:
    reason = load().reason(packet.network, packet.reason_code)
    return {
        "Merchant": packet.merchant_id,
        "Payment": packet.payment_id,
        "Acquirer reference (ARN)": packet.arn,
        "Network": packet.network.value.replace("_", " "),
        "Reason": f"{packet.reason_code} {reason.title if reason else ''}",
        "Stage": f"{packet.stage.value.replace('_', ' ')}, cycle {packet.cycle}",
        "Amount in dispute": f"{packet.disputed.amount} {packet.disputed.currency}",
        "To be answered by": _utc(packet.respond_by),
        "Submitted": _utc(packet.submitted_at),
    }


def _utc(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else None


def _item(item: AddEvidence) -> dict[str, str | None]:
    kind = item.media_type or "unknown type"
    return {
        "title": item.evidence_type.replace("_", " ").capitalize(),
        "description": item.description,
        "text": item.text,
        "file": f"A file of its own: {kind}, {item.blob}" if item.blob else None,
    }
