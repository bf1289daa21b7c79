"""The sandbox: Django's template language without everything that reaches beyond the text.

What staff write is no code. There are few tags and filters (`TAGS`, `FILTERS`); a look-up goes
through dictionaries and lists of plain data, never to an attribute, and calls nothing; files are
included by their literal names, and only those that NOTIFICATIONS["TEMPLATE_PARTIALS"] declares,
which are compiled in here by the same rules; and a budget bounds what a rendering may do.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from django import template
from django.template import Context, Engine, Origin, TemplateDoesNotExist, TemplateSyntaxError
from django.template import defaultfilters, defaulttags, loader_tags
from django.template.base import (
    FilterExpression,
    Lexer,
    Node,
    NodeList,
    Parser,
    Template,
    TextNode,
    Token,
    Variable,
    VariableDoesNotExist,
    VariableNode,
    render_value_in_context,
)
from django.template.defaulttags import ForNode
from django.template.loader_tags import ExtendsNode, IncludeNode
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import template_localtime

from notifications.conf import conf
from notifications.exceptions import NotificationError
from notifications.templating import files, library
from notifications.templating.budget import LONGEST_VALUE, OverBudget, budgeted, spend
from notifications.templating.plain import Opaque

LONGEST_TEMPLATE = 50_000
"""Characters of one part."""

DEEPEST_NESTING = 25
"""Tags in one another."""

DEEPEST_INCLUDE = 10
"""Files included or extended by one another."""

MOST_FILTERS = 8
"""Of one variable."""

FILTERS: Mapping[str, Callable[..., Any]] = {
    **{
        name: defaultfilters.register.filters[name]
        for name in (
            *("capfirst", "cut", "date", "default", "default_if_none", "escape", "first"),
            *("force_escape", "last", "length", "linebreaks", "linebreaksbr", "lower"),
            *("pluralize", "time", "title", "truncatechars", "truncatewords", "upper"),
            *("urlencode", "yesno"),
        )
    },
    **library.register.filters,
}
"""Of Django's, those whose result is not much longer than what they are given: no `add`, `join`,
`center`, `ljust`, `rjust`, `stringformat` and `floatformat` (padding, doubling), no `safe`,
`safeseq` and `escapejs` (unescaped HTML), no `dictsort` and `pprint` (they walk attributes), no
`urlize` and `striptags` (slow on what is made to be)."""

PLAIN = (str, int, float, bool, Decimal, datetime.date, datetime.time, dict, list, type(None))


class Fault(NotificationError):
    """What is wrong with an edited template, and where."""

    default_code = "template_fault"

    def __init__(
        self, message: str, *, template: str = "", line: int | None = None, variable: str = ""
    ) -> None:
        super().__init__(message)
        self.template = template
        self.line = line
        self.variable = variable

    def __str__(self) -> str:
        where = ", ".join(filter(None, (self.template, f"line {self.line}" if self.line else "")))
        return f"{where}: {self.message}" if where else self.message


class Lookup(Variable):
    """A variable that is looked up in dictionaries and lists, and nowhere else."""

    __slots__ = ()

    def _resolve_lookup(self, context: Any) -> Any:
        current = context
        for name in self.lookups or ():
            if isinstance(current, Context) or type(current) is dict:
                found = name in current
            elif type(current) is list and name.isascii() and name.isdecimal():
                name = int(name) if len(name) < 6 else len(current)
                found = name < len(current)
            else:
                found = False
            if not found:
                raise VariableDoesNotExist("%s is not there", (self.var,))
            current = current[name]
        return current


class Expression(FilterExpression):
    """A variable with its filters. It knows where it stands, and pays for what it does."""

    __slots__ = ("line", "template")

    def __init__(self, token: str, parser: _Parser) -> None:
        super().__init__(token, parser)
        if len(self.filters) > MOST_FILTERS:
            raise TemplateSyntaxError(f"more than {MOST_FILTERS} filters in one place")
        self.template, self.line = str(parser.origin.template_name), parser.line
        if self.is_var:
            self.var = Lookup(self.var.var)
        self.filters = [
            (
                function,
                [
                    (is_variable, Lookup(argument.var) if is_variable else argument)
                    for is_variable, argument in arguments
                ],
            )
            for function, arguments in self.filters
        ]

    @property
    def variables(self) -> list[Lookup]:
        """What it looks up: its own variable, and those among its filters' arguments."""
        own = [self.var] if self.is_var else []
        arguments = [
            argument for _, given in self.filters for is_variable, argument in given if is_variable
        ]
        return [each for each in (*own, *arguments) if each.lookups is not None]

    def resolve(self, context: Any, ignore_failures: bool = False) -> Any:
        value = None
        try:
            if self.is_var:
                value = self.var.resolve(context)
                self._insist_on_plain(value)
            else:
                value = self.var
            for function, arguments in self.filters:
                value = self._filtered(value, function, arguments, context)
        except VariableDoesNotExist as error:
            if ignore_failures:
                return None
            raise self.fault(f"there is no {error.params[0]}", str(error.params[0])) from None
        spend(characters=len(value) if isinstance(value, str) else 0)
        return value

    def fault(self, message: str, variable: str = "") -> Fault:
        return Fault(message, template=self.template, line=self.line, variable=variable)

    def _filtered(self, value: Any, function: Any, arguments: Any, context: Any) -> Any:
        given = [
            argument.resolve(context) if is_variable else argument
            for is_variable, argument in arguments
        ]
        for each in given:
            self._insist_on_plain(each)
        if getattr(function, "expects_localtime", False):
            value = template_localtime(value, context.use_tz)
        options = (
            {"autoescape": context.autoescape}
            if getattr(function, "needs_autoescape", False)
            else {}
        )
        try:
            after = function(value, *given, **options)
        except Fault:
            raise
        except Exception as error:
            said = str(error) if isinstance(error, library.BadValue) else type(error).__name__
            raise self.fault(f"{self.token}: {said}", self.token) from error
        if isinstance(after, str) and len(after) > LONGEST_VALUE:
            raise OverBudget(f"{self.token} becomes more than {LONGEST_VALUE} characters")
        if getattr(function, "is_safe", False) and isinstance(value, SafeString):
            after = mark_safe(after)  # noqa: S308 - a literal's
        return after

    def _insist_on_plain(self, value: Any) -> None:
        if isinstance(value, Opaque):
            raise self.fault(f"{self.token} is {value.why}", self.token)
        if not isinstance(value, PLAIN):
            raise self.fault(f"{self.token} is no plain data", self.token)


class _Text(TextNode):
    def render_annotated(self, context: Any) -> str:
        spend(characters=len(self.s))
        return str(self.s)


class _Printed(VariableNode):
    def render(self, context: Any) -> str:
        value = self.filter_expression.resolve(context)
        if isinstance(value, dict | list):
            expression = self.filter_expression
            raise expression.fault(
                f"{expression} is a list or a dictionary, and no text", str(expression)
            )
        text = str(render_value_in_context(value, context))
        spend(characters=len(text))
        return text


class Turn(Node):
    """Stands first in the body of each loop, and pays for the turn."""

    def render(self, context: Any) -> str:
        spend()
        return ""


class _For(ForNode):
    def render(self, context: Any) -> Any:
        values = self.sequence.resolve(context, ignore_failures=True)
        if values is not None and not isinstance(values, list | dict):
            raise self.sequence.fault(f"{self.sequence} is no list", str(self.sequence))
        try:
            return super().render(context)
        except ValueError as error:  # so many names for an entry of another length
            raise self.sequence.fault(f"{self.sequence}: {error}", str(self.sequence)) from None


class _Parser(Parser):
    """Knows our tags and filters, makes nodes that pay, and says what is refused in our words."""

    line = 1
    _depth = 0

    def next_token(self) -> Token:
        token = super().next_token()
        self.line = token.lineno
        return token

    def parse(self, parse_until: Any = None) -> NodeList:
        self._depth += 1
        if self._depth > DEEPEST_NESTING:
            raise TemplateSyntaxError(f"tags in more than {DEEPEST_NESTING} others")
        try:
            return super().parse(parse_until)
        finally:
            self._depth -= 1

    def compile_filter(self, token: str) -> Expression:
        return Expression(token, self)

    def find_filter(self, filter_name: str) -> Any:
        if filter_name not in self.filters:
            raise TemplateSyntaxError(
                f"the filter {filter_name[:40]!r} is not for edited templates; there are "
                f"{', '.join(sorted(self.filters))}"
            )
        return super().find_filter(filter_name)

    def invalid_block_tag(self, token: Token, command: str, parse_until: Any = None) -> Any:
        expected = f"expected is {' or '.join(parse_until)}, or " if parse_until else ""
        raise self.error(
            token,
            f"the tag {command[:40]!r} is not for edited templates; {expected}there are "
            f"{', '.join(sorted(self.tags))}",
        )

    def extend_nodelist(self, nodelist: NodeList, node: Node, token: Token) -> None:
        match node:
            case TextNode():
                node = _Text(node.s)
            case VariableNode():
                node = _Printed(node.filter_expression)
        super().extend_nodelist(nodelist, node, token)


class _Template(Template):
    def compile_nodelist(self) -> NodeList:
        parser = _Parser(
            Lexer(self.source).tokenize(), {}, self.engine.template_builtins, self.origin
        )
        try:
            return parser.parse()
        except TemplateSyntaxError as error:
            token = getattr(error, "token", None)
            raise Fault(
                str(error),
                template=str(self.name),
                line=token.lineno if token else parser.line,
            ) from None
        except RecursionError:
            raise Fault("nested too deeply", template=str(self.name), line=parser.line) from None


class _Engine(Engine):
    """Finds the declared partials, and nothing else."""

    default_builtins: list[str] = []

    def __init__(self) -> None:
        super().__init__(loaders=[])
        self.template_builtins = [_builtins()]
        self._partials: dict[str, Template] = {}

    def find_template(self, name: str, dirs: Any = None, skip: Any = None) -> Any:
        """`skip` holds those that extend one another on the way here."""
        spend()
        if skip and len(skip) > DEEPEST_INCLUDE:
            raise Fault(f"files extend one another more than {DEEPEST_INCLUDE} deep")
        made = self.partial(name)
        return made, made.origin

    def partial(self, name: str) -> Template:
        """A declared file. It is compiled once, and again when its text is another."""
        source = _source(name)
        made = self._partials.get(name)
        if made is None or made.source != source:
            made = self._partials[name] = _Template(source, Origin(name, name), name, self)
        return made


def _for(parser: _Parser, token: Token) -> Node:
    made = defaulttags.do_for(parser, token)
    made.nodelist_loop.insert(0, Turn())
    return _For(
        made.loopvars, made.sequence, made.is_reversed, made.nodelist_loop, made.nodelist_empty
    )


def _literal(node: Node, expression: FilterExpression, tag: str) -> Node:
    """A file is named, not looked up: so what is included is known before it is published."""
    if expression.is_var or expression.filters or not isinstance(expression.var, str):
        raise TemplateSyntaxError(f'{tag} takes a name in quotes: {{% {tag} "…" %}}')
    if expression.var.startswith(("./", "../")):
        raise TemplateSyntaxError(f"{tag} takes the whole name of a partial")
    return node


class _Include(IncludeNode):
    def render(self, context: Any) -> Any:
        with _deeper(str(self.template.var)):
            return super().render(context)


def _include(parser: _Parser, token: Token) -> Node:
    made = loader_tags.do_include(parser, token)
    node = _Include(
        made.template, extra_context=made.extra_context, isolated_context=made.isolated_context
    )
    return _literal(node, made.template, "include")


def _extends(parser: _Parser, token: Token) -> Node:
    made: ExtendsNode = loader_tags.do_extends(parser, token)
    return _literal(made, made.parent_name, "extends")


def _builtins() -> template.Library:
    own = template.Library()
    own.filters = dict(FILTERS)
    own.tags = dict(TAGS)
    return own


TAGS: Mapping[str, Callable[..., Any]] = {
    **{name: defaulttags.register.tags[name] for name in ("comment", "if", "with")},
    "for": _for,
    "block": loader_tags.register.tags["block"],
    "extends": _extends,
    "include": _include,
    **library.register.tags,
}
"""`else`, `elif`, `empty` and what ends a tag belong to these."""


_depth: ContextVar[int] = ContextVar("notifications.templating.depth", default=0)


@contextmanager
def _deeper(name: str) -> Iterator[None]:
    depth = _depth.get()
    if depth >= DEEPEST_INCLUDE:
        raise Fault(f"files include one another more than {DEEPEST_INCLUDE} deep", template=name)
    token = _depth.set(depth + 1)
    try:
        yield
    finally:
        _depth.reset(token)


def is_partial(name: str) -> bool:
    """Whether edited templates may include or extend this file."""
    return any(fnmatchcase(name, pattern) for pattern in conf().template_partials)


def compiled_partial(name: str) -> Template:
    """A declared partial, compiled by our rules. Raises Fault."""
    return _engine().partial(name)


def _source(name: str) -> str:
    if not is_partial(name):
        raise Fault(
            f'{name[:100]!r} is no partial that NOTIFICATIONS["TEMPLATE_PARTIALS"] declares'
        )
    try:
        return files.source(name)
    except TemplateDoesNotExist:
        raise Fault(f"there is no file {name}") from None


def compiled(name: str, text: str) -> Template:
    """An edited template, ready to be rendered. Raises Fault: what is wrong, and where."""
    if len(text) > LONGEST_TEMPLATE:
        raise Fault(f"longer than {LONGEST_TEMPLATE} characters", template=name)
    return _Template(text, Origin(name, name), name, _engine())


def rendered(made: Template, values: Mapping[str, Any], *, escaping: bool) -> str:
    """The text. values: plain data (`plain.context_of`). escaping: it is HTML. Raises Fault.

    The caller has activated the recipient's language and time zone.
    """
    with budgeted():
        try:
            return str(made.render(Context(dict(values), autoescape=escaping)))
        except (OverBudget, library.BadValue) as error:
            line = getattr(error, "line", None)
            raise Fault(str(error), template=str(made.name), line=line) from None
        except RecursionError:
            raise Fault("nested too deeply", template=str(made.name)) from None


@cache
def _engine() -> _Engine:
    return _Engine()
