"""Templates as each language compiles them: what is settled, what is printed each time, and its escaping."""

from __future__ import annotations

import pytest
from flask import Flask
from jinja2 import DictLoader, TemplateAssertionError

from portal.web.locale import LOCALES
from portal.web.templates import LanguageEnvironment


def printed(app: Flask, language: str, source: str, **values: object) -> str:
    """What `source` prints in a language, as a page's template does."""
    environment = app.jinja_env
    assert isinstance(environment, LanguageEnvironment)
    with app.test_request_context("/"):
        own = environment.of(language)
        code = own.compile(source, "page.html", "page.html")
        return own.template_class.from_code(own, code, own.globals).render(**values)


@pytest.mark.parametrize("language", LOCALES)
def test_every_template_compiles_in_every_language(sqlite_app: Flask, language: str) -> None:
    environment = sqlite_app.jinja_env
    with sqlite_app.test_request_context("/"):
        for name in environment.list_templates(extensions=["html"]):
            environment.of(language).get_template(name)


def test_a_sentence_is_in_the_language_of_the_environment(sqlite_app: Flask) -> None:
    assert printed(sqlite_app, "en", '{{ _("Balance") }} {{ locale }}') == "Balance en"
    assert printed(sqlite_app, "zh", '{{ _("Balance") }} {{ locale }}') == "余额 zh"


def test_values_of_a_sentence_are_escaped_in_every_place(sqlite_app: Flask) -> None:
    sentence = '_("The sum of %(a)s and %(b)s, 5 %% more", a=a, b=b)'
    wanted = "The sum of &lt;b&gt; and 7, 5 % more"
    for source in ("{{ %s }}", "{%% set text = %s %%}{{ text }}", '{{ %s if a else "" }}'):
        assert printed(sqlite_app, "en", source % sentence, a="<b>", b=7) == wanted


@pytest.mark.parametrize(
    ("count", "wanted"), [(0, "0 notes of &amp;"), (1, "1 note of &amp;"), (2, "2 notes of &amp;")]
)
def test_a_counted_sentence_takes_the_form_of_its_number(sqlite_app: Flask, count: int, wanted: str) -> None:
    source = '{{ ngettext("%(num)s note of %(who)s", "%(num)s notes of %(who)s", n, who="&") }}'
    assert printed(sqlite_app, "en", source, n=count) == wanted


def test_what_is_not_markup_is_escaped_and_what_is_stays(sqlite_app: Flask) -> None:
    source = '{{ text }}{{ icon("check") }}{% macro m(x, y="&") %}<i>{{ x }}{{ y }}</i>{% endmacro %}'
    source += '{{ m("<") }}{{ m("<", "b") }}{{ m(y="c", x="<") }}'
    page = printed(sqlite_app, "en", source, text="<script>")
    assert page.startswith("&lt;script&gt;<svg ")
    assert page.endswith("<i>&lt;&amp;</i><i>&lt;b</i><i>&lt;c</i>")


def test_a_macro_refuses_what_it_does_not_take(sqlite_app: Flask) -> None:
    for call in ('m("a", "b")', 'm(z="a")'):
        with pytest.raises(TypeError):
            printed(sqlite_app, "en", "{% macro m(x) %}{{ x }}{% endmacro %}{{ " + call + " }}")


def test_what_the_settings_say_is_compiled_in_and_escaped(sqlite_app: Flask) -> None:
    source = '{{ bank.name(locale) }}|{{ bank.phone|phone }}|{{ html_lang[locale] }}|{{ "<" ~ bank.code }}'
    bank = sqlite_app.extensions["portal"].settings.bank
    wanted = f"{bank.name('zh')}|400-000-0001|zh-CN|&lt;{bank.code}"
    assert printed(sqlite_app, "zh", source) == wanted


def test_no_template_takes_a_name_that_is_known(sqlite_app: Flask) -> None:
    with pytest.raises(TemplateAssertionError, match="bank"):
        printed(sqlite_app, "en", '{% set bank = "mine" %}{{ bank }}')


def test_what_is_included_sees_the_page_and_leaves_nothing_in_it(sqlite_app: Flask) -> None:
    parts = {
        "part.html": '{% set inner = "in" %}{{ outer }}{{ one }}{{ inner }}{{ loop.index }}',
        "page.html": '{% set outer = "<" %}{% for one in ones %}{% include "part.html" %};{% endfor %}{{ inner }}',
    }
    environment = sqlite_app.jinja_env
    assert isinstance(environment, LanguageEnvironment)
    with sqlite_app.test_request_context("/"):
        own = environment.of("en").overlay(loader=DictLoader(parts))
        own._compiled = {}
        assert own.get_template("page.html").render(ones=["a", "&"]) == "&lt;ain1;&lt;&amp;in2;"
