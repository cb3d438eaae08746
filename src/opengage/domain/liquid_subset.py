"""The part of Liquid that a text may use: `python-liquid` cut to an allow-list and vetted as it is written.

`templates` builds on this; nothing else does. Unrestricted, the language has loops, clocks and ranges that
run for seconds; what is refused here, with reason and mend, can surprise nobody when a blast is sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from io import StringIO
from typing import NamedTuple, TextIO

from liquid import BoundTemplate, Environment, Mode, RenderContext, Token, Undefined
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import BooleanExpression, FilteredExpression, Nil, Path, StringLiteral
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    LogicalAndExpression,
    LogicalOrExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    FalseLiteral,
    FloatLiteral,
    IntegerLiteral,
    TrueLiteral,
)
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.exceptions import LiquidError
from liquid.expression import Expression

MAX_BODY = 10_000
"""Characters in a template."""
MAX_TAG = 300
"""Characters between {{ and }} or {% and %}; it also bounds the work of the library's backtracking lexer."""

TAGS = ("if", "elsif", "else", "endif", "comment", "endcomment")
FILTERS = {
    "default": (1, 1),
    "upcase": (0, 0),
    "downcase": (0, 0),
    "capitalize": (0, 0),
    "strip": (0, 0),
    "truncate": (1, 2),
    "truncatewords": (1, 2),
}
"""The filters that may be used, each with the fewest and the most arguments it takes."""

_EXAMPLE = '{{ first-name }} or {{ first-name | default: "there" }}'
_EXAMPLE_IF = '{% if plan == "2" %}...{% else %}...{% endif %}'
_NAME = re.compile(r"[^\W\d_][\w-]*\Z")
_OPENING = re.compile(r"\{\{|\{%")
_TAG = re.compile(r"\{%-?\s*(#|\w*)")


class TemplateError(Exception):
    """The template cannot be used: `message` says why and how to mend it, `position` where, from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.message = message
        self.position = position


class Variable(NamedTuple):
    """A merge field of a template; `required` when some use of it prints it without a default."""

    name: str
    required: bool


class Field(NamedTuple):
    """A lone merge field between pieces of text; a field without a default is required."""

    name: str
    default: str | None


class Misfit(Exception):
    """A value met a use that its type does not allow."""


class Parsed:
    """A vetted template as the library sees it."""

    def __init__(self, template: BoundTemplate) -> None:
        self._template = template
        self.variables = _variables(template.nodes)

    def render(self, values: Mapping[str, str | bool | None]) -> tuple[str, list[str]]:
        """The text, and the names that left a hole in it because they had no value.

        Raises Misfit when a condition looks for text in true or false.
        """
        context = _Context(self._template, values)
        buffer = StringIO()
        try:
            for node in self._template.nodes:
                node.render(context, buffer)
        except LiquidError as error:
            raise Misfit(error.message) from error
        return buffer.getvalue(), list(context.holes)

    def plain(self) -> list[str | Field] | None:
        """The template as pieces of text and lone merge fields, or None where it is more than that."""
        pieces = [_plain_piece(node) for node in self._template.nodes]
        return None if None in pieces else [piece for piece in pieces if piece is not None]


def read(body: str) -> Parsed:
    """Read a template and refuse whatever could fail, or surprise, when it is sent. Raises TemplateError."""
    _scan(body)
    try:
        template = _environment().from_string(body)
        _vet_all(template.nodes)
    except LiquidError as error:
        position = max(error.token.start_index, 0) if error.token else 0
        raise TemplateError(f"{error.message}: write {_example(body, position)}", position) from error
    return Parsed(template)


# --- the library, cut to size


class _Context(RenderContext):
    """Looks names up in the envelope's values and nowhere else: no clock, no attributes, no items."""

    def __init__(self, template: BoundTemplate, values: Mapping[str, object]) -> None:
        super().__init__(template, globals=values)
        self.holes: dict[str, None] = {}

    def get(self, path: list[object], *, token: Token | None, default: object = None) -> object:
        """The value of a name; our templates know no other paths."""
        name = str(path[0])
        value = self.globals.get(name, default)
        return self.env.undefined(name, token=token) if value is None else value


class _PrintNode(OutputNode):
    """Prints a variable, or notes that it would leave a hole."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value; all holes of a text are gathered, so that they are reported together."""
        name, required = _printed(self)
        if required and name is not None and context.globals.get(name) is None:
            assert isinstance(context, _Context)
            context.holes[name] = None
            return 0
        return super().render_to_output(context, buffer)


class _PrintTag(Output):
    node_class = _PrintNode


class _StrictIfTag(IfTag):
    mode = Mode.STRICT  # otherwise a second `else` silently swallows its block


class _Environment(Environment):
    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Register what is allowed; all else is an unknown tag or filter."""
        super().setup_tags_and_filters(extra=extra)
        self.add_tag(_PrintTag)
        self.add_tag(_StrictIfTag)
        allowed = {*TAGS, "content", "output", "illegal"}
        self.tags = {name: tag for name, tag in self.tags.items() if name in allowed}
        self.filters = {name: self.filters[name] for name in FILTERS}


@cache
def _environment() -> _Environment:
    return _Environment(undefined=Undefined, tolerance=Mode.STRICT, strict_filters=True)


# --- refusing what is not in the subset


def _scan(body: str) -> None:
    """Check lengths, brackets and tag names before the library's lexer sees the body."""
    if len(body) > MAX_BODY:
        raise TemplateError(f"the template has {len(body)} characters: shorten it to {MAX_BODY}", MAX_BODY)
    if not body or body.isspace():
        raise TemplateError("the template is empty: write the text to send", 0)
    position = 0
    while opening := _OPENING.search(body, position):
        _refuse_stray(body, position, opening.start())
        position = _tag_end(body, opening.start())
    _refuse_stray(body, position, len(body))


def _refuse_stray(body: str, start: int, end: int) -> None:
    for closing, opening in (("}}", "{{"), ("%}", "{%")):
        stray = body.find(closing, start, end)
        if stray >= 0:
            raise TemplateError(f"this {closing} closes nothing: write {opening} before it", stray)


def _tag_end(body: str, start: int) -> int:
    closing = "}}" if body[start + 1] == "{" else "%}"
    end = body.find(closing, start + 2)
    if end < 0:
        raise TemplateError(f"this {body[start : start + 2]} is never closed: write {closing} after it", start)
    if end - start > MAX_TAG:
        raise TemplateError(f"this tag is too long: keep it to {MAX_TAG} characters", start)
    tag = _TAG.match(body, start)
    if tag and tag[1] not in TAGS:
        raise TemplateError(f"unknown tag '{tag[1]}': use one of {', '.join(TAGS)}", start)
    return end + 2


def _vet_all(nodes: Iterable[Node]) -> None:
    for node in _walk(nodes):
        if isinstance(node, IfNode):
            for condition in _conditions(node):
                _vet_condition(condition.expression)
        elif isinstance(node, _PrintNode):
            _vet_print(node)
        elif not isinstance(node, ContentNode | CommentNode):
            raise _refusal("this cannot be used in a text", node.token)


def _vet_print(node: _PrintNode) -> None:
    expression = node.expression
    assert isinstance(expression, FilteredExpression)
    if not isinstance(expression.left, StringLiteral):
        _vet_name(expression.left)
    for used in expression.filters or ():
        _vet_filter(used)
        # Filters check their arguments only when they run, so run each once now.
        used.evaluate("sample", _Context(_environment().from_string(""), {}))


def _vet_filter(used: Filter) -> None:
    if used.name not in FILTERS:
        known = ", ".join(FILTERS)
        raise TemplateError(f"unknown filter '{used.name}': use one of {known}", used.token.start_index)
    fewest, most = FILTERS[used.name]
    if not fewest <= len(used.args) <= most:
        expected = f"{fewest} to {most}" if fewest < most else fewest or "no"
        raise _refusal(f"{used.name} takes {expected} arguments", used.token)
    for argument in used.args:
        literal = isinstance(argument.value, StringLiteral | IntegerLiteral | FloatLiteral)
        if not literal or hasattr(argument, "name"):
            raise _refusal(f'{used.name} takes plain text or numbers, as in "there" or 20', argument.token)


def _vet_name(expression: Expression) -> None:
    path = expression.path if isinstance(expression, Path) else []
    if len(path) != 1 or not isinstance(path[0], str) or not _NAME.match(path[0]):
        written = expression if path else expression.token.value
        raise _refusal(f"'{written}' is no merge field: use letters, digits and dashes", expression.token)


def _vet_condition(expression: Expression) -> None:
    if isinstance(expression, LogicalAndExpression | LogicalOrExpression):
        _vet_condition(expression.left)
        _vet_condition(expression.right)
    elif isinstance(expression, EqExpression | NeExpression | ContainsExpression):
        _vet_name(expression.left)
        expression.right = _vet_literal(expression.right, contains=isinstance(expression, ContainsExpression))
    elif isinstance(expression, Path):
        _vet_name(expression)
    else:
        message = "a condition is a merge field, or compares one by ==, != or contains"
        raise _refusal(f"{message}, as in {_EXAMPLE_IF}", expression.token)


def _vet_literal(literal: Expression, *, contains: bool) -> Expression:
    """What a merge field may be compared with; every way to write "nothing" becomes nil, as values do."""
    text = isinstance(literal, StringLiteral)
    if isinstance(literal, StringLiteral) and literal.value.strip():
        return literal
    if not contains and (text or isinstance(literal, Nil | Blank | Empty)):
        return Nil(literal.token)
    if not contains and isinstance(literal, TrueLiteral | FalseLiteral):
        return literal
    raise _refusal('compare with text in quotes, as in plan == "2"', literal.token)


def _refusal(message: str, token: Token) -> TemplateError:
    return TemplateError(f"{message}, as in {_EXAMPLE}" if "as in" not in message else message, token.start_index)


def _example(body: str, position: int) -> str:
    """What to write instead, by the sort of bracket that the position is in."""
    before = body[: position + 2]
    return _EXAMPLE_IF if before.rfind("{%") > before.rfind("{{") else _EXAMPLE


# --- what the tree says


def _walk(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        if isinstance(node, IfNode):
            blocks = [node.consequence, *(alternative.block for alternative in node.alternatives)]
            for block in (*blocks, node.default):
                yield from _walk(block.nodes if isinstance(block, BlockNode) else ())


def _conditions(node: IfNode) -> Iterator[BooleanExpression]:
    for condition in (node.condition, *(alternative.expression for alternative in node.alternatives)):
        assert isinstance(condition, BooleanExpression)
        yield condition


def _printed(node: _PrintNode) -> tuple[str | None, bool]:
    """The name that a node prints, if any, and whether it is required to have a value."""
    expression = node.expression
    assert isinstance(expression, FilteredExpression)
    if not isinstance(expression.left, Path):
        return None, False
    return str(expression.left.path[0]), all(used.name != "default" for used in expression.filters or ())


def _variables(nodes: Iterable[Node]) -> tuple[Variable, ...]:
    found: dict[str, bool] = {}
    for node in _walk(nodes):
        if isinstance(node, _PrintNode):
            name, required = _printed(node)
            if name is not None:
                found[name] = found.get(name, False) or required
        elif isinstance(node, IfNode):
            for condition in _conditions(node):
                for path in _paths(condition):
                    found.setdefault(str(path.path[0]), False)
    return tuple(Variable(name, required) for name, required in found.items())


def _paths(expression: Expression) -> Iterator[Path]:
    if isinstance(expression, Path):
        yield expression
    for child in expression.children():
        yield from _paths(child)


def _plain_piece(node: Node) -> str | Field | None:
    if isinstance(node, ContentNode):
        return node.text
    name = _printed(node)[0] if isinstance(node, _PrintNode) else None
    if name is None:
        return None
    assert isinstance(node, _PrintNode)
    assert isinstance(node.expression, FilteredExpression)
    filters = node.expression.filters or []
    if not filters:
        return Field(name, None)
    if len(filters) > 1 or filters[0].name != "default":
        return None
    default = filters[0].args[0].value
    assert isinstance(default, StringLiteral | IntegerLiteral | FloatLiteral)
    return Field(name, str(default.value))
