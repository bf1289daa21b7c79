"""Alarms and the dashboard as resources of the template."""

from __future__ import annotations

import json

from notifications import alarm_pages, dashboard
from notifications.alarms import Alarm
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
            "Namespace": alarm.namespace,
            "MetricName": alarm.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in alarm.dimensions],
            "Statistic": alarm.statistic,
            "Period": alarm.period,
            "EvaluationPeriods": alarm.periods,
            "Threshold": alarm.threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": alarm.missing,
            "AlarmActions": told,
            "OKActions": told,
        },
    }


def dashboard_resource(layout: Topology) -> Resource:
    console = f"${{ConsoleUrl}}{alarm_pages.of(alarm_pages.Alarm.LAG).path}"
    shown = dashboard.body(layout, region="${AWS::Region}", console=console)
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": PREFIX, "DashboardBody": json.dumps(shown)},
    }
