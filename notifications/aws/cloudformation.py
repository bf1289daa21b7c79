"""The topology as a CloudFormation template: what `provision` makes, and what only a template does
(roles, alarms, a dashboard, the KMS key).

Attributes and policies are those of `notifications.aws.attributes`, word for word, so that the two
ways make the same. The prefix, the account and the region stand in them as `${…}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from notifications import alarms, roles, topology
from notifications.aws.template_alarms import alarm_resource, dashboard_resource
from notifications.aws.template_parameters import (
    CONDITIONS,
    HERE,
    PREFIX,
    Resource,
    logical_id,
    longest_prefix,
    mappings,
    parameters,
)
from notifications.aws.template_queues import (
    key_resource,
    queue_resources,
    subscription_resource,
    topic_resources,
)
from notifications.aws.template_roles import role_resources
from notifications.roles import ProcessRole
from notifications.topology import Topology

MAX_RESOURCES = 500
"""That CloudFormation allows a template (its User Guide, "CloudFormation quotas")."""


def template() -> dict[str, Any]:
    """Of what is registered and configured now, its prefix and keys aside: they are parameters."""
    layout = topology.current(prefix=PREFIX)
    granted = roles.roles(layout, HERE)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Topics, queues, roles, alarms: made by manage.py cloudformation",
        "Parameters": parameters(_longest_prefix(layout, granted)),
        "Mappings": mappings(),
        "Conditions": CONDITIONS,
        "Resources": _few_enough(_Resources(layout, granted).all(), layout),
        "Outputs": _outputs(granted),
    }


def written() -> str:
    """The template as it is kept in a file, the same each time."""
    return json.dumps(template(), indent=1, ensure_ascii=False) + "\n"


class _Resources:
    """`{logical id: resource}`, each of them after what it names."""

    def __init__(self, layout: Topology, granted: Iterable[ProcessRole]) -> None:
        self._layout, self._granted = layout, tuple(granted)
        self._known = {
            **{
                HERE.topic(each.physical): {"Ref": logical_id(each.name, "Topic")}
                for each in layout.topics
            },
            **{
                HERE.queue(each.physical): {"Fn::GetAtt": [logical_id(each.name, "Queue"), "Arn"]}
                for each in layout.queues
            },
        }

    def all(self) -> dict[str, Resource]:
        made: dict[str, Resource] = {}
        for logical, resource in self._each():
            if logical in made:
                raise ImproperlyConfigured(
                    f"Two things are called {logical} in the template, which knows letters and "
                    "digits alone: let names of consumers differ by more than a -."
                )
            made[logical] = self._told(resource)
        return made

    def _each(self) -> Iterator[tuple[str, Resource]]:
        yield "Key", key_resource(self._layout)
        for topic in self._layout.topics:
            yield from topic_resources(topic)
        for queue in self._layout.queues:
            yield from queue_resources(queue)
        topics = {topic.physical: topic.name for topic in self._layout.topics}
        queues = {queue.physical: queue.name for queue in self._layout.queues}
        for each in self._layout.subscriptions:
            yield (
                logical_id(f"{topics[each.topic]}-to-{queues[each.queue]}"),
                subscription_resource(each),
            )
        longest = _longest_prefix(self._layout, self._granted)
        for role in self._granted:
            yield from role_resources(role, longest)
        for alarm in alarms.alarms(self._layout):
            yield logical_id(alarm.name, "Alarm"), alarm_resource(alarm)
        yield "Dashboard", dashboard_resource(self._layout)

    def _told(self, value: Any) -> Any:
        """With references in place of the ARNs that are ours, and `Fn::Sub` where `${…}` stands."""
        match value:
            case str() if value in self._known:
                return self._known[value]
            case str():
                text = re.sub(rf"\b{PREFIX}\b", "${Prefix}", value)
                return {"Fn::Sub": text} if "${" in text else text
            case {"Fn::Sub": _} | {"Ref": _} | {"Fn::GetAtt": _}:
                return value
            case dict():
                return {name: self._told(each) for name, each in value.items()}
            case list() | tuple():
                return [self._told(each) for each in value]
            case _:
                return value


def _few_enough(made: dict[str, Resource], layout: Topology) -> dict[str, Resource]:
    if len(made) > MAX_RESOURCES:
        count = len({queue.consumer for queue in layout.queues})
        raise ImproperlyConfigured(
            f"The stack would have {len(made)} resources, for {count} consumers, and "
            f"CloudFormation allows {MAX_RESOURCES}: let consumers that do alike be one, or have "
            "`manage.py provision` make topics and queues, which knows no such limit, and make "
            "roles and alarms (notifications/roles.py, deploy/alerts.yml) in a way of your own."
        )
    return made


def _longest_prefix(layout: Topology, granted: Iterable[ProcessRole]) -> int:
    return longest_prefix(layout, [role.name for role in granted])


def _outputs(granted: Iterable[ProcessRole]) -> dict[str, Any]:
    return {
        logical_id(role.name, "RoleArn"): {
            "Description": role.purpose,
            "Value": {"Fn::GetAtt": [logical_id(role.name, "Role"), "Arn"]},
        }
        for role in granted
    }
