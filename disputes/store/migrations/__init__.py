"""The schema's version: bringing a database up to it, and refusing one that is not.

The scripts lie beside this module, so that they run from a wheel as from a checkout.
"""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from disputes.errors import ConfigurationError
from disputes.store.database import SETTING, connected, database_file, make_engine

#: Any number that no other program's advisory lock on the same database has.
_MIGRATION_LOCK = 7_340_021


def migrate(url: str) -> None:
    """Create or update the tables; safe to repeat, and from several processes at once.

    Args:
        url: ``sqlite:///file`` (its folder is made) or ``postgresql://...``.

    Raises:
        ConfigurationError: no such scheme, or a database of a newer version.
        Unreachable: no database answers there.
    """
    engine = make_engine(url)
    try:
        file = database_file(engine)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
        with connected(engine, write=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            _refuse_newer(_revision(connection))
            command.upgrade(_config(connection), "head")
    finally:
        engine.dispose()


def check_version(url: str) -> None:
    """Refuse a database that is not at this program's version.

    Raises:
        ConfigurationError: not migrated, older or newer; says what to do.
        Unreachable: no database answers there.
    """
    engine = make_engine(url)
    try:
        check_engine(engine)
    finally:
        engine.dispose()


def check_engine(engine: Engine) -> None:
    """``check_version`` on an engine that stays open."""
    file = database_file(engine)
    if file and not file.exists():  # connecting would leave an empty file behind
        raise _not_migrated()
    with connected(engine, write=False) as connection:
        revision = _revision(connection)
    _refuse_newer(revision)
    if revision != ScriptDirectory.from_config(_config()).get_current_head():
        raise _not_migrated()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigurationError(
            f"the database of {SETTING} belongs to a newer version of this program:"
            " update the program, or name another database"
        )


def _not_migrated() -> ConfigurationError:
    return ConfigurationError(
        f"the database of {SETTING} has not been set up for this version: run `disputes setup`"
    )


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "disputes.store:migrations")
    config.attributes["connection"] = connection
    return config
