"""The table of metrics, and what is made of it: counts, text, lines, a dashboard and alerts."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.exceptions import SoftTimeLimitExceeded
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.parser import text_string_to_metric_families

from notifications import alarm_pages, alarms, metrics, topology
from notifications.alarm_pages import Alarm
from notifications.checks.metrics import check_metrics
from notifications.dead_letters import Failure
from notifications.exceptions import Busy
from notifications.metrics import counting, emf, processes, table
from notifications.metrics.table import LABELS, SECONDS, TABLE, Kind, Unit
from notifications.worker.database import DatabaseUnavailable

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana.json").read_text())
ALERTS = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"][0]["rules"]
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]] + [
    alert["expr"] for alert in ALERTS
]
NOBODY = 2**31 - 1  # no system gives a process this id
ENDING = {"PermanentError", "TransientError", "OutcomeUnknown"}
"""Whatever is derived from these ends a task."""


@pytest.fixture(autouse=True)
def _from_nothing() -> Iterator[None]:
    counting.start_anew()
    yield
    counting.start_anew()


def test_the_document_has_the_table() -> None:
    assert table.as_markdown() in (ROOT / "docs" / "metrics.md").read_text()
    assert set(LABELS) == {label for metric in TABLE for label in metric.labels}


def test_the_names_say_kind_and_unit() -> None:
    for metric in TABLE:
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric
        assert metric.name.endswith("_seconds") == (metric.unit is Unit.SECONDS), metric
        assert metric.name.endswith("_ratio") == (metric.unit is Unit.RATIO), metric


def test_every_metric_of_a_process_is_exposed_whether_it_was_counted_or_not() -> None:
    metrics.record_received("email", 3)
    metrics.record_task("email", 0.02)

    content_type, body = metrics.exposition()

    found = {family.name: family for family in text_string_to_metric_families(body.decode())}
    assert content_type.startswith("text/plain; version=")
    assert set(found) == {each.family for each in TABLE if each.kind is not Kind.GAUGE}
    [received] = found[table.RECEIVED.family].samples
    assert (received.labels, received.value) == ({"consumer": "email"}, 3)
    buckets = {s.labels.get("le"): s.value for s in found[table.TASK_SECONDS.name].samples}
    assert (buckets["0.01"], buckets["0.025"], buckets["+Inf"]) == (0, 1, 1)


def test_labels_that_come_without_end_are_other_in_the_end() -> None:
    for number in range(counting.MOST_SERIES + 10):
        metrics.record_received(f"consumer-{number}", 1)
    metrics.record_dead_letter("email", "CodeOfAProvider-4711")

    found = counting.samples()

    received = {each.labels["consumer"]: each.value for each in found[table.RECEIVED.name]}
    assert len(received) == counting.MOST_SERIES + 1
    assert received["other"] == 10
    [letter] = found[table.DEAD_LETTERS.name]
    assert letter.labels["reason"] == "permanent"


def test_whatever_our_code_gives_a_message_up_for_is_a_reason_of_the_table() -> None:
    given = {Failure.of(ZeroDivisionError(), attempts=1).reason, *_reasons_in_the_code()}
    come_again = {Busy.default_code, DatabaseUnavailable.default_code}
    assert set(table.REASONS) == given - come_again


def _reasons_in_the_code() -> Iterator[str]:
    """The codes of the tree of errors and of what ends a task elsewhere, and what is given with a
    PermanentError or a Failure, where it is written out."""
    for path in (ROOT / "notifications").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        text = path.read_text()
        if not re.search(r"default_code|PermanentError\(|Failure\(", text):
            continue  # to parse them all takes seconds
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.ClassDef(bases=[ast.Name(base), *_], body=lines):
                    if base in ENDING or module == "notifications.exceptions":
                        yield from (code for line in lines if (code := _default_code(line)))
                case ast.Call(ast.Name("PermanentError"), args=[_, code, *_]) | ast.Call(
                    ast.Name("Failure"), keywords=[ast.keyword("reason", code)]
                ):
                    if isinstance(code, ast.Constant):
                        yield code.value
                    elif isinstance(code, ast.Name) and code.id.isupper():
                        yield vars(import_module(module))[code.id]


def _default_code(line: ast.stmt) -> str:
    match line:
        case ast.Assign([ast.Name("default_code")], ast.Constant(str(code))):
            return code
    return ""


def test_a_soft_time_limit_ends_the_task_that_was_counting() -> None:
    class Late(float):
        def __lt__(self, other: object) -> bool:
            raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        metrics.record_received("email", Late(1))  # type: ignore[arg-type]
    metrics.record_received("email", 1)
    assert [each.value for each in counting.samples()[table.RECEIVED.name]] == [1]


def test_an_error_in_counting_is_said_once_and_goes_no_further(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(3):
        counting._add(table.RECEIVED, ("one", "too many"), 1)

    assert [record.message for record in caplog.records] == [
        "notifications_messages_received_total is not counted"
    ]


def test_what_a_child_counted_that_ended_goes_on_counting(tmp_path: Path) -> None:
    key = mmap_key("notifications_retries", table.RETRIES.name, ["consumer"], ["email"], "")  # type: ignore[no-untyped-call]
    for pid in (NOBODY - 1, NOBODY):
        child: Any = MmapedDict(str(tmp_path / f"counter_{pid}.db"))  # type: ignore[no-untyped-call]
        child.write_value(key, 2.0, 0.0)
        child.close()
    gauge = tmp_path / f"gauge_all_{NOBODY}.db"  # the project's
    MmapedDict(str(gauge)).close()  # type: ignore[no-untyped-call]

    for _ in range(2):
        [family] = processes.read(tmp_path)
        assert [each.value for each in family.samples] == [4.0]

    assert set(tmp_path.glob("*.db")) == {tmp_path / "counter_0.db", gauge}


FULL = """
import os
from notifications import metrics
from notifications.metrics import counting, processes

def fill():
    try:
        while os.write(file, b"x" * 4096):
            pass
    except OSError:
        pass

def child(count):
    pid = os.fork()
    if not pid:
        metrics.record_received("email", count)
        os._exit(0)
    return os.waitpid(pid, 0)[1]

def told():
    return [each.value for each in counting.samples()["notifications_messages_received_total"]]

processes.share()
file = os.open(f"{os.environ['TMPDIR']}/file", os.O_CREAT | os.O_WRONLY)
ended = [child(1)]
fill()
ended += [child(10)]
full = told()
os.ftruncate(file, 0)
ended += [child(100)]
print(ended, full, told(), told())
"""
_UNSHARE = ("unshare", "--mount", "--map-root-user", "sh", "-c")


def test_a_full_disk_costs_counts_and_no_process(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o size=256k none "$TMPDIR"'
    if subprocess.run([*_UNSHARE, mounted], env={**os.environ, "TMPDIR": str(tmp_path)}).returncode:
        pytest.skip("whoever runs this may not mount a small disk")
    done = subprocess.run(
        [*_UNSHARE, f'{mounted} && exec "$0" -c "$1"', sys.executable, FULL],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[0, 0, 0] [1.0] [101.0] [101.0]\n", done.stderr
    assert "is not counted" in done.stderr


def test_a_project_s_own_directory_is_counted_in_and_nothing_in_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(processes.VARIABLE, str(tmp_path))
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)  # as before, afterwards
    left = tmp_path / f"counter_{NOBODY}.db"
    MmapedDict(str(left)).close()  # type: ignore[no-untyped-call]

    assert processes.share() == tmp_path
    metrics.record_retry("email")

    assert [each.value for each in counting.samples()[table.RETRIES.name]] == [1]
    assert left.exists()
    own = processes.PREFIX
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(processes.VARIABLE, str(tmp_path / f"{own}of-before"))
    assert processes.share().name.startswith(own), "a worker that has restarted itself"
    assert processes.share() != tmp_path / f"{own}of-before"


def test_what_killed_workers_left_is_cleared_and_what_is_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / f"{processes.PREFIX}left"
    left.mkdir()
    (left / "lock").touch()
    in_use = processes._make_directory()
    another = processes._make_directory()

    assert sorted(tmp_path.iterdir()) == sorted([in_use, another])


# CloudWatch


def test_counters_are_told_by_what_came_to_them() -> None:
    emitter = emf.Emitter(counting.samples)
    metrics.record_received("email", 3)
    assert list(emitter.news()) == [(table.RECEIVED, ("email",), 3)]
    assert list(emitter.news()) == []
    metrics.record_received("email", 2)
    assert list(emitter.news()) == [(table.RECEIVED, ("email",), 2)]


def test_a_counter_that_begins_again_is_told_by_what_came_since() -> None:
    emitter = emf.Emitter(counting.samples)
    metrics.record_received("email", 3)
    assert list(emitter.news()) == [(table.RECEIVED, ("email",), 3)]
    counting.start_anew()
    metrics.record_received("email", 2)
    assert list(emitter.news()) == [(table.RECEIVED, ("email",), 2)]


def test_durations_are_told_by_the_buckets_they_fell_into() -> None:
    emitter = emf.Emitter(counting.samples)
    for seconds in (0.003, 0.02, 0.02, 1000.0):
        metrics.record_task("email", seconds)
    [(_, _, values)] = emitter.news()
    assert values == [0.005, 0.025, 0.025, SECONDS[-1]]


def test_of_many_durations_the_proportions_are_told_and_the_longest() -> None:
    emitter = emf.Emitter(counting.samples)
    for _ in range(9_000):
        metrics.record_task("email", 0.02)
    for _ in range(1_000):
        metrics.record_task("email", 0.2)
    metrics.record_task("email", 20.0)
    [(_, _, values)] = emitter.news()
    assert isinstance(values, list)
    assert len(values) <= emf.MOST_VALUES
    assert values[-1] == 30.0
    assert values.count(0.025) == pytest.approx(9 * values.count(0.25), rel=0.2)


def test_lines_are_of_the_embedded_metric_format() -> None:
    emitter = emf.Emitter(counting.samples)
    metrics.record_received("email", 3)
    metrics.record_task("email", 0.02)
    metrics.record_delivery("sms", "sent")
    told = [*emitter.news(), (table.DISPATCH_AGE, (), 1.5)]

    lines = emf.lines(told, environment="prod", at=1_700_000_000.25)

    assert len(lines) == 3, "one for each set of labels"
    for line in lines:
        assert_is_emf(json.loads(json.dumps(line)))
        assert line["_aws"]["Timestamp"] == 1_700_000_000_250
        assert line["environment"] == "prod"
    assert lines[0]["consumer"] == "email"
    assert lines[0]["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Notifications",
            "Dimensions": [["environment"], ["environment", "consumer"]],
            "Metrics": [
                {"Name": "notifications_messages_received_total", "Unit": "Count"},
                {"Name": "notifications_task_seconds", "Unit": "Seconds"},
            ],
        }
    ]
    assert lines[2]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["environment"]]


def assert_is_emf(line: dict[str, Any]) -> None:
    """What the specification's text and its JSON schema ask for (Amazon CloudWatch User Guide,
    "Specification: Embedded metric format")."""
    assert set(line["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert type(line["_aws"]["Timestamp"]) is int
    for directive in line["_aws"]["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert 1 <= len(directive["Namespace"]) <= 1024
        assert directive["Dimensions"], "one dimension set at least"
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= 30
            for name in dimensions:
                assert 1 <= len(name) <= 250
                assert isinstance(line[name], str)
                assert 1 <= len(line[name]) <= 1024
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert set(metric) <= {"Name", "Unit", "StorageResolution"}
            assert metric["Unit"] in ("Count", "Seconds", "None")
            value = line[metric["Name"]]
            values = value if isinstance(value, list) else [value]
            assert 1 <= len(values) <= 100
            assert all(type(each) in (int, float) for each in values)


# Grafana and Prometheus


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_metrics_and_labels_of_the_table(query: str) -> None:
    known = {each.name: each for each in TABLE}
    for each in TABLE:
        if each.kind is Kind.HISTOGRAM:
            known |= {f"{each.name}{end}": each for end in ("_bucket", "_sum", "_count")}
    names = re.findall(r"\bnotifications_\w+", query)
    assert names, query
    labels = {label for name in names for label in known[name].labels} | {"le"}
    grouped = re.findall(r"\b(?:by|on|without|ignoring) \(([^)]*)\)", query)
    matched = re.findall(r"(\w+)(?:=~|!~|!=|=)\"", query)
    used = {word.strip() for group in grouped for word in group.split(",")} | set(matched)
    assert used <= labels, query


def test_the_dashboard_shows_every_metric() -> None:
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    assert [each.name for each in TABLE if each.name not in shown] == []
    for panel in DASHBOARD["panels"]:
        legends = " ".join(target["legendFormat"] for target in panel["targets"])
        assert set(re.findall(r"{{(\w+)}}", legends)) <= set(LABELS)


def test_each_alarm_is_an_alert_that_leads_to_its_page_and_its_runbook() -> None:
    alerts = {alert["labels"]["alarm"]: alert for alert in ALERTS}
    assert set(alerts) == set(Alarm)
    for alarm in Alarm:
        page, told = alarm_pages.of(alarm), alerts[alarm]["annotations"]
        assert told["console"] == f"{{{{ $externalLabels.console_url }}}}{page.path}"
        assert told["runbook"] == page.runbook
    assert {alert["labels"]["severity"] for alert in ALERTS} == {"page", "warning"}


def test_alerts_and_cloudwatch_s_alarms_wake_for_the_same() -> None:
    """Above the same limits, for as long, and of what is missing."""
    told = alarms.alarms(topology.current())
    assert set(Alarm) - {each.kind for each in told} == {Alarm.QUEUE_DEPTH}, "a warning, no page"
    for alert in ALERTS:
        alike = [each for each in told if each.kind == alert["labels"]["alarm"]]
        also = {each.only_while.above for each in alike if each.only_while}
        limits = [*sorted({each.threshold for each in alike}), *also]
        above = [float(number) for number in re.findall(r"> ([\d.]+)", alert["expr"])]
        assert not alike or above == limits, alert["alert"]
        minutes = int(alert.get("for", "1m").removesuffix("m"))
        for each in alike:
            if each.is_ours:
                assert each.period * each.periods == 60 * minutes, alert["alert"]
                assert (each.missing == alarms.BAD) == ("absent(" in alert["expr"]), alert["alert"]


def test_cloudwatch_s_alarms_are_of_dimensions_that_are_told() -> None:
    labels = {each.name: each.labels for each in TABLE}
    for alarm in alarms.alarms(topology.current()):
        if alarm.is_ours:
            for each in filter(None, (alarm, alarm.only_while)):
                names = [name for name, _ in each.dimensions]
                assert names in (["environment", *labels[each.metric]], ["environment"]), alarm


def test_whatever_deploys_names_no_other_metric() -> None:
    known = {each.name for each in TABLE}
    texts = [path.read_text() for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    told = {name for text in texts for name in re.findall(r"\bnotifications_[a-z_]+", text)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in told} <= known


@pytest.mark.parametrize(
    ("token", "ids"),
    [
        ("", []),
        ("c" * 24, []),
        ("short", ["E083"]),
        ("ü" * 24, ["E083"]),
    ],
)
def test_a_token_that_could_be_guessed_is_refused(
    settings: Any, token: str, ids: list[str]
) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"METRICS_TOKEN": token}
    assert [str(message.id).partition(".")[2] for message in check_metrics()] == ids
