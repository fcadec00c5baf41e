"""What a row of the ledger file means: its kind, its amounts per component, and whether they fit it.

Pure. A bank that keeps fees and costs of enforcement in one column has its payments split here:
costs first, then fees, in the order of posting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from portal.accounts.balance import CHARGES, COMPONENTS
from portal.bank_files.mapping import FileForm
from portal.bank_files.reading import Row

#: The one component that a charge of this kind may move.
_CHARGED = {
    "disbursement": "principal",
    "interest": "interest",
    "penalty_interest": "penalty_interest",
    "fee": "fee",
    "cost": "cost",
}


@dataclass(frozen=True, slots=True)
class CoreLine:
    """One line of the bank's ledger. `charges_minor` is the sum of fee and cost where the file has one
    column for both and the kind does not tell which; None otherwise."""

    line_ref: str
    loan_ref: str
    posted_on: date
    kind: str
    amounts: Mapping[str, int]
    charges_minor: int | None
    memo: str
    reverses_ref: str | None
    external_ref: str

    @property
    def content(self) -> tuple[object, ...]:
        """What must be the same when the bank sends the line again."""
        fees: object = (self.amounts["fee"], self.amounts["cost"])
        if self.charges_minor is not None:
            fees = self.charges_minor
        others = tuple(self.amounts[name] for name in ("principal", "interest", "penalty_interest"))
        return (
            self.loan_ref,
            self.posted_on,
            self.kind,
            others,
            fees,
            self.memo,
            self.reverses_ref,
            self.external_ref,
        )


def core_line(row: Row, form: FileForm) -> CoreLine:
    """The line that a row of the ledger file states."""
    kind, memo = str(row["kind"]), str(row["memo"] or "")
    if kind == "fee" and memo in form.cost_memos:
        kind = "cost"
    amounts = {name: int(row.get(name) or 0) for name in COMPONENTS}
    charges: int | None = None
    if "charges" in row:
        charges = int(row["charges"])
        if kind in CHARGES or charges == 0:
            amounts["cost" if kind == "cost" else "fee"] += charges
            charges = None
    posted_on, reverses = row["posted_on"], row["reverses_ref"]
    assert isinstance(posted_on, date)
    return CoreLine(
        line_ref=str(row["line_ref"]),
        loan_ref=str(row["loan_ref"]),
        posted_on=posted_on,
        kind=kind,
        amounts=amounts,
        charges_minor=charges,
        memo=memo,
        reverses_ref=None if reverses is None else str(reverses),
        external_ref=str(row.get("external_ref") or ""),
    )


def line_faults(line: CoreLine) -> Iterator[tuple[str, str]]:
    """What does not fit the line's kind, as (reason, field)."""
    moved = {name: minor for name, minor in line.amounts.items() if minor}
    if line.charges_minor:
        moved["charges"] = line.charges_minor
    if not moved:
        yield "line_nothing", "kind"
    if (line.kind == "reversal") != (line.reverses_ref is not None):
        yield "reversal_ref", "reverses_ref"
    for name, minor in moved.items():
        if line.kind in CHARGES and _CHARGED[line.kind] != name:
            yield "line_component", name
        elif (line.kind in CHARGES and minor < 0) or (line.kind in ("payment", "waiver") and minor > 0):
            yield "line_sign", name


@dataclass(slots=True)
class ChargesLeft:
    """What a loan still owes in costs and fees, minor units."""

    cost: int = 0
    fee: int = 0


def split_charges(
    lines: Iterable[CoreLine], left: ChargesLeft, known: Mapping[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """(cost, fee) of each of one loan's lines that states only their sum.

    In order of posting; a payment goes to costs first, then to fees (Civil Code art. 561). A reversal
    takes back what its line gave: from `lines`, or from `known`, lines taken in before.
    """
    found = dict(known)
    ordered = sorted(lines, key=lambda line: (line.posted_on, line.kind == "reversal", line.line_ref))
    for line in ordered:
        if line.charges_minor is None:
            cost, fee = line.amounts["cost"], line.amounts["fee"]
        elif line.kind == "reversal":
            gave = found.get(line.reverses_ref or "", (0, -line.charges_minor))
            cost, fee = -gave[0], -gave[1]
        else:
            cost = -min(-line.charges_minor, max(left.cost, 0))
            fee = line.charges_minor - cost
        found[line.line_ref] = (cost, fee)
        left.cost += cost
        left.fee += fee
    return {line.line_ref: found[line.line_ref] for line in ordered if line.charges_minor is not None}
