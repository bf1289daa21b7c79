"""The sandbox: Django's template language without everything that reaches beyond the text.

What staff write is no code. There are few tags and filters (`TAGS`, `FILTERS`); a look-up goes
through dictionaries and lists of plain data, never to an attribute, and calls nothing; files are
included by their literal names, and only those that NOTIFICATIONS["TEMPLATE_PARTIALS"] declares,
which are compiled in here by the same rules; and a budget bounds what a rendering may do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, ClassVar

from celery.exceptions import SoftTimeLimitExceeded
from django import template
from django.template import (
    Context,
    Engine,
    Origin,
    TemplateDoesNotExist,
    TemplateSyntaxError,
    defaultfilters,
    defaulttags,
    loader_tags,
)
from django.template.base import (
    Lexer,
    Node,
    NodeList,
    Parser,
    Template,
    TextNode,
    Token,
    VariableNode,
)
from django.utils.translation import gettext

from notifications.conf import conf
from notifications.templating import files, library
from notifications.templating.budget import OverBudget, budgeted, spend
from notifications.templating.expressions import Expression, Fault
from notifications.templating.nodes import (
    DEEPEST_INCLUDE,
    For,
    Include,
    Plural,
    Printed,
    Text,
    Turn,
)

LONGEST_TEMPLATE = 50_000
"""Characters of one part."""

DEEPEST_NESTING = 25
"""Tags in one another."""

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


class _Parser(Parser):
    """Knows our tags and filters, makes nodes that pay, and says what is refused in our words."""

    line: int | None = 1
    _depth = 0

    def next_token(self) -> Token:
        token = super().next_token()
        self.line = token.lineno
        return token

    def parse(self, parse_until: Any = None) -> NodeList:
        self._depth += 1
        if self._depth > DEEPEST_NESTING:
            raise TemplateSyntaxError(
                gettext("tags in more than %(most)s others") % {"most": DEEPEST_NESTING}
            )
        try:
            return super().parse(parse_until)
        finally:
            self._depth -= 1

    def compile_filter(self, token: str) -> Expression:
        return Expression(token, self)

    def find_filter(self, filter_name: str) -> Any:
        if filter_name not in self.filters:
            raise TemplateSyntaxError(
                gettext(
                    "the filter %(filter_name)r is not for edited templates; there are %(filters)s"
                )
                % {"filter_name": filter_name[:40], "filters": ", ".join(sorted(self.filters))}
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
                node = Text(node.s)
            case VariableNode():
                node = Printed(node.filter_expression)
            case library.PluralNode():
                node = Plural(node.count, node.texts)
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
            raise Fault(
                gettext("nested too deeply"), template=str(self.name), line=parser.line
            ) from None
        except Exception as error:  # whatever else a text is, it is no reason to fail a page
            raise Fault(
                gettext("it cannot be read: %(name)s") % {"name": type(error).__name__},
                template=str(self.name),
                line=parser.line,
            ) from error


class _Engine(Engine):
    """Finds the declared partials, and nothing else."""

    default_builtins: ClassVar[list[str]] = []

    def __init__(self) -> None:
        super().__init__(loaders=[])
        self.template_builtins = [_builtins()]
        self._partials: dict[str, Template] = {}

    def find_template(self, name: str, dirs: Any = None, skip: Any = None) -> Any:
        """`skip` holds those that extend one another on the way here."""
        spend()
        if skip and len(skip) > DEEPEST_INCLUDE:
            raise Fault(
                gettext("files extend one another more than %(most)s deep")
                % {"most": DEEPEST_INCLUDE}
            )
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
    made: Any = defaulttags.do_for(parser, token)
    made.nodelist_loop.insert(0, Turn())
    return For(
        made.loopvars, made.sequence, made.is_reversed, made.nodelist_loop, made.nodelist_empty
    )


def _literal(node: Node, expression: Any, tag: str) -> Node:
    """A file is named, not looked up: so what is included is known before it is published."""
    if expression.is_var or expression.filters or not isinstance(expression.var, str):
        raise TemplateSyntaxError(
            gettext('%(tag)s takes a name in quotes: {%% %(tag)s "…" %%}') % {"tag": tag}
        )
    if expression.var.startswith(("./", "../")):
        raise TemplateSyntaxError(
            gettext("%(tag)s takes the whole name of a partial") % {"tag": tag}
        )
    return node


def _include(parser: _Parser, token: Token) -> Node:
    made: Any = loader_tags.do_include(parser, token)
    node = Include(
        made.template, extra_context=made.extra_context, isolated_context=made.isolated_context
    )
    return _literal(node, made.template, "include")


def _extends(parser: _Parser, token: Token) -> Node:
    made: Any = loader_tags.do_extends(parser, token)
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


def is_partial(name: str) -> bool:
    """Whether edited templates may include or extend this file. A pattern's `*` stands for
    slashes too, so no name may lead back out of what it declares."""
    return ".." not in name.split("/") and any(
        fnmatchcase(name, pattern) for pattern in conf().template_partials
    )


def compiled_partial(name: str) -> Template:
    """A declared partial, compiled by our rules. Raises Fault."""
    return _engine().partial(name)


def _source(name: str) -> str:
    if not is_partial(name):
        raise Fault(
            gettext('%(name)r is no partial that NOTIFICATIONS["TEMPLATE_PARTIALS"] declares')
            % {"name": name[:100]}
        )
    try:
        return files.source(name)
    except TemplateDoesNotExist:
        raise Fault(gettext("there is no file %(name)s") % {"name": name}) from None


def compiled(name: str, text: str) -> Template:
    """An edited template, ready to be rendered. Raises Fault: what is wrong, and where."""
    if len(text) > LONGEST_TEMPLATE:
        raise Fault(
            gettext("longer than %(most)s characters") % {"most": LONGEST_TEMPLATE},
            template=name,
        )
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
        except (Fault, SoftTimeLimitExceeded):
            raise
        except RecursionError:
            raise Fault(gettext("nested too deeply"), template=str(made.name)) from None
        except Exception as error:
            raise Fault(
                gettext("it cannot be rendered: %(name)s") % {"name": type(error).__name__},
                template=str(made.name),
            ) from error


@cache
def _engine() -> _Engine:
    return _Engine()
