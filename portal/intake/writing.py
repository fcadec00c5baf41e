"""Writing a checked batch: rows are read again and written in chunks, inside the caller's transaction.

People and contracts are brought up to date; ledger lines are only added. What the borrower or the
portal decided stays: a chosen language, a minted code, a visit that was called off here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table, case, insert, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from portal import audit
from portal.accounts.models import LedgerLine, Loan
from portal.accounts.operations import rebalance
from portal.accounts.reconcile_core import give_way, park_overpaid
from portal.borrowers.models import Borrower
from portal.contacts.models import Agency, Hold
from portal.contacts.queries import is_in_force
from portal.db import upsert
from portal.intake.checks import Checked, Progress
from portal.intake.lines import CoreLine, core_line
from portal.intake.manifest import Manifest
from portal.intake.mapping import Mapping as BankMapping
from portal.intake.reading import Read, Row, Source, read_rows
from portal.intake.rejections import Rejections
from portal.keys import Keys
from portal.money import EXPONENTS
from portal.notices.models import Notice, NoticeLoan
from portal.notices.operations import sync_faces
from portal.payments.posted_back import posted_back
from portal.visits.models import Officer, Visit
from portal.visits.operations import cancel_visits, pause_visits

#: Rows written with one statement.
CHUNK = 1000

#: Columns that a later batch leaves as they are.
_KEPT = {
    "borrower": {"language"},
    "notice": {"code_digest", "token_digest", "code_sealed", "minted_at"},
}


#: Who acts, in the record, when a batch is taken in.
OPERATOR = audit.Actor("operator", "intake")


class ChangedMeanwhile(Exception):
    """A file is no longer the one that was checked."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.file = file


class BatchWriter:
    """Writes one batch through one session."""

    def __init__(
        self,
        session: Session,
        *,
        directory: Path,
        manifest: Manifest,
        mapping: BankMapping,
        checked: Checked,
        keys: Keys,
        now: datetime,
        progress: Progress,
    ) -> None:
        self.session, self.directory, self.manifest, self.mapping = session, directory, manifest, mapping
        self.checked, self.keys, self.now, self.progress = checked, keys, now, progress
        self.ids: dict[str, dict[str, int]] = {}
        self.currencies: dict[str, str] = {}
        self.names: dict[str, bytes] = {}
        self.named_loans: list[tuple[str, tuple[str, ...]]] = []
        self.new_lines = 0

    def write(self) -> None:
        """All files of the batch, then the balances of every loan as of the business date."""
        plain: Sequence[tuple[str, type[Any], Callable[[Row], dict[str, Any]]]] = (
            ("agencies", Agency, self._agency),
            ("officers", Officer, self._officer),
            ("customers", Borrower, self._customer),
            ("loans", Loan, self._loan),
        )
        for kind, model, values in plain:
            self._upsert(kind, _table(model), values)
            self._learn(kind, model)
        self.currencies = dict(self.session.execute(select(Loan.loan_ref, Loan.currency)).all())
        if "ledger" in self.manifest.files:
            _LedgerWriter(self).write()
        self._upsert("notices", _table(Notice), self._notice)
        self._learn("notices", Notice)
        self._notice_loans()
        sync_faces(self.session)
        self._upsert("visits", _table(Visit), self._visit)
        self._rest_where_held()
        self._balances()

    def rows(self, kind: str) -> Iterator[Row]:
        """The rows of a file once more; ChangedMeanwhile when they are not the checked ones."""
        listed = self.manifest.files.get(kind)
        if listed is None:
            return
        form, seen, refused = self.mapping.files[kind], Read(), Rejections()
        source = Source(self.directory / form.file, form, self.mapping, self._currency_of)
        for _, row in read_rows(source, refused, seen):
            if seen.rows % CHUNK == 0:
                self.progress(f"apply {form.file}", seen.rows, listed.rows)
            yield row
        self.progress(f"apply {form.file}", seen.rows, listed.rows)
        if seen.sha256 != listed.sha256 or refused:
            raise ChangedMeanwhile(form.file)

    def _currency_of(self, cells: Mapping[str, str]) -> str:
        own = cells.get("currency")
        if own is not None:
            return own if own in EXPONENTS else self.mapping.currency
        ref = cells.get("loan_ref") or cells.get("loan_refs", "").split(self.mapping.forms.list_separator)[0]
        return self.currencies.get(ref, self.mapping.currency)

    def _upsert(self, kind: str, table: Table, values: Callable[[Row], dict[str, Any]]) -> None:
        statement = None
        for chunk in chunks((values(row) for row in self.rows(kind)), CHUNK):
            if statement is None:
                statement = self._statement(table, chunk[0])
            self.session.execute(statement, chunk)

    def _statement(self, table: Table, sample: Mapping[str, Any]) -> Any:
        """INSERT ... ON CONFLICT (reference) DO UPDATE, leaving what the portal decided."""
        made = upsert(table)
        key = next(name for name in sample if name.endswith("_ref"))
        kept = _KEPT.get(table.name, set()) | {key, "created_at"}
        changed: dict[str, Any] = {name: made.excluded[name] for name in sample if name not in kept}
        if table.name == "visit":
            changed |= _visit_state(made, table)
        return made.on_conflict_do_update(index_elements=[key], set_=changed)

    def _learn(self, kind: str, model: type[Any]) -> None:
        ref: InstrumentedAttribute[str] = getattr(model, _REF_OF[kind])
        self.ids[kind] = dict(self.session.execute(select(ref, model.id)).all())

    def _agency(self, row: Row) -> dict[str, Any]:
        names = ("agency_ref", "name", "kind", "phone", "engaged_from", "engaged_until")
        return {**{name: row[name] for name in names}, "created_at": self.now}

    def _officer(self, row: Row) -> dict[str, Any]:
        return {
            "officer_ref": row["officer_ref"],
            "created_at": self.now,
            "name_sealed": self.keys.seal("officer.name", str(row["name"])),
            "phone_sealed": self.keys.seal("officer.phone", str(row["phone"])),
            "agency_id": self.ids["agencies"][str(row["agency_ref"])],
            "role": row["role"],
            "card_valid_until": row["card_valid_until"],
            "status": row["status"],
        }

    def _customer(self, row: Row) -> dict[str, Any]:
        phone, id_number = str(row["phone"]), str(row["id_number"])
        return {
            "customer_ref": row["customer_ref"],
            "created_at": self.now,
            "name_sealed": self.keys.seal("borrower.name", str(row["name"])),
            "phone_sealed": self.keys.seal("borrower.phone", phone),
            "phone_digest": self.keys.digest("phone", phone),
            "phone_tail_sealed": self.keys.seal("borrower.phone_tail", phone[-4:]),
            "id_tail_sealed": self.keys.seal("borrower.id_tail", id_number[-4:]),
            "address_sealed": self.keys.seal("borrower.address", str(row["address"])),
            "language": row["language"],
        }

    def _loan(self, row: Row) -> dict[str, Any]:
        same = (
            "loan_ref",
            "product",
            "product_class",
            "currency",
            "opened_on",
            "matures_on",
            "annual_rate",
            "penalty_multiple",
            "day_count",
            "method",
            "pay_day",
            "term_count",
            "status",
        )
        return {
            **{name: row[name] for name in same},
            "created_at": self.now,
            "borrower_id": self.ids["customers"][str(row["customer_ref"])],
            "principal_minor": row["principal"],
            "bank_days_overdue": row["days_overdue"],
            "batch_sequence": self.manifest.sequence,
        }

    def _notice(self, row: Row) -> dict[str, Any]:
        same = (
            "notice_ref",
            "channel",
            "purpose",
            "issued_at",
            "expires_on",
            "status",
            "stated_on",
            "payee_account",
        )
        self.named_loans.append((row["notice_ref"], row["loan_refs"]))
        # a letter begins with a name, and names are not stored in clear: the place is kept, not the name
        name = self._name_of(str(row["customer_ref"]))
        return {
            **{text: str(row[text]).replace(name, "{name}") for text in ("body", "body_without_link")},
            **{name: row[name] for name in same},
            "created_at": self.now,
            "sender": row["sender"] or "",
            "borrower_id": self.ids["customers"][str(row["customer_ref"])],
            "agency_id": self.ids["agencies"][str(row["agency_ref"])],
            "stated_minor": row["stated"],
            "currency": self.currencies[row["loan_refs"][0]],
            "batch_sequence": self.manifest.sequence,
        }

    def _name_of(self, customer_ref: str) -> str:
        if not self.names:
            rows = self.session.execute(select(Borrower.customer_ref, Borrower.name_sealed))
            self.names = {ref: sealed for ref, sealed in rows}
        return self.keys.unseal("borrower.name", self.names[customer_ref])

    def _notice_loans(self) -> None:
        made = upsert(_table(NoticeLoan))
        pairs = (
            {"notice_id": self.ids["notices"][notice_ref], "loan_id": self.ids["loans"][loan_ref]}
            for notice_ref, loan_refs in self.named_loans
            for loan_ref in loan_refs
        )
        for chunk in chunks(pairs, CHUNK):
            self.session.execute(made.on_conflict_do_nothing(), chunk)

    def _visit(self, row: Row) -> dict[str, Any]:
        notice_id = self.ids["notices"][str(row["notice_ref"])]
        second = row["second_officer_ref"]
        return {
            "visit_ref": row["visit_ref"],
            "created_at": self.now,
            "notice_id": notice_id,
            "borrower_id": self._borrower_of(notice_id),
            "starts_at": row["starts_at"],
            "ends_at": row["ends_at"],
            "address_sealed": self.keys.seal("visit.address", str(row["address"])),
            "lead_officer_id": self.ids["officers"][str(row["lead_officer_ref"])],
            "second_officer_id": None if second is None else self.ids["officers"][str(second)],
            "purpose": row["purpose"],
            "state": row["state"],
            "off_reason": "bank" if row["state"] == "cancelled" else None,
            "batch_sequence": self.manifest.sequence,
        }

    def _rest_where_held(self) -> None:
        """A visit the bank announces to somebody whose contacts rest here does not stand: it is called off
        where collection has stopped, and paused where it pauses."""
        statement = (
            select(Hold.borrower_id, Hold.kind, Hold.reason)
            .join(Visit, Visit.borrower_id == Hold.borrower_id)
            .where(Visit.state == "planned", is_in_force(self.now))
            .distinct()
            .order_by(Hold.borrower_id, Hold.kind.desc())
        )
        for borrower_id, kind, reason in self.session.execute(statement).all():
            move = cancel_visits if kind == "stop" else pause_visits
            move(self.session, borrower_id=borrower_id, reason=reason, actor=OPERATOR, now=self.now)

    def _borrower_of(self, notice_id: int) -> int:
        if "borrower_of" not in self.ids:
            pairs = self.session.execute(select(Notice.id, Notice.borrower_id)).all()
            self.ids["borrower_of"] = {str(notice): borrower for notice, borrower in pairs}
        return self.ids["borrower_of"][str(notice_id)]

    def _balances(self) -> None:
        """Every loan moves to the business date: an instalment can fall due without a line. Lines posted
        here that the bank has now posted itself give way first."""
        loan_ids = list(self.session.scalars(select(Loan.id)))
        give_way(self.session, posted_back=posted_back(self.session), now=self.now)
        portal_loans = set(
            self.session.scalars(select(LedgerLine.loan_id).where(LedgerLine.source == "portal").distinct())
        )
        label, day = str(self.manifest.sequence), self.manifest.business_date
        park_overpaid(self.session, loan_ids=portal_loans, posted_on=day, label=label, now=self.now)
        for start in range(0, len(loan_ids), CHUNK):
            self.progress("balances", start, len(loan_ids))
            rebalance(self.session, loan_ids=loan_ids[start : start + CHUNK], as_of=day, now=self.now)
        self.progress("balances", len(loan_ids), len(loan_ids))


class _LedgerWriter:
    """Adds the lines that were not taken in before, in the order of the file."""

    def __init__(self, batch: BatchWriter) -> None:
        self.batch, self.session = batch, batch.session
        self.form = batch.mapping.files["ledger"]
        self.chunk: list[CoreLine] = []
        self.chunk_refs: set[str] = set()
        self.late: list[CoreLine] = []

    def write(self) -> None:
        for row in self.batch.rows("ledger"):
            self._take(core_line(row, self.form))
        self._flush()
        for line in self.late:
            self._insert([self._values(line, self._ids_of([line.reverses_ref or ""]))])

    def _take(self, line: CoreLine) -> None:
        if line.reverses_ref in self.chunk_refs or len(self.chunk) >= CHUNK:
            self._flush()
        self.chunk.append(line)
        self.chunk_refs.add(line.line_ref)

    def _flush(self) -> None:
        wanted = [line.reverses_ref for line in self.chunk if line.reverses_ref]
        originals = self._ids_of(wanted) if wanted else {}
        known = self._ids_of(list(self.chunk_refs)) if self.batch.checked.has_lines else {}
        ready = []
        for line in self.chunk:
            if line.line_ref in known:
                continue
            if line.reverses_ref and line.reverses_ref not in originals:
                self.late.append(line)
            else:
                ready.append(self._values(line, originals))
        self._insert(ready)
        self.chunk.clear()
        self.chunk_refs.clear()

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.session.execute(insert(_table(LedgerLine)), rows)
            self.batch.new_lines += len(rows)

    def _ids_of(self, refs: list[str]) -> dict[str, int]:
        statement = select(LedgerLine.line_ref, LedgerLine.id).where(
            LedgerLine.source == "core", LedgerLine.line_ref.in_(refs)
        )
        return dict(self.session.execute(statement).all())

    def _values(self, line: CoreLine, originals: Mapping[str, int]) -> dict[str, Any]:
        amounts = dict(line.amounts)
        if line.line_ref in self.batch.checked.splits:
            amounts["cost"], amounts["fee"] = self.batch.checked.splits[line.line_ref]
        return {
            "created_at": self.batch.now,
            "loan_id": self.batch.ids["loans"][line.loan_ref],
            "line_ref": line.line_ref,
            "source": "core",
            "posted_on": line.posted_on,
            "kind": line.kind,
            **{f"{name}_minor": minor for name, minor in amounts.items()},
            "suspense_minor": 0,
            "memo": line.memo,
            "reverses_id": originals[line.reverses_ref] if line.reverses_ref else None,
            "external_ref": line.external_ref,
            "payment_id": None,
        }


_REF_OF = {
    "agencies": "agency_ref",
    "officers": "officer_ref",
    "customers": "customer_ref",
    "loans": "loan_ref",
    "notices": "notice_ref",
}


def _table(model: type[Any]) -> Table:
    return cast(Table, model.__table__)


def chunks(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """`rows` in lists of at most `size`."""
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _visit_state(made: Any, table: Table) -> dict[str, Any]:
    """A visit the bank calls off or reports done follows the file. One it still plans stays as the portal
    has it, unless it was the bank that had called it off."""
    follows = (made.excluded.state != "planned") | (table.c.off_reason == "bank")
    return {
        "state": case((follows, made.excluded.state), else_=table.c.state),
        "off_reason": case((follows, made.excluded.off_reason), else_=table.c.off_reason),
    }
