"""A bank's core small enough to read: it takes what the portal tells it, posts it, and exports its next day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from portal.accounts.balance import COMPONENTS
from portal.bank_files.manifest import check_files, read_manifest
from portal.bank_files.mapping import load_mapping
from portal.bank_files.rejections import Rejections
from portal.outgoing.mapping import outgoing_of
from tests.intake.book import Book, line, small_book, write_book
from tests.outgoing.told import rows_in

#: Kinds by which the core takes something off, and the core's word for each.
_TAKES_OFF = {"payment": "payment", "waiver": "waiver", "write_down": "waiver"}


@dataclass
class Core:
    """The core's book, and what of the portal's entries it has posted."""

    book: Book = field(default_factory=small_book)
    #: entry -> the core's line that stands for it now
    stands_for: dict[str, str] = field(default_factory=dict)
    posted: set[str] = field(default_factory=set)
    counter: int = 100

    def left(self, loan_ref: str) -> int:
        """What the core's own ledger says is left of a loan."""
        return sum(
            row[name]
            for row in self.book.rows["ledger"]
            if row["loan_ref"] == loan_ref
            for name in COMPONENTS
        )

    def left_of(self, loan_ref: str, component: str) -> int:
        """The same of one component."""
        return sum(row[component] for row in self.book.rows["ledger"] if row["loan_ref"] == loan_ref)

    def export(self, day: date, folder: Path) -> Path:
        """The next day's batch of everything the core has."""
        self.book.business_date = day
        self.book.settle()
        made = write_book(self.book, load_mapping("portal"), folder)
        self.book.sequence += 1
        return made

    def receive(self, folder: Path, refuses: Callable[[str], bool]) -> dict[str, Any]:
        """Take a batch of the portal's: check it against its manifest, post each row once, answer."""
        forms = outgoing_of(load_mapping("portal")).forms
        rejections = Rejections()
        manifest = read_manifest(folder, forms, rejections)
        assert manifest is not None
        check_files(folder, manifest, forms, rejections)
        assert list(rejections) == []
        refused = []
        for row in rows_in(folder, "payments", "portal"):
            reason = "held" if refuses(row["entry_ref"]) else self._post(row)
            if reason:
                refused.append({"entry_ref": row["entry_ref"], "reason": reason})
        raw = (folder / forms.manifest_file).read_bytes()
        assert json.loads(raw)["files"]
        return {
            "bank": manifest.bank,
            "batch": manifest.batch,
            "sequence": manifest.sequence,
            "manifest_sha256": hashlib.sha256(raw).hexdigest(),
            "outcome": "accepted",
            "refused": refused,
        }

    def pay_at_the_counter(self, loan_ref: str, minor: int, day: date) -> None:
        """A payment the portal knows nothing of: to the principal, as far as there is any."""
        taken = min(minor, self.left_of(loan_ref, "principal"))
        if taken > 0:
            self._add(loan_ref, day, "payment", {"principal": -taken})

    def charge(self, loan_ref: str, minor: int, day: date) -> None:
        """Interest of a day."""
        self._add(loan_ref, day, "interest", {"interest": minor})

    def _post(self, row: Mapping[str, Any]) -> str:
        """Post one row, or say why not."""
        if row["entry_ref"] in self.posted:
            return "posted before"
        amounts = {name: row[name] for name in COMPONENTS}
        if row["kind"] in _TAKES_OFF:
            if row["suspense"] or any(
                -minor > self.left_of(row["loan_ref"], name) for name, minor in amounts.items()
            ):
                return "more than is left"
            made = self._add(
                row["loan_ref"], row["posted_on"], _TAKES_OFF[row["kind"]], amounts, row["entry_ref"]
            )
            self.stands_for[row["entry_ref"]] = made
        elif row["kind"] in ("refund", "charge_back"):
            return self._take_back(row, amounts)
        else:
            return "not known here"
        self.posted.add(row["entry_ref"])
        return ""

    def _take_back(self, row: Mapping[str, Any], amounts: Mapping[str, int]) -> str:
        """Undo the payment's line, and post what stays of it again."""
        known = self.stands_for.get(row["corrects_ref"])
        if known is None or row["suspense"]:
            return "payment not posted"
        old = next(one for one in self.book.rows["ledger"] if one["line_ref"] == known)
        undone = {name: -old[name] for name in COMPONENTS}
        self._add(row["loan_ref"], row["posted_on"], "reversal", undone, row["entry_ref"], reverses_ref=known)
        rest = {name: old[name] + amounts[name] for name in COMPONENTS}
        if any(rest.values()):
            made = self._add(row["loan_ref"], row["posted_on"], "payment", rest)
            self.stands_for[row["corrects_ref"]] = made
        else:
            del self.stands_for[row["corrects_ref"]]
        self.posted.add(row["entry_ref"])
        return ""

    def _add(
        self,
        loan_ref: str,
        day: date,
        kind: str,
        amounts: Mapping[str, int],
        external_ref: str | None = None,
        reverses_ref: str | None = None,
    ) -> str:
        self.counter += 1
        made = f"T{self.counter}"
        self.book.rows["ledger"].append(
            line(made, loan_ref, day, kind, external_ref=external_ref, reverses_ref=reverses_ref, **amounts)
        )
        return made
