"""The checks of the ledger file: each line by itself, against its earlier self, and what it reverses.

The order of the rows does not matter. What holds for all lines is proved by the database; a line that
fails the proof is named by the rules of `lines`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from portal.accounts.balance import CHARGES, COMPONENTS
from portal.bank_files.lines import ChargesLeft, CoreLine, line_faults, split_charges

if TYPE_CHECKING:
    from portal.staging.checks import Check

#: What a line of the book and a staged one are compared by and drawn with.
_AMOUNTS = ("cost", "fee", "penalty_interest", "interest", "principal")
_FIELDS = (
    "line", "line_ref", "loan_ref", "posted_on", "kind", *_AMOUNTS, "open", "memo", "reverses_ref", "external_ref",
)  # fmt: skip
_OWN = {
    "disbursement": "principal",
    "interest": "interest",
    "penalty_interest": "penalty_interest",
    "fee": "fee",
    "cost": "cost",
}


class LedgerCheck:
    """The ledger file of one batch; leaves `in_sums`, what its new lines add up to per loan."""

    def __init__(self, check: Check) -> None:
        self.check, self.stage = check, check.stage

    def staged(self) -> None:
        """Check the staged lines, and add the new ones up."""
        self.stage.run("CREATE TEMPORARY TABLE in_unsound (line bigint PRIMARY KEY)")
        self.stage.run("CREATE TEMPORARY TABLE in_found (line bigint)")
        self.stage.run("CREATE TEMPORARY TABLE in_effect (line bigint PRIMARY KEY, effect text)")
        self.stage.run("CREATE TEMPORARY TABLE in_split (line bigint PRIMARY KEY, cost bigint, fee bigint)")
        if "ledger" in self.check.manifest.files:
            self.merged = "charges" in self.check.mapping.files["ledger"].header_of
            self._loans()
            self._each()
            self._put_aside()
            if self.check.checked.has_lines:
                self._known()
            self._reversals()
            self._split()
        self._add_up()

    @property
    def lines(self) -> str:
        """The staged lines that are new."""
        return self.check.checked.lines

    def _loans(self) -> None:
        """Lines of loans that are nowhere; of those that were refused they are not complained of again."""
        self.stage.run("""
            INSERT INTO in_unsound SELECT s.line FROM in_ledger s
            WHERE NOT EXISTS (SELECT 1 FROM in_loans t WHERE t.loan_ref = s.loan_ref)
            AND NOT EXISTS (SELECT 1 FROM loan l WHERE l.loan_ref = s.loan_ref)""")
        if self._any_unsound():
            strange = "(SELECT s.* FROM in_ledger s JOIN in_unsound u ON u.line = s.line)"
            self.check.refers("ledger", "loans", "loan_ref", table=strange)

    def _any_unsound(self) -> bool:
        return bool(self.stage.value("SELECT EXISTS (SELECT 1 FROM in_unsound)"))

    def _each(self) -> None:
        """Lines that do not fit their kind, or are posted after the business date."""
        day = self.check.manifest.business_date
        at = f"'{day.isoformat()}'"
        sql = f"""
            SELECT {", ".join(_FIELDS)} FROM in_ledger
            WHERE posted_on > {at} OR {_does_not_fit()} ORDER BY line"""  # noqa: S608
        bad = []
        for row in self.stage.rows(sql):
            number, line = row[0], self._line(row)
            bad.append(number)
            if line.posted_on > day:
                self.check.refuse(
                    "ledger", number, "posted_future", "posted_on", line.posted_on, business_date=day
                )
            for reason, column in line_faults(line):
                shown = "charges" if column in ("fee", "cost") and self.merged else column
                self.check.refuse("ledger", number, reason, shown, self._shown(line, shown))
            if len(bad) >= 10_000:
                self._unsound(bad)
                bad.clear()
        self._unsound(bad)

    def _shown(self, line: CoreLine, column: str) -> Any:
        if column == "charges":
            return line.amounts["fee"] + line.amounts["cost"] + (line.charges_minor or 0)
        return line.amounts[column] if column in line.amounts else getattr(line, column)

    def _line(self, row: tuple[Any, ...]) -> CoreLine:
        values = dict(zip(_FIELDS, row, strict=True))
        return CoreLine(
            line_ref=values["line_ref"],
            loan_ref=values["loan_ref"],
            posted_on=self.stage.day(values["posted_on"]),
            kind=values["kind"],
            amounts={name: values[name] for name in COMPONENTS},
            charges_minor=values["open"] or None,
            memo=values["memo"] or "",
            reverses_ref=values["reverses_ref"],
            external_ref=values["external_ref"] or "",
        )

    def _unsound(self, numbers: Iterable[int]) -> None:
        self.stage.run("DELETE FROM in_found")
        self.stage.fill("in_found", ("line",), ((number,) for number in numbers))
        self.stage.run("""
            INSERT INTO in_unsound SELECT f.line FROM in_found f
            WHERE NOT EXISTS (SELECT 1 FROM in_unsound u WHERE u.line = f.line)""")

    def _put_aside(self) -> None:
        """Lines refused, and lines of loans that are not there, count no further."""
        if not self._any_unsound():
            return
        self.stage.run("""
            INSERT INTO in_refused (kind, ref)
            SELECT 'ledger', s.line_ref FROM in_ledger s JOIN in_unsound u ON u.line = s.line""")
        self.stage.run("DELETE FROM in_ledger WHERE line IN (SELECT line FROM in_unsound)")

    def _known(self) -> None:
        """Lines taken in before: unchanged, and in a full batch all there."""
        charges = "s.fee + s.cost + s.open <> k.fee_minor + k.cost_minor"
        apart = "s.fee <> k.fee_minor OR s.cost <> k.cost_minor"
        sql = f"""
            SELECT s.line, s.line_ref FROM in_ledger s
            JOIN ledger_line k ON k.source = 'core' AND k.line_ref = s.line_ref
            JOIN loan l ON l.id = k.loan_id LEFT JOIN ledger_line o ON o.id = k.reverses_id
            WHERE l.loan_ref <> s.loan_ref OR k.posted_on <> s.posted_on OR k.kind <> s.kind
            OR k.principal_minor <> s.principal OR k.interest_minor <> s.interest
            OR k.penalty_interest_minor <> s.penalty_interest OR {charges if self.merged else apart}
            OR k.memo <> COALESCE(s.memo, '') OR k.external_ref <> COALESCE(s.external_ref, '')
            OR COALESCE(o.line_ref, '') <> COALESCE(s.reverses_ref, '') ORDER BY s.line"""  # noqa: S608
        for number, ref in self.stage.rows(sql):
            self.check.refuse("ledger", number, "line_changed", "line_ref", ref)
        self.stage.run("""
            CREATE TEMPORARY TABLE in_new AS SELECT s.* FROM in_ledger s WHERE NOT EXISTS (
                SELECT 1 FROM ledger_line k WHERE k.source = 'core' AND k.line_ref = s.line_ref)""")
        self.stage.analyze("in_new")
        self.stage.run("CREATE INDEX in_new_line ON in_new (line)")
        self.check.checked.lines = "in_new"
        if self.check.manifest.mode == "full" and "ledger" not in self.check.unread:
            lost = """
                SELECT k.line_ref FROM ledger_line k WHERE k.source = 'core'
                AND NOT EXISTS (SELECT 1 FROM in_ledger s WHERE s.line_ref = k.line_ref)
                AND NOT EXISTS (SELECT 1 FROM in_refused r WHERE r.kind = 'ledger' AND r.ref = k.line_ref)
                ORDER BY k.line_ref"""
            for (ref,) in self.stage.rows(lost):
                self.check.fault("ledger", "line_lost", None, "line_ref", ref, original=ref)

    def _reversals(self) -> None:
        """Each reversal against the line it names: in the file, or taken in before."""
        staged = "o.fee + o.cost + o.open, o.penalty_interest, o.interest, o.principal"
        held = "k.fee_minor + k.cost_minor, k.penalty_interest_minor, k.interest_minor, k.principal_minor"
        own = "s.fee + s.cost + s.open, s.penalty_interest, s.interest, s.principal"
        sql = f"""
            SELECT s.reverses_ref, s.line, s.loan_ref, o.kind, o.loan_ref, k.kind, kl.loan_ref, u.id,
                EXISTS (SELECT 1 FROM in_refused r WHERE r.kind = 'ledger' AND r.ref = s.reverses_ref),
                {own}, {staged}, {held}
            FROM {self.lines} s
            LEFT JOIN in_ledger o ON o.line_ref = s.reverses_ref
            LEFT JOIN ledger_line k ON k.source = 'core' AND k.line_ref = s.reverses_ref
            LEFT JOIN loan kl ON kl.id = k.loan_id
            LEFT JOIN ledger_line u ON u.reverses_id = k.id
            WHERE s.kind = 'reversal' ORDER BY s.reverses_ref, s.line"""  # noqa: S608
        self.stage.pour("in_effect", ("line", "effect"), self._effects(self.stage.rows(sql)))

    def _effects(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, str]]:
        undone = ""
        for ref, number, loan, kind, in_loan, held_kind, held_loan, undone_by, refused, *amounts in rows:
            own, staged, held = amounts[:4], amounts[4:8], amounts[8:]
            original = held_kind or kind
            if original is None:
                if not refused:
                    file = self.check.mapping.files["ledger"].file
                    self.check.refuse("ledger", number, "unknown_ref", "reverses_ref", ref, target=file)
                continue
            reason = _reversal_fault(
                original,
                same_loan=(held_loan or in_loan) == loan,
                again=undone_by is not None or undone == ref,
                opposite=own == [-minor for minor in (held if held_kind else staged)],
            )
            if reason is not None:
                self.check.refuse("ledger", number, reason, "reverses_ref", ref, original=ref)
            else:
                undone = ref
                yield number, original

    def _split(self) -> None:
        """Fees and costs of payments and reversals where the file states only their sum. Where a loan has
        no costs at all, everything is fees; only the others are looked at line by line."""
        if not self.merged:
            return
        sql = f"""
            SELECT {", ".join(f"s.{name}" for name in _FIELDS)}, COALESCE(b.cost_left, 0), COALESCE(b.fee_left, 0),
                COALESCE(k.cost_minor, 0), COALESCE(k.fee_minor, 0)
            FROM {self.lines} s
            LEFT JOIN ({_CHARGES_LEFT}) b ON b.loan_ref = s.loan_ref
            LEFT JOIN ledger_line k ON k.source = 'core' AND k.line_ref = s.reverses_ref
            WHERE (s.open <> 0 OR s.fee <> 0 OR s.cost <> 0) AND (
                s.loan_ref IN (SELECT loan_ref FROM {self.lines} WHERE cost <> 0) OR b.has_cost > 0)
            ORDER BY s.loan_ref"""  # noqa: S608
        rows = self.stage.rows(sql)
        splits = (
            (number, cost, fee)
            for _, lines in groupby(rows, key=lambda row: row[2])
            for number, cost, fee in self._splits(list(lines))
        )
        self.stage.pour("in_split", ("line", "cost", "fee"), splits)
        self.stage.analyze("in_split")

    def _splits(self, rows: list[tuple[Any, ...]]) -> Iterator[tuple[int, int, int]]:
        lines = [self._line(row[: len(_FIELDS)]) for row in rows]
        left = ChargesLeft(*rows[0][-4:-2])
        known = {
            line.reverses_ref: (cost, fee)
            for line, (*_, cost, fee) in zip(lines, rows, strict=True)
            if line.reverses_ref and (cost or fee)
        }
        numbers = {line.line_ref: row[0] for line, row in zip(lines, rows, strict=True)}
        for ref, (cost, fee) in split_charges(lines, left, known).items():
            yield numbers[ref], cost, fee

    def _add_up(self) -> None:
        """What the new lines of each loan move, per component. Only what the batch has is looked for: most
        have no waivers, few reversals and no split fees."""
        reversed_, split, waived = (
            bool(self.stage.value(f"SELECT EXISTS (SELECT 1 FROM {source})"))  # noqa: S608
            for source in ("in_effect", "in_split", f"{self.lines} WHERE kind = 'waiver'")
        )
        waived = waived or (reversed_ and self.check.checked.has_lines)
        effect = "COALESCE(e.effect, s.kind)" if reversed_ else "s.kind"
        joins = "LEFT JOIN in_effect e ON e.line = s.line " if reversed_ else ""
        joins += "LEFT JOIN in_split x ON x.line = s.line" if split else ""
        values = {name: f"s.{name}" for name in COMPONENTS}
        values["fee"] = "COALESCE(x.fee, s.fee + s.open)" if split else "s.fee + s.open"
        values["cost"] = "COALESCE(x.cost, s.cost)" if split else "s.cost"
        sums = []
        for name, value in values.items():
            paid = f"sum(CASE WHEN {effect} = 'payment' THEN -({value}) ELSE 0 END)"
            forgiven = f"sum(CASE WHEN {effect} = 'waiver' THEN -({value}) ELSE 0 END)" if waived else "0"
            # what neither pays nor forgives is charged
            owed = f"sum({value}) + {paid} + {forgiven}"
            sums += [
                f"CAST({found} AS bigint) AS {name}_{what}"
                for what, found in (("owed", owed), ("paid", paid), ("forgiven", forgiven))
            ]
        self.stage.run(f"""
            CREATE TEMPORARY TABLE in_sums AS
            SELECT s.loan_ref, count(*) AS lines, {", ".join(sums)} FROM {self.lines} s {joins}
            WHERE s.kind <> 'reversal' {"OR e.effect IS NOT NULL" if reversed_ else ""}
            GROUP BY s.loan_ref""")  # noqa: S608
        self.stage.unique("in_sums", "loan_ref")
        self.stage.analyze("in_sums")
        self.check.checked.new_lines = int(self.stage.value("SELECT COALESCE(sum(lines), 0) FROM in_sums"))


#: What is left of a loan's costs and fees by the bank's own lines, and whether it ever had costs.
_CHARGES_LEFT = """
    SELECT l.loan_ref, CAST(sum(g.cost_minor) AS bigint) AS cost_left, CAST(sum(g.fee_minor) AS bigint) AS fee_left,
        max(abs(g.cost_minor)) AS has_cost
    FROM ledger_line g JOIN loan l ON l.id = g.loan_id
    WHERE g.source = 'core' AND (g.cost_minor <> 0 OR g.fee_minor <> 0) GROUP BY l.loan_ref"""


def _does_not_fit() -> str:
    """Whether a staged line is one that `lines.line_faults` complains of."""
    parts = [*_AMOUNTS, "open"]
    all_of = " + ".join(f"abs({name})" for name in parts)
    own = "CASE kind " + " ".join(f"WHEN '{kind}' THEN {name}" for kind, name in _OWN.items()) + " END"
    above = " OR ".join(f"{name} > 0" for name in parts)
    charges = ", ".join(f"'{kind}'" for kind in sorted(CHARGES))
    return f"""CASE
        WHEN kind IN ({charges}) THEN reverses_ref IS NOT NULL OR {own} <= 0 OR {all_of} <> {own}
        WHEN kind = 'reversal' THEN reverses_ref IS NULL OR {all_of} = 0
        ELSE reverses_ref IS NOT NULL OR {all_of} = 0 OR {above} END"""


def _reversal_fault(kind: str, *, same_loan: bool, again: bool, opposite: bool) -> str | None:
    if kind == "reversal":
        return "reversal_kind"
    if not same_loan:
        return "reversal_loan"
    if again:
        return "reversal_again"
    return None if opposite else "reversal_amount"
