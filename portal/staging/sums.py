"""What each loan's lines will add up to once a batch is in: expressions over the book and the staged lines.

Texts of SQL. A loan's sums are those of its balance row and of its new lines; where the portal posted
lines of its own, the bank's lines are added up without them (`in_core`).
"""

from __future__ import annotations

from portal.accounts.balance import COMPONENTS, moves
from portal.staging.stage import Stage

#: Joins that `sum_of` needs, after a `b` with a loan_ref.
JOINS = """
    LEFT JOIN loan hl ON hl.loan_ref = b.loan_ref
    LEFT JOIN loan_balance h ON h.loan_id = hl.id
    LEFT JOIN in_core c ON c.loan_ref = b.loan_ref
    LEFT JOIN in_sums n ON n.loan_ref = b.loan_ref"""


def sum_of(name: str, what: str, *, before: bool = False) -> str:
    """The bank's own sum of one component, with this batch or as it was `before` it; `what` is owed, paid,
    forgiven or left."""
    if what == "left":
        owed, paid, forgiven = (sum_of(name, part, before=before) for part in ("owed", "paid", "forgiven"))
        return f"({owed} - {paid} - {forgiven})"
    if name == "charges":
        return f"({sum_of('fee', what, before=before)} + {sum_of('cost', what, before=before)})"
    if before:
        return f"COALESCE(c.{name}_{what}, h.{name}_{what}_minor, 0)"
    return f"(COALESCE(c.{name}_{what}, h.{name}_{what}_minor, 0) + COALESCE(n.{name}_{what}, 0))"


def line_count() -> str:
    """How many lines of the bank the loan then has."""
    return "(COALESCE(c.lines, h.line_count, 0) + COALESCE(n.lines, 0))"


def create_core(stage: Stage) -> None:
    """The sums of the bank's lines of each loan on which the portal posted lines of its own."""
    effect = "COALESCE(o.kind, g.kind)"
    kinds = ["disbursement", "interest", "penalty_interest", "fee", "cost", "payment", "waiver"]
    sums = []
    for what in ("owed", "paid", "forgiven"):
        named = ", ".join(f"'{kind}'" for kind in kinds if moves(kind) == what)
        sign = "" if what == "owed" else "-"
        sums += [
            f"CAST(sum(CASE WHEN {effect} IN ({named}) THEN {sign}g.{name}_minor ELSE 0 END) AS bigint)"
            f" AS {name}_{what}"
            for name in COMPONENTS
        ]
    stage.run(f"""
        CREATE TEMPORARY TABLE in_core AS
        SELECT l.loan_ref, count(*) AS lines, {", ".join(sums)}
        FROM ledger_line g JOIN loan l ON l.id = g.loan_id LEFT JOIN ledger_line o ON o.id = g.reverses_id
        WHERE g.source = 'core'
        AND g.loan_id IN (SELECT p.loan_id FROM ledger_line p WHERE p.source = 'portal')
        GROUP BY l.loan_ref""")  # noqa: S608 - names of ours
    stage.unique("in_core", "loan_ref")
    stage.analyze("in_core")
