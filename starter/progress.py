"""How far a feed's file was taken, kept beside it, so that a killed intake can go on there."""

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from disputes.errors import ConfigurationError

_HEAD_BYTES = 64 * 1024


class OtherFeed(ConfigurationError):
    """A feed is not the one that its progress is of: it cannot be gone on with."""


class RejectedLine(BaseModel):
    """Why a line could not be taken; ``reasons`` by field."""

    line_number: int
    reasons: dict[str, str]


class FeedReport(BaseModel):
    """What became of a feed; ``rejected_lines`` are the first ones.

    Attributes:
        replaced: accepted lines that stand for what another line had told (a merchant's month).
        damage: why the feed could not be read to its end.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    replaced: int = 0
    rejected_file: str | None = None
    rejected_lines: list[RejectedLine] = []
    damage: str | None = None


class Progress(BaseModel):
    """Everything before here is taken; ``offset`` counts bytes of the unpacked feed.

    Attributes:
        size: of the file when it was taken, bytes.
        head_sha256: of its first bytes; another file is not gone on with.
        sha256: of what is before ``offset``: a longer file may have the same first bytes.
        line: lines before ``offset``.
        rejected_bytes: of the file of rejected lines; what stands behind comes again.
        report: what became of the lines before.
    """

    model_config = ConfigDict(frozen=True)

    size: int
    head_sha256: str
    sha256: str
    offset: int = 0
    line: int = 0
    rejected_bytes: int = 0
    report: FeedReport = FeedReport()


def progress_file(feed: Path) -> Path:
    """Where the progress of a feed is kept."""
    return feed.with_name(f"{feed.name}.progress")


def fresh(feed: Path) -> Progress:
    """The progress of a feed of which nothing was taken."""
    size = feed.stat().st_size
    return Progress(size=size, head_sha256=_head(feed, size), sha256="")


def load(feed: Path) -> Progress | None:
    """How far a feed was taken; ``None`` where nothing is known of it.

    Raises:
        OtherFeed: the file is not the one that was taken, or its progress is no use.
    """
    file = progress_file(feed)
    try:
        found = Progress.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        found = None
    again = f"; without --resume {feed} is taken from its start (what was taken is known)"
    if found is None:
        raise OtherFeed(f"{file} cannot be read{again}")
    # A file that ended early may have come whole since.
    size = feed.stat().st_size
    if size < found.size or _head(feed, found.size) != found.head_sha256:
        raise OtherFeed(f"{file} belongs to another file{again}")
    return found.model_copy(update={"size": size, "head_sha256": _head(feed, size)})


def save(feed: Path, progress: Progress) -> None:
    """Keep the progress so that it is whole, or the one before, whenever the machine stops."""
    file = progress_file(feed)
    beside = file.with_name(f"{file.name}.new")
    with beside.open("wb") as out:
        out.write(progress.model_dump_json().encode())
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)


def forget(feed: Path) -> None:
    """The feed is taken to its end."""
    progress_file(feed).unlink(missing_ok=True)


def _head(feed: Path, size: int) -> str:
    with feed.open("rb") as source:
        return hashlib.sha256(source.read(min(size, _HEAD_BYTES))).hexdigest()
