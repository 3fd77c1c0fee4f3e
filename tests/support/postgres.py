"""A PostgreSQL server of the tests' own: a temporary folder, a free port, an unprivileged user."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from starter.processes import LOOPBACK, claim_port

_numbers = count(1)


@dataclass(frozen=True)
class Postgres:
    """A running server.

    Attributes:
        port: TCP port on the loopback address.
    """

    port: int

    def url(self, database: str = "postgres") -> str:
        """The address of one of its databases, as the settings take it."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """Make a database, a copy of ``template`` (its name); gives its name."""
        name = f"test_{next(_numbers)}"
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(command.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, ending what is still connected to it."""
        command = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(command)


def postgres_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``: on the PATH, else where Debian keeps them."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((found.parent for found in versions), default=None)


@contextmanager
def run_postgres(programs: Path) -> Iterator[Postgres]:
    """Start a server, give it, and stop it and delete its files.

    Args:
        programs: folder of ``initdb`` and ``pg_ctl``.
    """
    folder = Path(tempfile.mkdtemp(prefix="disputes-postgres-"))
    data, port = folder / "data", claim_port(0, "PostgreSQL")
    # It refuses to run as root.
    prefix = _become_unprivileged(folder) if os.geteuid() == 0 else []

    def run(program: str, *arguments: str) -> None:
        command = [*prefix, str(programs / program), *arguments]
        # A server keeps what it inherits open: its output may not be a pipe that we wait on.
        with (folder / "run.log").open("ab") as log:
            done = subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{(folder / 'run.log').read_text()}")

    try:
        run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync")
        options = f"-h {LOOPBACK} -p {port} -k {folder} -c fsync=off -c max_connections=200"
        run(
            "pg_ctl",
            "-D",
            str(data),
            "-w",
            "-l",
            str(folder / "server.log"),
            "-o",
            options,
            "start",
        )
        try:
            yield Postgres(port)
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _become_unprivileged(folder: Path) -> list[str]:
    """Give the folder to a user without rights; gives the command prefix that becomes it."""
    names = {user.pw_name for user in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]
