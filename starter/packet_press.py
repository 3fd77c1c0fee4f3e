"""Sets one packet: ``python -m starter.packet_press``, JSON in, PDF out.

A process of its own, for evidence is text of strangers: some of it, such as marks that reverse the
direction of writing, stops the typesetter in the middle of a page (ADR 0011).
"""

import json
import sys
from importlib import resources

import typst


def main() -> None:
    """Read what to set from standard input and write the document to standard output."""
    told = json.load(sys.stdin.buffer)
    pdf = typst.compile(
        (resources.files("starter") / "packet.typ").read_bytes(),
        sys_inputs={name: told[name] for name in ("packet", "content")},
        format="pdf",
        timestamp=told["timestamp"],
    )
    if not isinstance(pdf, bytes):
        raise TypeError("one document is asked for")
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    main()
