"""A PostgreSQL server of the tests' own: a temporary folder, a free port, an unprivileged user."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
        folder: where its data and its logs are.
        programs: folder of ``initdb`` and ``pg_ctl``.
        prefix: of every command, so that it runs as a user without rights.
        durable: whether a commit reaches the disk, as in production; tests need not wait for it.
    """

    port: int
    folder: Path
    programs: Path = field(repr=False)
    prefix: tuple[str, ...] = field(default=(), repr=False)
    durable: bool = False

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs; ``RuntimeError`` with its output where that fails."""
        command = [*self.prefix, str(self.programs / program), *arguments]
        # A server keeps what it inherits open: its output may not be a pipe that we wait on.
        with (self.folder / "run.log").open("ab") as log:
            done = subprocess.run(command, cwd=self.folder, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{(self.folder / 'run.log').read_text()}")

    def start(self) -> None:
        """Start it and wait until it takes connections; after ``kill`` it recovers first."""
        # No socket file: its lock would name the dead of a kill, as postmaster.pid does.
        options = f"-h {LOOPBACK} -p {self.port} -c unix_socket_directories=''"
        options += " -c max_connections=200" + ("" if self.durable else " -c fsync=off")
        log = str(self.folder / "server.log")
        self.run("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "-m", "immediate", "stop")

    def kill(self) -> None:
        """End all of its processes in this moment (SIGKILL), as an outage of its machine does."""
        while alive := self.processes():
            for pid in alive:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        # Nobody may have collected the dead, whose number would pass for a running server's.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def processes(self) -> list[int]:
        """Its process ids, the server itself first; empty when it does not run."""
        with suppress(FileNotFoundError, IndexError):
            first = (self.data / "postmaster.pid").read_text().splitlines()[0]
            asked = ["ps", "-eo", "pid=,ppid=,stat="]
            table = subprocess.run(asked, stdout=subprocess.PIPE, check=True).stdout.decode()
            lines = [line.split() for line in table.splitlines()]
            living = [(pid, parent) for pid, parent, state in lines if not state.startswith("Z")]
            ours = [pid for pid, parent in living if first in (pid, parent)]
            return [int(pid) for pid in sorted(ours, key=lambda pid: pid != first)]
        return []

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
def run_postgres(
    programs: Path, within: Path | None = None, *, durable: bool = False
) -> Iterator[Postgres]:
    """Start a server, give it, and stop it and delete its files.

    Args:
        programs: folder of ``initdb`` and ``pg_ctl``.
        within: folder for its own, which any user can reach; the system's temporary one by default.
        durable: whether a commit reaches the disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="disputes-postgres-", dir=within))
    # It refuses to run as root.
    prefix = _become_unprivileged(folder) if os.geteuid() == 0 else []
    server = Postgres(claim_port(0, "PostgreSQL"), folder, programs, tuple(prefix), durable)
    try:
        server.run("initdb", "-D", str(server.data), "-U", "postgres", "--auth=trust", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            if server.processes():
                server.stop()
    finally:
        shutil.rmtree(folder)


def _become_unprivileged(folder: Path) -> list[str]:
    """Give the folder to a user without rights; gives the command prefix that becomes it."""
    names = {user.pw_name for user in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]
