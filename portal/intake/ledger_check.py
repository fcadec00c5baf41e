"""The checks of the ledger file: each line by itself, against its earlier self, and what it reverses.

Lines pass once. Reversals, and lines whose fees and costs come as one figure, are settled at the
end, so that the order of the rows does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from portal.accounts.balance import Totals
from portal.intake import queries
from portal.intake.lines import ChargesLeft, CoreLine, core_line, line_faults, split_charges
from portal.intake.queries import KnownLine
from portal.intake.reading import Read, Row, Source, read_rows
from portal.intake.rejections import Rejections
from portal.intake.seen import SeenRefs

if TYPE_CHECKING:
    from portal.intake.checks import Check

#: Ledger rows whose earlier selves are looked up with one statement.
CHUNK = 500


class LedgerCheck:
    """The ledger file: each line by itself, against its earlier self, and what it reverses."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.form = check.mapping.files["ledger"]
        self.waiting: list[tuple[int, CoreLine]] = []
        self.reversals: list[tuple[int, CoreLine]] = []
        #: per loan, the new lines that move fees or costs, where the file has one column for both
        self.charged: dict[str, list[CoreLine]] = {}
        self.touched: set[str] = set()
        self.matched = 0

    def row(self, line: int, row: Row) -> None:
        """Check one row; it is counted when its chunk is flushed."""
        one = core_line(row, self.form)
        sound = self.check.refers("ledger", line, "loans", "loan_ref", one.loan_ref)
        if one.posted_on > self.check.manifest.business_date:
            date_ = self.check.manifest.business_date
            self.check.fault("ledger", "posted_future", line, "posted_on", one.posted_on, business_date=date_)
            sound = False
        for reason, column in line_faults(one):
            shown = "charges" if column in ("fee", "cost") and "charges" in row else column
            self.check.fault("ledger", reason, line, shown, row.get(shown))
            sound = False
        if not sound:
            self.check.refused["ledger"].add(one.line_ref)
        elif one.loan_ref in self.check.loans:
            self.waiting.append((line, one))
            if len(self.waiting) >= CHUNK:
                self.flush()

    def flush(self) -> None:
        """Tell new lines from those taken in before, and count the new ones."""
        known: Mapping[str, KnownLine] = {}
        if self.check.checked.has_lines:
            known = queries.known_lines(self.check.connection, [one.line_ref for _, one in self.waiting])
        for line, one in self.waiting:
            before = known.get(one.line_ref)
            if before is None:
                self._count(line, one)
            else:
                self.matched += 1
                merged = "charges" in self.form.header_of
                if not _same(one, before, merged=merged):
                    self.check.fault("ledger", "line_changed", line, "line_ref", one.line_ref)
        self.waiting.clear()

    def finish(self, named: SeenRefs) -> None:
        """After the last line: reversals against what they reverse, splits, lines that went missing.
        `named` are the references in the file."""
        self.flush()
        originals = self._originals()
        for line, one in self.reversals:
            self._reversal(line, one, originals)
        self._split()
        is_whole = self.check.manifest.mode == "full" and "ledger" not in self.check.unread
        if is_whole and self.check.checked.has_lines:
            self._lost(named)

    def _count(self, line: int, one: CoreLine) -> None:
        self.touched.add(one.loan_ref)
        if one.charges_minor is not None or one.amounts["fee"] or one.amounts["cost"]:
            self.charged.setdefault(one.loan_ref, []).append(one)
        if one.kind == "reversal":
            self.reversals.append((line, one))
        else:
            totals = self.check.totals.setdefault(one.loan_ref, Totals())
            totals.add(effect=one.kind, amounts=one.amounts)

    def _originals(self) -> dict[str, CoreLine | KnownLine]:
        """The lines that reversals name: a second look at the file, then at what was taken in before."""
        wanted = {one.reverses_ref for _, one in self.reversals if one.reverses_ref}
        found: dict[str, CoreLine | KnownLine] = {}
        if not wanted:
            return found
        if self.check.checked.has_lines:
            for part in _parts(sorted(wanted)):
                found.update(queries.known_lines(self.check.connection, part))
        source = Source(
            self.check.directory / self.form.file, self.form, self.check.mapping, self.check.currency_of
        )
        for _, row in read_rows(source, Rejections(), Read()):
            if row["line_ref"] in wanted and row["line_ref"] not in found:
                one = core_line(row, self.form)
                found[one.line_ref] = one
        return found

    def _reversal(self, line: int, one: CoreLine, originals: dict[str, CoreLine | KnownLine]) -> None:
        ref = one.reverses_ref or ""
        original = originals.get(ref)
        if original is None:
            if ref not in self.check.refused["ledger"]:
                self.check.fault("ledger", "unknown_ref", line, "reverses_ref", ref, target=self.form.file)
            return
        reason = _reversal_fault(one, original)
        if reason is not None:
            self.check.fault("ledger", reason, line, "reverses_ref", ref, original=ref)
            return
        originals[ref] = KnownLine((), (), original.kind, original.loan_ref, original.amounts, reversed=True)
        totals = self.check.totals.setdefault(one.loan_ref, Totals())
        totals.add(effect=original.kind, amounts=one.amounts)

    def _split(self) -> None:
        """Fees and costs of payments and reversals, where the file states only their sum."""
        for loan_ref, lines in self.charged.items():
            if all(one.charges_minor is None for one in lines):
                continue
            totals = self.check.totals[loan_ref]
            before = _left_before(totals, lines)
            known = self._known_splits(lines)
            splits = split_charges(lines, before, known)
            self.check.checked.splits.update(splits)
            kinds = {one.line_ref: one for one in lines}
            for ref, (cost, fee) in splits.items():
                effect = self._effect(kinds[ref], kinds)
                if effect is not None:
                    totals.add(effect=effect, amounts={"cost": cost, "fee": fee}, lines=0)

    def _effect(self, one: CoreLine, batch: Mapping[str, CoreLine]) -> str | None:
        if one.kind != "reversal":
            return one.kind
        ref = one.reverses_ref or ""
        if ref in batch:
            return batch[ref].kind
        known = queries.known_lines(self.check.connection, [ref]).get(ref)
        return known.kind if known else None

    def _known_splits(self, lines: list[CoreLine]) -> dict[str, tuple[int, int]]:
        wanted = [one.reverses_ref for one in lines if one.reverses_ref]
        if not (wanted and self.check.checked.has_lines):
            return {}
        found = queries.known_lines(self.check.connection, wanted)
        return {ref: (line.amounts["cost"], line.amounts["fee"]) for ref, line in found.items()}

    def _lost(self, named: SeenRefs) -> None:
        """A full batch must hold every line taken in before."""
        if self.matched == queries.core_line_count(self.check.connection):
            return
        for ref in queries.core_line_refs(self.check.connection):
            if ref in named:
                continue
            self.check.fault("ledger", "line_lost", None, "line_ref", ref, original=ref)


def _left_before(totals: Totals, lines: list[CoreLine]) -> ChargesLeft:
    """Costs and fees left before `lines`: what the sums hold now, less what `lines` charged."""
    left = ChargesLeft()
    for name in ("cost", "fee"):
        now = totals.owed[name] - totals.paid[name] - totals.forgiven[name]
        setattr(left, name, now - sum(one.amounts[name] for one in lines))
    return left


def _same(one: CoreLine, before: KnownLine, *, merged: bool) -> bool:
    if not merged:
        return one.content == before.content
    fees = one.amounts["fee"] + one.amounts["cost"] + (one.charges_minor or 0)
    content = (*one.content[:4], fees, *one.content[5:])
    return content == before.content_merged


def _reversal_fault(one: CoreLine, original: CoreLine | KnownLine) -> str | None:
    if original.kind == "reversal":
        return "reversal_kind"
    if original.loan_ref != one.loan_ref:
        return "reversal_loan"
    if isinstance(original, KnownLine) and original.reversed:
        return "reversal_again"
    if _flat(one) != tuple(-minor for minor in _flat(original)):
        return "reversal_amount"
    return None


def _flat(line: CoreLine | KnownLine) -> tuple[int, ...]:
    """Amounts with fees and costs added up, which is all that a merged column can be compared by."""
    charges = line.amounts["fee"] + line.amounts["cost"]
    if isinstance(line, CoreLine):
        charges += line.charges_minor or 0
    return (charges, *(line.amounts[name] for name in ("penalty_interest", "interest", "principal")))


def _parts(refs: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(refs), CHUNK):
        yield refs[start : start + CHUNK]
