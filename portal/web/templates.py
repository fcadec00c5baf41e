"""Templates compiled once per language: what a language settles is text, not a call made for each page.

A page prints some hundred sentences, icons and addresses. Looked up for every request they cost more
than the figures it is about. So each language has a Jinja environment of its own. While a template is
compiled, `_("...")` becomes the translated text, a sentence with values becomes its pieces with the
values between them, icons, static files and addresses without values become what they print, and so
does what the bank's file says. What a template includes is compiled into it.
Calls that remain are plain Python calls, without Jinja's way of handing its context to functions; the
portal has no function that asks for it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import MutableMapping
from typing import Any

from flask import Flask
from flask.templating import Environment
from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame, MacroRef
from jinja2.environment import TemplateModule
from jinja2.exceptions import TemplateAssertionError
from jinja2.runtime import Context, Macro
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from portal.web import catalogues
from portal.web.locale import as_markup, current_locale

#: What always prints the same for the same words: evaluated while compiling when the arguments are there.
SETTLED = ("icon", "static", "url_for")
#: What the settings say once for all, and filters that ask nothing but their value.
FIXED = ("bank", "demonstration", "html_lang")
PURE_FILTERS = ("phone",)
_SENTENCES = ("_", "gettext")
_PLACE = re.compile(r"%(?:\((\w+)\)([sd])|(.?))", re.DOTALL)


def escaped(value: Any) -> str:
    """`escape` for printing; what is markup already, which most is, passes untouched."""
    return value if type(value) is Markup else escape(value)


class QuickMacro(Macro):
    """A macro called with plain arguments runs its body at once; everything else is Jinja's way. What
    a macro prints, it has escaped."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        special = self.caller or self.catch_kwargs or self.catch_varargs or not self._default_autoescape
        self._most = -1 if special else self._argument_count
        self._absent = [(missing,) * (self._argument_count - n) for n in range(self._argument_count + 1)]

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        """The macro's text as markup."""
        if kwargs or len(args) > self._most:
            return super().__call__(*args, **kwargs)
        return as_markup(self._func(*args, *self._absent[len(args)]))


class SharedTemplate(Template):
    """A template whose imports are made once: every template here sees the same globals."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        if self._module is None:
            self._module = self.make_module()
        return self._module


class Writer(CodeGenerator):
    """Jinja's code generator, with plain calls, quick macros and cheap printing of markup."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        self.writeline(f"from {__name__} import QuickMacro, escaped")
        super().visit_Template(node, frame)

    def writeline(self, x: str, node: nodes.Node | None = None, extra: int = 0) -> None:
        """A block, or the page around it, comes as one text: not piece by piece through every level."""
        whole = x.removeprefix("yield from ")
        super().writeline(x if whole == x else f"yield concat({whole})", node, extra)

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:
        is_word = any(keyword.iskeyword(pair.key) for pair in node.kwargs)  # class=..., say
        if forward_caller or node.dyn_args or node.dyn_kwargs or is_word:
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.visit(node.node, frame)
        self.write("(")
        for argument in node.args:
            self.visit(argument, frame)
            self.write(", ")
        for pair in node.kwargs:
            self.visit(pair, frame)
            self.write(", ")
        self.write(")")

    def macro_def(self, macro_ref: MacroRef, frame: Frame) -> None:
        self.write("Quick")
        super().macro_def(macro_ref, frame)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if not frame.eval_ctx.volatile and frame.eval_ctx.autoescape and finalize.src is None:
            self.write("escaped(")
        else:
            super()._output_child_pre(node, frame, finalize)


class Settling(NodeTransformer):
    """Replaces, in one template, what the language settles."""

    def __init__(self, environment: LanguageEnvironment, language: str) -> None:
        self.environment = environment
        self.language = language
        self.settled: dict[str, Any] = {name: environment.globals[name] for name in SETTLED}

    def visit_Name(self, node: nodes.Name) -> nodes.Expr:
        """`locale` is known; a name whose value is known is nobody else's."""
        if node.name in FIXED and node.ctx != "load":
            raise TemplateAssertionError(f"{node.name} is the portal's own", node.lineno)
        if node.name == "locale" and node.ctx == "load":
            return nodes.Const(self.language)
        return self._known(node)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Expr:
        """`bank.phone`."""
        self.generic_visit(node)
        return self._known(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        """`html_lang[locale]`."""
        self.generic_visit(node)
        return self._known(node)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Expr:
        """`bank.phone|phone`."""
        self.generic_visit(node)
        return self._known(node)

    def _known(self, node: nodes.Expr) -> nodes.Expr:
        """The text or number that `node` always is, where it is one."""
        value = self._value(node)
        return nodes.Const(value) if type(value) in (str, int, bool) else node

    def _value(self, node: nodes.Node | None) -> Any:
        """What an expression is as long as the portal runs; `missing` where only a page knows."""
        if isinstance(node, nodes.Const):
            return node.value
        if isinstance(node, nodes.Name):
            return self.environment.globals[node.name] if node.name in FIXED else missing
        if not isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Filter | nodes.Call):
            return missing
        of = self._value(node.node)
        if of is missing:
            return missing
        if isinstance(node, nodes.Getattr):
            return getattr(of, node.attr, missing)
        if isinstance(node, nodes.Getitem):
            key = self._value(node.arg)
            return missing if key is missing else of.get(key, missing)
        words = [self._value(argument) for argument in node.args]
        if node.kwargs or node.dyn_args or node.dyn_kwargs or missing in words:
            return missing
        if isinstance(node, nodes.Filter):
            return self.environment.filters[node.name](of, *words) if node.name in PURE_FILTERS else missing
        return of(*words)

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        """What a page includes stands in it, in a scope of its own. (Where templates are read again when they
        change, it does not: only the page's own file is looked at.)"""
        name = node.template.value if isinstance(node.template, nodes.Const) else None
        is_plain = node.with_context and not node.ignore_missing and not self.environment.auto_reload
        if not isinstance(name, str) or not is_plain or not self.environment.is_markup(name):
            return node
        included = self.environment.parse_named(name)
        if included.find((nodes.Extends, nodes.Block)):  # type: ignore[arg-type]
            return node
        return nodes.Scope(included.body).set_lineno(node.lineno, override=True)

    def visit_Call(self, node: nodes.Call) -> nodes.Expr:
        """A sentence without values, an icon, a fixed address, the bank's name."""
        self.generic_visit(node)
        known = self._known(node)
        if known is not node:
            return known
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        words = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
        if node.kwargs or node.dyn_args or node.dyn_kwargs or len(words) < len(node.args) or not words:
            return node
        if name in _SENTENCES:
            return nodes.Const(catalogues.plain(self.language, words[0]))
        if name in SETTLED:
            return nodes.Const(self.settled[name](*words))
        return node

    def visit_Output(self, node: nodes.Output) -> list[nodes.Node]:
        """Sentences with values in pieces, and a choice between two as a branch."""
        self.generic_visit(node)
        return [part.set_lineno(node.lineno) for part in self._printed(node.nodes)]

    def _printed(self, children: list[nodes.Expr]) -> list[nodes.Node]:
        made: list[nodes.Node] = []
        plain: list[nodes.Expr] = []
        for part in (part for child in children for part in self._parts(child)):
            if isinstance(part, nodes.Expr):
                plain.append(part)
                continue
            if plain:
                made.append(nodes.Output(plain))
                plain = []
            made.append(part)
        return [*made, nodes.Output(plain)] if plain else made

    def _parts(self, child: nodes.Expr) -> list[nodes.Node]:
        """What is printed for one `{{ }}`: expressions, or an If."""
        if isinstance(child, nodes.CondExpr):
            other = self._printed([child.expr2]) if child.expr2 else []
            return [nodes.If(child.test, self._printed([child.expr1]), [], other)]
        if isinstance(child, nodes.Call) and isinstance(child.node, nodes.Name):
            if child.node.name in _SENTENCES:
                return self._sentence(child) or [child]
            if child.node.name == "ngettext":
                return self._counted(child) or [child]
        return [child]

    def _sentence(self, call: nodes.Call) -> list[nodes.Node] | None:
        if len(call.args) != 1 or not isinstance(call.args[0], nodes.Const) or call.dyn_kwargs:
            return None
        text = catalogues.text(self.language, call.args[0].value)
        return _pieces(text, {pair.key: pair.value for pair in call.kwargs})

    def _counted(self, call: nodes.Call) -> list[nodes.Node] | None:
        """A sentence with a number, where the language has one form or tells one from more."""
        words = [word.value for word in call.args[:2] if isinstance(word, nodes.Const)]
        if len(words) != 2 or len(call.args) != 3 or call.dyn_args or call.dyn_kwargs:
            return None
        one, many = (catalogues.counted(self.language, words[0], words[1], num) for num in (1, 2))
        number = call.args[2]
        values = {"num": number} | {pair.key: pair.value for pair in call.kwargs}
        of_one, of_many = _pieces(one, values), _pieces(many, values)
        if of_one is None or of_many is None or not catalogues.is_one_or_more(self.language):
            return None
        if one == many:
            return of_many
        test = nodes.Compare(number, [nodes.Operand("eq", nodes.Const(1))])
        return [nodes.If(test, self._printed(of_one), [], self._printed(of_many))]


def _pieces(text: str, values: dict[str, nodes.Expr]) -> list[Any] | None:
    """`text` as it is printed: what stands between its places, and the values in them. None where the
    text asks for something else, which is then left to Python's own formatting."""
    made: list[Any] = []
    last = 0
    for found in _PLACE.finditer(text):
        name, _, other = found.groups()
        if name not in values if name else other != "%":
            return None
        made.append(nodes.TemplateData(text[last : found.start()]))
        made.append(nodes.TemplateData("%") if name is None else values[name])
        last = found.end()
    return [*made, nodes.TemplateData(text[last:])]


class LanguageEnvironment(Environment):
    """Flask's environment, which hands out the templates of the request's language."""

    code_generator_class = Writer
    template_class = SharedTemplate
    #: The language of this environment's templates; None for the one that only hands them out.
    language: str | None = None
    #: The templates of this environment by their names.
    _compiled: dict[str, Template]

    def get_or_select_template(
        self,
        template_name_or_list: str | Template | list[str | Template],
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """The template in the reader's language; what it extends and includes is in the same."""
        if self.language is None:
            return self.of(current_locale()).get_or_select_template(template_name_or_list, parent, globals)
        return super().get_or_select_template(template_name_or_list, parent, globals)

    def of(self, language: str) -> LanguageEnvironment:
        """The environment of one language: the same loader, filters and globals, its own compiled code."""
        made: dict[str, LanguageEnvironment] = self.app.extensions.setdefault("portal.templates", {})
        if language not in made:
            overlay = self.overlay(cache_size=-1)
            overlay.language, overlay._compiled = language, {}
            made[language] = overlay
        return made[language]

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """As Jinja's; what was compiled is one look-up away, and a page asks a dozen times."""
        if self.language is None or self.auto_reload or globals or not isinstance(name, str):
            return super().get_template(name, parent, globals)
        found = self._compiled.get(name)
        if found is None:
            found = self._compiled[name] = super().get_template(name, parent, globals)
        return found

    def parse_named(self, name: str) -> nodes.Template:
        """The settled template `name`."""
        assert self.loader is not None
        source, filename, _ = self.loader.get_source(self, name)
        return self._parse(source, name, filename)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """The environment's own globals: Jinja's chain of mappings is slow to copy for each page."""
        return {**self.globals, **d} if d else self.globals

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        if self.language is None or not self.is_markup(name):
            return template
        Settling(self, self.language).visit(template)
        template.set_lineno(1)  # of those new nodes that stand in no output
        template.set_environment(self)
        return template

    def is_markup(self, name: str | None) -> bool:
        """Whether what the template prints is escaped; only then are sentences taken apart."""
        return bool(self.autoescape(name)) if callable(self.autoescape) else bool(self.autoescape)


def init_app(app: Flask) -> None:
    """Before anything else touches the app's Jinja environment, which is made on first use."""
    app.jinja_environment = LanguageEnvironment
