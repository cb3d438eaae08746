"""Text templates: what may be written, what is printed, and what stops an envelope."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid import Environment

from opengage.domain import liquid_subset, templates
from opengage.domain.templates import (
    EmptyText,
    MissingVariable,
    RenderError,
    Template,
    TemplateError,
    TooLong,
    UnusableValue,
    Variable,
    compile_template,
)

VALUES = {
    "first-name": "Ann",
    "plan": "2",
    "vip": True,
    "off": False,
    "count": 7,
    "blank": "  ",
    "null": None,
}

RENDERED = [
    ("Hello", "Hello"),
    ("Hi {{first-name}}!", "Hi Ann!"),
    ("Hi {{ first-name }}!", "Hi Ann!"),
    ("Hi \n {{- first-name -}} \n !", "HiAnn!"),
    ("{{ first-name }}{{ first-name }}", "AnnAnn"),
    ('Hi {{ nobody | default: "there" }}', "Hi there"),
    ("Hi {{ nobody | default: 'there' }}", "Hi there"),
    ('Hi {{ nobody | default: "" }}!', "Hi !"),
    ("Hi {{ nobody | default: 0 }}!", "Hi 0!"),
    ("Hi {{ nobody | default: 1.5 }}!", "Hi 1.5!"),
    ('Hi {{ gap | default: "there" }}', "Hi there"),
    ('Hi {{ nothing | default: "there" }}', "Hi there"),
    ('Hi {{ off | default: "there" }}', "Hi there"),
    ('Hi {{ first-name | default: "there" }}', "Hi Ann"),
    ('{{ nobody | strip | default: "x" | upcase }}', "X"),
    ('{{ nobody | default: "x" | upcase }}', "X"),
    ("{{ count }} {{ vip }} {{ off }}", "7 true false"),
    ("{{ first-name | upcase }}", "ANN"),
    ("{{ first-name | downcase }}", "ann"),
    ("{{ first-name | truncate: 2, '' }}", "An"),
    ("{{ 'a b c' | truncatewords: 2 }}", "a b..."),
    ("{{ 'ann' | capitalize }}", "Ann"),
    ('{{ "{{" }}', "{{"),
    ("{% if first-name %}Hi {{ first-name }}{% else %}Hello{% endif %}", "Hi Ann"),
    ("{% if nobody %}Hi {{ nobody }}{% else %}Hello{% endif %}", "Hello"),
    ("{% if gap %}Hi {{ gap }}{% else %}Hello{% endif %}", "Hello"),
    ("{% if off %}a{% elsif vip %}b{% endif %}", "b"),
    ('{% if plan == "2" %}two{% endif %}', "two"),
    ('{% if count == "7" %}seven{% endif %}', "seven"),
    ('{% if plan != "2" %}a{% else %}b{% endif %}', "b"),
    ("{% if vip == true and off == false %}a{% endif %}", "a"),
    ("{% if nobody == blank and gap == empty and nothing == nil and nobody == '' %}a{% endif %}", "a"),
    ("{% if first-name != blank %}a{% endif %}", "a"),
    ('{% if first-name contains "nn" or nobody contains "x" %}a{% endif %}', "a"),
    ("a{% comment %} {{ first-name }} {% endcomment %}b", "ab"),
]

REFUSED = [
    ("", "empty", 0),
    (" \n", "empty", 0),
    ("x" * 10_001, "10001 characters", 10_000),
    ("Hi {{ first-name", "never closed", 3),
    ("Hi first-name }}", "closes nothing", 14),
    ("Hi {% if a", "never closed", 3),
    ("a %}", "closes nothing", 2),
    ("{{ " + "a" * 300 + " }}", "too long", 0),
    ("{{ first name }}", "end of expression", 9),
    ("{{}}", "primitive", 0),
    ("{{ 7 }}", "no merge field", 3),
    ("{{1}}", "no merge field", 2),
    ("{{7*7}}", "unexpected '*'", 3),
    ("{{ true }}", "no merge field", 3),
    ("{{ nil }}", "'nil' is no merge field", 3),
    ("{{ blank }}", "'blank' is no merge field", 3),
    ("{{ __class__ }}", "no merge field", 3),
    ("{{ first-name.__class__ }}", "no merge field", 3),
    ("{{ first-name.size }}", "no merge field", 3),
    ("{{ first-name[0] }}", "no merge field", 3),
    ("{{ ['first name'] }}", "no merge field", 3),
    ("{{ first-name? }}", "no merge field", 3),
    ("{{ (1..10000000) }}", "no merge field", 3),
    ("{{ (1..10000000) | join }}", "no merge field", 3),
    ("{{ first-name | date: '%Y' }}", "unknown filter 'date': use one of default", 16),
    ("{{ first-name | append: 'x' }}", "unknown filter", 16),
    ("{{ first-name | default }}", "takes 1 arguments", 16),
    ("{{ first-name | upcase: 3 }}", "takes no arguments", 16),
    ("{{ first-name | default: last-name }}", "plain text or numbers", 25),
    ("{{ first-name | default: (1..9) }}", "plain text or numbers", 25),
    ("{{ first-name | default: allow_false: true }}", "plain text or numbers", 25),
    ("{{ first-name | default: default_: 'x' }}", "plain text or numbers", 25),
    ("{{ first-name | truncate: 'x' }}", "expected an integer", 16),
    ("{% for i in (1..3) %}x{% endfor %}", "unknown tag 'for': use one of if", 0),
    ("{% assign x = 1 %}", "unknown tag", 0),
    ("{% include 'x' %}", "unknown tag", 0),
    ("{% render 'x' %}", "unknown tag", 0),
    ("{% raw %}x{% endraw %}", "unknown tag", 0),
    ("{%- liquid echo x %}", "unknown tag", 0),
    ("{% # x %}", "unknown tag", 0),
    ("{% %}", "unknown tag", 0),
    ("{% if a %}x", "endif", 0),
    ("x{% endif %}", "endif", 4),
    ("{% comment %}x", "never closed", 3),
    ("{% if a %}x{% else %}y{% else %}z{% endif %}", "endif", 25),
    ("{% if a > 3 %}x{% endif %}", "compares one by ==", 8),
    ("{% if a == 3 %}x{% endif %}", "in quotes", 11),
    ("{% if a == b %}x{% endif %}", "in quotes", 11),
    ('{% if a contains "" %}x{% endif %}', "in quotes", 17),
    ("{% if a contains true %}x{% endif %}", "in quotes", 17),
    ("{% if (1..9) %}x{% endif %}", "compares one by ==", 6),
    ("{% if a and 3 %}x{% endif %}", "compares one by ==", 12),
    ("{% if a.b %}x{% endif %}", "no merge field", 6),
    ("{% if a %}{% elsif 3 %}x{% endif %}", "compares one by ==", 19),
    ("{% if a %}{% if 3 %}x{% endif %}{% endif %}", "compares one by ==", 16),
    ("{% if a %}x{% else %}{{ 3 }}{% endif %}", "no merge field", 24),
    ("{%if a%}" * 40 + "x" + "{%endif%}" * 40, "nesting", 250),
]


@pytest.mark.parametrize(("body", "text"), RENDERED)
def test_rendering(body: str, text: str) -> None:
    """Merge fields, filters and conditions print what the template's author meant, by either path."""
    template = compile_template(body)
    assert template.render(VALUES) == text
    assert template.render_by_library(VALUES) == text


@pytest.mark.parametrize(("body", "message", "position"), REFUSED)
def test_refusals(body: str, message: str, position: int) -> None:
    """A template that could fail or surprise is refused when it is written, with reason, mend and place."""
    with pytest.raises(TemplateError) as caught:
        compile_template(body)
    assert message in caught.value.message
    assert re.search(r": \w|as in ", caught.value.message)
    assert caught.value.position == position


@pytest.mark.parametrize("value", [None, "", " ", "\n\t", "\u00a0"])
@pytest.mark.parametrize("body", ["Hi {{ first-name }}{{ last-name }}", "{{ first-name | upcase }}{{ last-name }}"])
def test_no_hole(body: str, value: object) -> None:
    """A value with nothing to read stops the envelope like a missing one, and all are named at once."""
    with pytest.raises(MissingVariable) as caught:
        compile_template(body).render({"first-name": value})
    assert caught.value.names == ("first-name", "last-name")
    assert caught.value.reason == "missing-variable"
    assert "first-name, last-name" in caught.value.message


@pytest.mark.parametrize("value", [["Ann"], {"en": "Ann"}, 10**600, "x" * 10_001, b"Ann", object()])
@pytest.mark.parametrize("body", ["{{ a }}", '{{ a | default: "x" }}', "{{ a | upcase }}", "{% if a %}x{% endif %}"])
def test_unusable_values(body: str, value: object) -> None:
    """Lists, objects and monstrous values are refused by name; nobody is texted a Python representation."""
    with pytest.raises(UnusableValue) as caught:
        compile_template(body).render({"a": value})
    assert caught.value.names == ("a",)
    assert caught.value.reason == "missing-variable"


def test_misfit_in_a_condition() -> None:
    """True contains no text: that stops the envelope instead of the blast."""
    with pytest.raises(UnusableValue, match="does not fit"):
        compile_template('{% if vip contains "x" %}a{% endif %}b').render({"vip": True})


def test_unused_values_are_ignored() -> None:
    """Meta may hold more than the template uses, whatever its type."""
    assert compile_template("Hi {{ a }}").render({"a": "x", "b": ["y"]}) == "Hi x"


@pytest.mark.parametrize("body", ["{{ now }}", "{{ today }}", "{{ forloop }}"])
def test_no_ambient_names(body: str) -> None:
    """The library's own globals, the clock among them, do not exist."""
    with pytest.raises(MissingVariable):
        compile_template(body).render({})
    with pytest.raises(MissingVariable):
        compile_template(body).render_by_library({})


@pytest.mark.parametrize("body", ["{{ a }}", "{{ a | strip }}"])
def test_too_long(body: str) -> None:
    """A text of 1,600 characters passes and one of 1,601 does not."""
    template = compile_template(body)
    assert len(template.render({"a": "x" * 1_600})) == 1_600
    with pytest.raises(TooLong, match="1601") as caught:
        template.render({"a": "x" * 1_601})
    assert caught.value.reason == "too-long"


@pytest.mark.parametrize("body", ["{% if a %}x{% endif %}", '{{ a | default: " " }}', '{{ a | default: "" | strip }}'])
def test_empty_text(body: str) -> None:
    """An empty text is not sent."""
    with pytest.raises(EmptyText):
        compile_template(body).render({})


def test_variables() -> None:
    """Variables come in order of use, each required if any use of it prints it without a default."""
    body = '{{ b | default: "x" }}{{ a }}{% if c %}{{ b }}{% elsif d == "1" %}{{ e | default: 1 }}{% endif %}'
    expected = [("b", True), ("a", True), ("c", False), ("d", False), ("e", False)]
    assert compile_template(body).variables == tuple(Variable(*each) for each in expected)


@pytest.mark.parametrize(
    ("body", "plain"),
    [
        ("Hi {{ a }}", True),
        ('{{ a | default: "x" }}', True),
        ("Hi", True),
        ("{{ a | upcase }}", False),
        ('{{ a | default: "x" | upcase }}', False),
        ('{{ "x" }}', False),
        ("{% if a %}x{% endif %}", False),
        ("a{% comment %}b{% endcomment %}", False),
    ],
)
def test_fast_path_is_taken(body: str, plain: bool) -> None:
    """Plain templates take the fast path, and all others the library's."""
    assert compile_template(body).is_plain is plain


NAMES = st.sampled_from(["first-name", "last-name", "a", "b2"])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="{}%"), max_size=12)
FIELDS = st.one_of(
    st.builds("{{{{{}}}}}".format, NAMES),
    st.builds("{{{{- {} -}}}}".format, NAMES),
    st.builds('{{{{ {} | default: "{}" }}}}'.format, NAMES, TEXT.filter(lambda text: '"' not in text)),
    st.builds("{{{{ {} | default: {} }}}}".format, NAMES, st.integers(-99, 99)),
)
BODIES = st.lists(st.one_of(TEXT, FIELDS), min_size=1, max_size=8).map("".join)
META = st.dictionaries(
    NAMES, st.one_of(TEXT, st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.just("  "))
)


@given(BODIES, META)
def test_fast_path_equals_the_library(body: str, meta: dict[str, object]) -> None:
    """On any plain template and any values the two paths print the same, or stop for the same reason."""
    try:
        template = compile_template(body)
    except TemplateError:
        assert not body.strip()
        return
    assert template.is_plain
    assert _outcome(template.render, meta) == _outcome(template.render_by_library, meta)


@given(BODIES.filter(str.strip), st.dictionaries(NAMES, TEXT.filter(str.strip)))
def test_full_values_print_as_plain_liquid_does(body: str, meta: dict[str, str]) -> None:
    """Where every value is there, the uncut library prints the same text, but for NULs."""
    values = dict.fromkeys(["first-name", "last-name", "a", "b2"], "x") | meta
    expected = Environment().from_string(body).render(**values).replace("\0", "")
    try:
        assert compile_template(body).render(values) == expected
    except EmptyText:
        assert not expected.strip()


FRAGMENTS = st.sampled_from(
    [
        *"ab .-[]()|:'x1\n",
        *("{{", "}}", "{{ a }}", "{{ a |", " upcase", " default: ", "'x'"),
        *("{%", "%}", "{% if a %}", "{% if a == ", "{% else %}", "{% endif %}"),
        *("{% comment %}", "{% endcomment %}"),
    ]
)


@given(st.lists(FRAGMENTS, max_size=20).map("".join))
def test_any_body_gets_an_answer(body: str) -> None:
    """Whatever is written, it compiles or is refused with a place inside it; and it then renders or stops."""
    position, template = _compiled(body)
    assert 0 <= position <= len(body)
    if template is not None:
        assert _outcome(template.render, {"a": "x"}) == _outcome(template.render_by_library, {"a": "x"})


def _compiled(body: str) -> tuple[int, Template | None]:
    try:
        return 0, compile_template(body)
    except TemplateError as error:
        return error.position, None


def _outcome(render: object, meta: dict[str, object]) -> object:
    assert callable(render)
    try:
        return render(meta)
    except RenderError as error:
        return type(error), error.names


def test_nothing_else_is_registered() -> None:
    """Beside the checks on what is written, the library itself knows no other tag or filter."""
    environment = liquid_subset._environment()
    assert set(environment.filters) == set(templates.FILTERS)
    assert set(environment.tags) == {"if", "comment", "content", "output", "illegal"}


def test_limits_are_the_documented_ones() -> None:
    """Operators are told these figures."""
    assert (templates.MAX_BODY, templates.MAX_OUTPUT, liquid_subset.MAX_TAG) == (10_000, 1_600, 300)


@pytest.mark.parametrize("body", ["Hi {{ name }}", "{% if name %}Hi {{ name }}{% endif %}"])
def test_nul_is_left_out(body: str) -> None:
    """A character that ends the text in some places and is refused in others reaches neither store nor handset."""
    assert compile_template(body).render({"name": "A\0da"}) == "Hi Ada"
