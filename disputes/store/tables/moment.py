"""A moment that is UTC on every database."""

from datetime import UTC, datetime

from sqlalchemy import Dialect
from sqlalchemy.types import DateTime, TypeDecorator


class UtcMoment(TypeDecorator[datetime]):
    """A moment that is UTC on every database; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Take an aware moment; a naive one is refused, for its zone would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - the base class passes it
    ) -> datetime | None:
        """Give the moment in UTC, whatever zone the connection is set to."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
