"""What is in deploy/ names nothing that is not there, and gives each process its time."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from packaging.requirements import Requirement

from notifications import consumers, liveness, readiness, topology
from notifications.connection_budget import Budget
from notifications.metrics.table import TABLE
from notifications.worker.beat import LAST_BEAT_SECONDS
from notifications.worker.consumption import FLUSH_SECONDS, POLL_MARGIN
from orders_site import fleet
from orders_site.environment.slips import OTHERS
from orders_site.environment.table import BY_NAME
from tests.stack import ROOT
from tests.supply_chain.packages import pinned

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").rglob("*.yaml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text())
WORKERS = ("channels", "services")
ONCE = ("shop-migrate", "shop-provision")
OPEN = {
    "Service": {"shop-web", "shop-console"},
    "NetworkPolicy": {"shop-relay", "shop-channels", "shop-services"},
}


def documents(kind: str) -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from (each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == kind)


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each Deployment and Job: its name, and what it says of its pods."""
    for kind in ("Deployment", "Job"):
        for each in documents(kind):
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def containers() -> Iterator[dict[str, Any]]:
    for _, pod in pods():
        yield from (*pod["containers"], *pod.get("initContainers", []))


def commands() -> Iterator[list[str]]:
    """Those of the image and of every process made from it."""
    yield from (re.findall(r'"([^"]+)"', line) for line in re.findall(r"^CMD .*", DOCKERFILE, re.M))
    yield from (each["command"] for each in containers() if "command" in each)
    for each in COMPOSE["services"].values():
        if each["image"] == "shop" and "command" in each:
            yield each["command"]


def queues(command: list[str]) -> list[str]:
    return command[command.index("-Q") + 1].split(",") if "-Q" in command else []


def env_file(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def variables() -> Iterator[tuple[str, str]]:
    """Where each variable is set, and its name."""
    for path in (DEPLOY / "example.env", DEPLOY / "kubernetes" / "settings" / "settings.env"):
        yield from ((path.name, name) for name in env_file(path))
    for each in containers():
        yield from ((each["name"], entry["name"]) for entry in each.get("env", []))
    for name, each in COMPOSE["services"].items():
        if each["image"] == "shop":
            yield from ((name, variable) for variable in each.get("environment", {}))


def test_every_variable_that_is_set_is_read() -> None:
    of_the_image = set(re.findall(r"^(?:ENV )?\s*([A-Z_]+)=", DOCKERFILE, re.M))
    of_compose = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yml").read_text()))
    known = BY_NAME.keys() | of_the_image | of_compose
    unknown = [
        each for each in variables() if each[1] not in known and not each[1].startswith(OTHERS)
    ]
    assert unknown == []
    assert {"PATH", "HEALTH_URL"} <= of_the_image - BY_NAME.keys()


def test_strangers_reach_a_process_without_a_role_and_operators_another() -> None:
    """The same process, but for what it serves and who it is to AWS."""
    served = {
        pod["serviceAccountName"]: pod["containers"][0]["env"]
        for name, pod in pods()
        if name in OPEN["Service"]
    }
    assert served == {
        "shop-web": [{"name": "WEB_CONSOLE", "value": "0"}],
        "shop-console": [{"name": "WEB_CONSOLE", "value": "1"}],
    }
    page = (ROOT / "docs" / "deploying.md").read_text()
    assert "| `shop-web` | `PREFIX-web`," in page
    assert "| `shop-console` | `PREFIX-operator`:" in page
    in_compose = COMPOSE["services"]["web"]["environment"]
    assert in_compose["WEB_CONSOLE"] == "0"
    assert in_compose["AWS_EC2_METADATA_DISABLED"] == "true"
    assert in_compose["AWS_ACCESS_KEY_ID"] == in_compose["METRICS_TOKEN"] == ""


def budget(path: Path, **over: str) -> Budget:
    """Of the plan in that file."""
    environment = env_file(path) | over
    plan = fleet.planned(environment)
    assert plan is not None
    return Budget(plan, BY_NAME["DATABASE_POOL_SIZE"].read(environment))


def test_compose_s_database_has_connections_for_the_workers_that_it_may_be_scaled_to() -> None:
    database = COMPOSE["services"]["database"]["command"]
    (most,) = (int(word.partition("=")[2]) for word in database if "max_connections" in word)
    reserved = 3  # for superusers, by PostgreSQL's own default
    assert budget(DEPLOY / "example.env", FLEET_WORKERS="6").total <= most - reserved
    assert "beyond six raise `max_connections`" in (ROOT / "docs" / "deploying.md").read_text()


def test_the_plan_of_the_manifests_is_what_they_start_while_a_deploy_rolls() -> None:
    replicas = {
        each["metadata"]["name"]: each["spec"]["replicas"]
        + each["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        for each in documents("Deployment")
    }
    plan = budget(DEPLOY / "kubernetes" / "settings" / "settings.env")
    each_web = plan.fleet.web // 2  # WEB_CONCURRENCY
    assert each_web == replicas["shop-web"] + replicas["shop-console"]
    assert plan.fleet.relays == replicas["shop-relay"]
    assert plan.fleet.workers == replicas["shop-channels"] + replicas["shop-services"]


def test_every_command_is_there() -> None:
    found = list(commands())
    assert len(found) > 8
    for command in found:
        match command:
            case ["gunicorn", module] | ["celery", "-A", module, "worker", *_]:
                assert find_spec(module), command
            case ["python", "manage.py", name]:
                assert name in get_commands(), command
            case _:
                assert command[:2] in (["python", "-c"], ["sleep", "5"]), command


def test_every_consumer_is_served_by_one_group_in_compose_and_in_kubernetes() -> None:
    everybody = sorted(each.name for each in consumers.all_consumers())
    in_compose = [COMPOSE["services"][name]["command"] for name in WORKERS]
    in_kubernetes = [each["command"] for each in containers() if each["name"] in WORKERS]
    assert in_compose == in_kubernetes
    assert sorted(queue for command in in_compose for queue in queues(command)) == everybody


def longest_stop(queues: list[str]) -> int:
    """Seconds: `Consumption.close` waits for open polls while tasks finish, then for three flushes;
    the last beat comes after that."""
    polls = BY_NAME["SQS_WAIT_SECONDS"].default + POLL_MARGIN
    tasks = max(consumers.get(queue).max_seconds for queue in queues)
    return int(max(polls, tasks) + 3 * FLUSH_SECONDS + LAST_BEAT_SECONDS)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_the_time_that_its_stop_may_take_and_hardly_more(name: str) -> None:
    pod = dict(pods())[f"shop-{name}"]
    longest = longest_stop(queues(pod["containers"][0]["command"]))
    assert longest <= pod["terminationGracePeriodSeconds"] <= longest + 5
    in_compose = COMPOSE["services"][name]["stop_grace_period"]
    assert in_compose == f"{pod['terminationGracePeriodSeconds']}s"


def test_every_probe_asks_a_path_and_a_port_that_are_there() -> None:
    for name, pod in pods():
        for each in pod["containers"]:
            probes = {key: each[key]["httpGet"] for key in each if key.endswith("Probe")}
            assert len(probes) == (0 if name in ONCE else 3), name
            ports = {port["name"] for port in each.get("ports", [])}
            for kind, asked in probes.items():
                path = readiness.PATH if kind == "readinessProbe" else liveness.PATH
                assert asked["path"] == path
                assert asked["port"] in ports
            if probes:
                assert each["readinessProbe"]["timeoutSeconds"] > readiness.PATIENCE


def test_every_process_is_without_rights_on_a_file_system_that_it_cannot_write_to() -> None:
    """Kubernetes' own standard "restricted", and more."""
    for name, pod in pods():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not pod["automountServiceAccountToken"], name
        for each in (*pod["containers"], *pod.get("initContainers", [])):
            assert each["securityContext"]["readOnlyRootFilesystem"], name
            assert each["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert {"name": "tmp", "mountPath": "/tmp"} in each["volumeMounts"]  # noqa: S108
    user = dict(pods())["shop-web"]["securityContext"]["runAsUser"]
    assert f"\nUSER {user}:{user}\n" in DOCKERFILE
    assert all(each["read_only"] for each in COMPOSE["services"].values())


def test_whoever_is_named_is_declared() -> None:
    accounts = {each["metadata"]["name"] for each in documents("ServiceAccount")}
    deployments = {each["metadata"]["name"] for each in documents("Deployment")}
    assert {pod["serviceAccountName"] for _, pod in pods()} == accounts
    for kind, by in (
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
        ("Service", "selector"),
    ):
        selectors = [each["spec"][by] for each in documents(kind)]
        named = {each.get("matchLabels", each)["app"] for each in selectors}
        assert named == (deployments if kind == "PodDisruptionBudget" else OPEN[kind]), kind
    for path in (each for each in MANIFESTS if each.name == "kustomization.yaml"):
        for name in yaml.safe_load(path.read_text()).get("resources", []):
            assert (path.parent / name).exists(), f"{path}: {name}"


def test_a_process_that_is_told_of_a_file_has_it() -> None:
    """Or it would not start (shop.E005). What all are told of, all would have to have."""
    name = "GOOGLE_APPLICATION_CREDENTIALS"
    assert name not in (DEPLOY / "example.env").read_text()
    (pod,) = (each for _, each in pods() if name in str(each))
    (container,) = pod["containers"]
    (path,) = (each["value"] for each in container["env"] if each["name"] == name)
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "google")
    (volume,) = (each for each in pod["volumes"] if each["name"] == "google")
    assert path.startswith(f"{mount['mountPath']}/")
    assert not volume["secret"].get("optional")


def test_a_version_is_deployed_step_by_step_and_each_is_waited_for(tmp_path: Path) -> None:
    """By a kubectl that only writes down what it is asked."""
    kubectl, log = tmp_path / "kubectl", tmp_path / "log"
    kubectl.write_text(f'#!/bin/sh\necho "$*" >> {log}\n')
    kubectl.chmod(0o755)
    script = DEPLOY / "kubernetes" / "deploy.sh"
    subprocess.run([script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    asked = [line.split() for line in log.read_text().splitlines()]
    applied = [words[-1] for words in asked if words[0] == "apply"]
    steps = [path.name for path in sorted(script.parent.glob("[0-9]-*"))]
    assert applied == steps
    waited = [words[-1] for words in asked if words[0] in ("wait", "rollout")]
    kinds = {name: "job" if name in ONCE else "deployment" for name, _ in pods()}
    assert sorted(set(waited)) == sorted(f"{kind}/{name}" for name, kind in kinds.items())


def test_a_step_that_fails_is_not_waited_for_as_if_it_could_complete(tmp_path: Path) -> None:
    """By a kubectl whose jobs all fail: they are over, and to be complete they never come."""
    kubectl, log = tmp_path / "kubectl", tmp_path / "log"
    words = 'case "$*" in *condition=complete*) exit 1; esac'
    kubectl.write_text(f'#!/bin/sh\necho "$*" >> {log}\n{words}\n')
    kubectl.chmod(0o755)
    script = DEPLOY / "kubernetes" / "deploy.sh"
    assert subprocess.run([script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}).returncode == 1
    *_, over, complete = log.read_text().splitlines()
    assert over.startswith("wait --for=jsonpath={.status.conditions[0].status}=True --timeout=4h")
    assert complete == "wait --for=condition=complete --timeout=1m job/shop-migrate"


def test_compose_does_the_steps_of_a_version_in_the_same_order(tmp_path: Path) -> None:
    """By a docker that only writes down what it is asked."""
    docker, log = tmp_path / "docker", tmp_path / "log"
    docker.write_text(f'#!/bin/sh\necho "$*" >> {log}\n')
    docker.chmod(0o755)
    subprocess.run([DEPLOY / "compose.sh"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    asked = [line.split() for line in log.read_text().splitlines()]
    started = [
        [word for word in words if word in COMPOSE["services"]]
        for words in asked
        if {"run", "up"} & set(words)
    ]
    assert started == [["migrate"], list(WORKERS), ["provision"], ["relay"], ["web", "console"]]
    ups = [words for words in asked if "up" in words]
    assert all({"--wait", "--no-deps"} <= set(words) for words in ups)


def triggers() -> Iterator[tuple[str, Mapping[str, str]]]:
    for each in documents("ScaledObject"):
        target = each["spec"]["scaleTargetRef"]["name"]
        yield from ((target, trigger["metadata"]) for trigger in each["spec"]["triggers"])


def test_workers_are_added_for_the_queues_that_they_serve_and_for_no_limit() -> None:
    named: dict[str, set[str]] = {}
    for target, trigger in triggers():
        for pattern in re.findall(r'queue=~"([^"]+)"', trigger["query"]):
            named.setdefault(target, set()).update(pattern.split("|"))
    for name, pod in pods():
        served = set(queues(pod["containers"][0].get("command", [])))
        if served:
            own = [each for each in topology.current().queues if each.consumer in served]
            assert named[name] == {each.name for each in own if not each.role.is_grave}


def test_every_metric_that_is_asked_for_is_told_with_its_labels() -> None:
    known = {metric.name: set(metric.labels) for metric in TABLE}
    asked = [
        found
        for _, trigger in triggers()
        for found in re.findall(r"(notifications_\w+)\{([^}]*)\}", trigger["query"])
    ]
    assert len(asked) > 6
    for name, selectors in asked:
        assert set(re.findall(r"(\w+)=", selectors)) <= known[name], name


def test_what_a_limit_lets_through_is_what_its_channel_declares() -> None:
    (query,) = (each["query"] for _, each in triggers() if "clamp_max" in each["query"])
    for channel in ("email", "sms", "whatsapp", "push"):
        task = import_module("notifications.channels.consumers").__dict__[channel]
        declared = task.rate_limit.removesuffix("/s")
        assert re.search(rf'"{channel}\|{channel}-bulk"}}\), {declared} \* 60\)', query), channel


def pins(path: Path) -> dict[str, str]:
    """Each package with its version and hashes."""
    blocks = re.split(r"^(?=[a-z0-9])", path.read_text(), flags=re.M)[1:]
    return {block.partition("==")[0]: block for block in blocks}


def test_the_image_has_what_the_project_needs_as_it_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["web"], *extras["otel"]]
    image, tested = pins(DEPLOY / "requirements.txt"), pins(ROOT / "requirements.txt")
    assert {Requirement(each).name for each in needed} <= image.keys()
    assert image.items() <= tested.items(), "compile it anew: the README has the command"


def test_what_a_shop_may_install_begins_at_what_is_tested() -> None:
    """And ends where its maker may break us: the next security release is within."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    tested = pinned(ROOT / "requirements.txt")
    for each in map(Requirement, [*project["dependencies"], *extras["web"], *extras["otel"]]):
        version = tested[each.name]
        [oldest] = [bound.version for bound in each.specifier if bound.operator == ">="]
        assert f"{version}.".startswith(f"{oldest}."), each
        assert each.specifier.contains(f"{version}.1"), f"{each} bars the release after it"


def test_everything_the_image_is_made_of_is_there() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*)", DOCKERFILE, re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert {"deploy/requirements.txt", "manage.py", "notifications", "orders_site"} <= kept
