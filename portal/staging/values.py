"""How a database makes values of cells that the reading has found good: expressions over text, per kind of
field, for both databases.

Pure: texts of SQL, made from the mapping and from names of ours; `{field}` stands for a cell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Table

from portal.accounts.balance import CHARGES
from portal.bank_files.fields import AMOUNTS, Forms
from portal.bank_files.mapping import FileForm
from portal.bank_files.mapping import Mapping as BankMapping
from portal.staging.stage import Loaded

Made = tuple[str, str, str]


def loaded(form: FileForm, mapping: BankMapping, *, is_sqlite: bool) -> Loaded:
    """The temporary table of one file: every field as a typed column, fees and costs told apart where the
    kind of a line tells them (`open` is what it does not tell). Amounts arrive in minor units."""
    fields = list(form.columns.values())
    made: list[Made] = []
    for name in fields:
        if name != "charges" or form.kind != "ledger":
            made.append(_column(name, form, mapping.forms, is_sqlite))
    if form.kind == "ledger":
        made = _ledger(made, form)
    has_point = mapping.forms.amount == "point"
    return Loaded(
        f"in_{form.kind}",
        fields,
        made,
        delimiter=mapping.delimiter,
        amounts=[name for name in fields if has_point and form.fields[name].kind in AMOUNTS],
        optional=[name for name in fields if form.fields[name].optional],
    )


def _column(name: str, form: FileForm, forms: Forms, is_sqlite: bool) -> Made:
    spec, cell = form.fields[name], f"{{{name}}}"
    if spec.kind in AMOUNTS or spec.kind == "number":
        return name, "bigint", cell
    if spec.kind == "date":
        return name, "text" if is_sqlite else "date", _date(cell, forms.date, is_sqlite)
    if spec.kind == "code":
        return name, "text", _code(cell, form.codes[name])
    return name, "text", cell


def _date(cell: str, form: str, is_sqlite: bool) -> str:
    """A date from its place in the declared form; the reading has proved that it exists."""
    if form == "YYYY-MM-DD":
        return cell
    parts = [f"substr({cell}, {form.index(token) + 1}, {len(token)})" for token in ("YYYY", "MM", "DD")]
    if is_sqlite:
        return " || '-' || ".join(parts)
    return "make_date(" + ", ".join(f"CAST({part} AS integer)" for part in parts) + ")"


def _code(cell: str, codes: Table[str, str]) -> str:
    if all(text == stored for text, stored in codes.items()):
        return cell
    cases = " ".join(f"WHEN {quote(text)} THEN {quote(stored)}" for text, stored in codes.items())
    return f"CASE {cell} {cases} END"


def quote(text: str) -> str:
    """A text as a constant of SQL in an expression with `{field}` marks."""
    return "'" + re.sub("([{}])", r"\1\1", text.replace("'", "''")) + "'"


def _ledger(made: list[Made], form: FileForm) -> list[Made]:
    """Kind, fee, cost and what is open between the two."""
    found = {name: (name, type_, expression) for name, type_, expression in made}
    kind = found["kind"][2]
    if form.cost_memos:
        memos = ", ".join(quote(memo) for memo in sorted(form.cost_memos))
        kind = f"CASE WHEN ({kind}) = 'fee' AND {{memo}} IN ({memos}) THEN 'cost' ELSE ({kind}) END"
        found["kind"] = ("kind", "text", kind)
    if "charges" in form.columns.values():
        charges = "CAST({charges} AS bigint)"
        told = ", ".join(quote(name) for name in sorted(CHARGES))
        found["fee"] = (
            "fee",
            "bigint",
            f"CASE WHEN ({kind}) IN ({told}) AND ({kind}) <> 'cost' THEN {charges} ELSE 0 END",
        )
        found["cost"] = ("cost", "bigint", f"CASE WHEN ({kind}) = 'cost' THEN {charges} ELSE 0 END")
        found["open"] = ("open", "bigint", f"CASE WHEN ({kind}) IN ({told}) THEN 0 ELSE {charges} END")
    else:
        found["open"] = ("open", "bigint", "CAST(0 AS bigint)")
    if "external_ref" not in found:
        found["external_ref"] = ("external_ref", "text", "CAST(NULL AS text)")
    return list(found.values())
