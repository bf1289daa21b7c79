"""Alarms and the dashboard as resources of the template."""

from __future__ import annotations

import json
from typing import Any

from notifications import alarm_pages, dashboard
from notifications.alarms import Alarm, Dimensions
from notifications.aws.template_parameters import (
    HAS_ALARM_TOPIC,
    NOTHING,
    OWN_METRICS,
    PREFIX,
    Resource,
)
from notifications.topology import Topology


def alarm_resource(alarm: Alarm) -> Resource:
    told = {"Fn::If": [HAS_ALARM_TOPIC, [{"Ref": "AlarmTopic"}], NOTHING]}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        **({"Condition": OWN_METRICS} if alarm.is_ours else {}),
        "Properties": {
            "AlarmName": f"{PREFIX}-{alarm.name}",
            "AlarmDescription": f"{alarm.what} Look at ${{ConsoleUrl}}{alarm.page.path} and in "
            f"{alarm.page.runbook}",
            **_watched(alarm),
            "EvaluationPeriods": alarm.periods,
            "Threshold": alarm.threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": alarm.missing,
            "AlarmActions": told,
            "OKActions": told,
        },
    }


def _watched(alarm: Alarm) -> dict[str, Any]:
    """What is compared with the threshold: a metric, or one that is 0 unless another is high enough
    in the same minute.

    Where either has no data there is no result, or 0 (CloudWatch User Guide, "Using IF
    expressions"). No FILL: figures come late, and what it would put in the place of the latest one
    counts like a figure (the same guide, on FILL in alarms).
    """
    metric = _metric(alarm.namespace, alarm.metric, alarm.dimensions)
    each = {"Period": alarm.period, "Stat": alarm.statistic}
    if alarm.only_while is None:
        return {**metric, "Statistic": alarm.statistic, "Period": alarm.period}
    other = _metric(alarm.namespace, alarm.only_while.metric, alarm.only_while.dimensions)
    return {
        "Metrics": [
            {
                "Id": "watched",
                "Expression": f"IF(other > {alarm.only_while.above:g}, figure, 0)",
                "Label": f"{alarm.metric} while {alarm.only_while.metric} is high",
                "ReturnData": True,
            },
            {"Id": "figure", "MetricStat": {"Metric": metric, **each}, "ReturnData": False},
            {"Id": "other", "MetricStat": {"Metric": other, **each}, "ReturnData": False},
        ]
    }


def _metric(namespace: str, name: str, dimensions: Dimensions) -> dict[str, Any]:
    return {
        "Namespace": namespace,
        "MetricName": name,
        "Dimensions": [{"Name": each, "Value": value} for each, value in dimensions],
    }


def dashboard_resource(layout: Topology) -> Resource:
    console = f"${{ConsoleUrl}}{alarm_pages.of(alarm_pages.Alarm.LAG).path}"
    shown = dashboard.body(layout, region="${AWS::Region}", console=console)
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": PREFIX, "DashboardBody": json.dumps(shown)},
    }
