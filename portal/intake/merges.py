"""Bringing the book's rows up to date with the staged ones, a whole file with each statement.

A row that is new is added, a row that differs is changed, and what it was is kept for an undo. What the
borrower or the portal decided stays: a chosen language, a minted code, a visit that was called off here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import LargeBinary, Table

from portal.accounts.models import Loan
from portal.borrowers.models import Borrower
from portal.contacts.models import Agency
from portal.notices.models import Notice
from portal.staging.stage import Stage
from portal.visits.models import Officer, Visit


@dataclass(frozen=True)
class Merge:
    """How the staged rows of one file become rows of a table. `s` is the staged row, `t` the table's.

    `values`: column -> expression; `changed`: when a known row differs, where comparing every value is
    not it; `set_once`: columns that a later batch leaves alone; `updates`: expressions for a known row
    that differ from those of a new one.
    """

    kind: str
    table: Table
    key: str
    values: Mapping[str, str]
    joins: str = ""
    changed: str = ""
    set_once: frozenset[str] = frozenset()
    updates: Mapping[str, str] = field(default_factory=dict)

    def run(self, stage: Stage, *, batch_id: int, now: Any, sequence: int) -> None:
        """Add what is new and change what differs."""
        parameters = {"now": now, "batch": batch_id, "sequence": sequence}
        name, source = self.table.name, f"in_{self.kind} s {self.joins}"
        differs = f"t.{self.key} = s.{self.key} AND ({self.changed or self._compared()})"
        stage.run(
            f"""INSERT INTO intake_before (created_at, batch_id, table_name, row_id, content)
            SELECT %(now)s, %(batch)s, '{name}', t.id, {row_as_json(self.table, stage)}
            FROM {name} t, {source} WHERE {differs}""",  # noqa: S608 - names of ours
            now=now,
            batch=batch_id,
        )
        sets = ", ".join(f"{column} = {value}" for column, value in self._updated().items())
        sets += ", batch_sequence = %(sequence)s" if "batch_sequence" in self.table.c else ""
        stage.run(f"UPDATE {name} AS t SET {sets} FROM {source} WHERE {differs}", **parameters)  # noqa: S608
        columns = {**self.values, "created_at": "%(now)s", **self._defaults()}
        if "batch_sequence" in self.table.c:
            columns["batch_sequence"] = "%(sequence)s"
        stage.run(
            f"""INSERT INTO {name} ({", ".join(columns)}) SELECT {", ".join(columns.values())} FROM {source}
            WHERE NOT EXISTS (SELECT 1 FROM {name} t WHERE t.{self.key} = s.{self.key}) ORDER BY s.line""",  # noqa: S608
            **parameters,
        )

    def _updated(self) -> dict[str, str]:
        once = self.set_once | {self.key}
        return {
            column: value for column, value in {**self.values, **self.updates}.items() if column not in once
        }

    def _compared(self) -> str:
        return " OR ".join(
            f"t.{column} IS DISTINCT FROM {value}" for column, value in self._updated().items()
        )

    def _defaults(self) -> dict[str, str]:
        """Columns that the file does not have and that must not be empty."""
        found = {}
        for column in self.table.columns:
            default = getattr(column.default, "arg", None)
            if (
                column.name not in self.values
                and isinstance(default, int | str)
                and column.name != "batch_sequence"
            ):
                found[column.name] = str(default) if isinstance(default, int) else f"'{default}'"
        return found


def row_as_json(table: Table, stage: Stage) -> str:
    """An expression for all columns of `t` but its id, as JSON text."""
    parts = []
    for column in table.columns:
        if column.name != "id":
            value = f"t.{column.name}"
            if isinstance(column.type, LargeBinary):
                value = (
                    f"CASE WHEN {value} IS NOT NULL THEN hex({value}) END"
                    if stage.is_sqlite
                    else f"encode({value}, 'hex')"
                )
            parts.append(f"'{column.name}', {value}")
    return (
        f"json_object({', '.join(parts)})"
        if stage.is_sqlite
        else f"json_build_object({', '.join(parts)})::text"
    )


def same(*names: str) -> dict[str, str]:
    """Columns that are called as their fields are."""
    return {name: f"s.{name}" for name in names}


def _table(model: type[Any]) -> Table:
    found: Table = model.__table__
    return found


AGENCIES = Merge(
    "agencies",
    _table(Agency),
    "agency_ref",
    same("agency_ref", "name", "kind", "phone", "engaged_from", "engaged_until"),
)
OFFICERS = Merge(
    "officers",
    _table(Officer),
    "officer_ref",
    {
        **same("officer_ref", "name_sealed", "phone_sealed", "role", "card_valid_until", "status"),
        "agency_id": "a.id",
    },
    joins="JOIN agency a ON a.agency_ref = s.agency_ref",
)
CUSTOMERS = Merge(
    "customers",
    _table(Borrower),
    "customer_ref",
    same(
        "customer_ref",
        "name_sealed",
        "phone_sealed",
        "phone_digest",
        "phone_tail_sealed",
        "id_tail_sealed",
        "address_sealed",
        "language",
    ),
    changed="s.state = 'changed'",
    set_once=frozenset({"language"}),
    updates={"phone_changed_at": "CASE WHEN s.phone_changed = 1 THEN %(now)s ELSE t.phone_changed_at END"},
)
_FOLLOWS = "(s.state <> 'planned' OR t.off_reason = 'bank')"
_OFF = "CASE WHEN s.state = 'cancelled' THEN 'bank' END"
NOTICES = Merge(
    "notices",
    _table(Notice),
    "notice_ref",
    {
        **same(
            "notice_ref",
            "channel",
            "purpose",
            "issued_at",
            "expires_on",
            "status",
            "sender",
            "stated_on",
            "currency",
            "payee_account",
            "body",
            "body_without_link",
        ),
        "borrower_id": "c.id",
        "agency_id": "a.id",
        "stated_minor": "s.stated",
    },
    joins="JOIN borrower c ON c.customer_ref = s.customer_ref JOIN agency a ON a.agency_ref = s.agency_ref",
)
#: A visit the bank calls off or reports done follows the file. One it still plans stays as the portal has
#: it, unless it was the bank that had called it off.
VISITS = Merge(
    "visits",
    _table(Visit),
    "visit_ref",
    {
        **same("visit_ref", "starts_at", "ends_at", "address_sealed", "purpose", "state"),
        "off_reason": _OFF,
        "notice_id": "n.id",
        "borrower_id": "n.borrower_id",
        "lead_officer_id": "f.id",
        "second_officer_id": "g.id",
    },
    joins="""JOIN notice n ON n.notice_ref = s.notice_ref
        JOIN officer f ON f.officer_ref = s.lead_officer_ref
        LEFT JOIN officer g ON g.officer_ref = s.second_officer_ref""",
    updates={
        "state": f"CASE WHEN {_FOLLOWS} THEN s.state ELSE t.state END",
        "off_reason": f"CASE WHEN {_FOLLOWS} THEN {_OFF} ELSE t.off_reason END",
        # what the borrower moved stays moved until the bank's file names another hour than it did then
        "starts_at": "CASE WHEN s.starts_at = t.moved_from THEN t.starts_at ELSE s.starts_at END",
        "ends_at": "CASE WHEN s.starts_at = t.moved_from THEN t.ends_at ELSE s.ends_at END",
        "moved_from": "CASE WHEN s.starts_at = t.moved_from THEN t.moved_from END",
        "address_sealed": "CASE WHEN t.place_asked_sealed IS NULL THEN s.address_sealed ELSE t.address_sealed END",
    },
)
#: field of the loans file -> the column it ends in, where that is called otherwise
_LOAN_COLUMNS = {"principal": "principal_minor", "days_overdue": "bank_days_overdue", "unit": "unit_minor"}
_RATES = {"annual_rate": "ra.rate", "penalty_multiple": "rp.rate"}


def _or_usual(column: Any, value: str) -> str:
    """The value, or where the bank's file leaves the cell empty what is usual."""
    usual = getattr(column.default, "arg", None)
    if isinstance(usual, str):
        return f"COALESCE({value}, '{usual}')"
    return f"COALESCE({value}, {usual})" if isinstance(usual, int) and column.name == "unit_minor" else value


def loans(fields: Mapping[str, Any]) -> Merge:
    """The loans file, with the fields that the bank's mapping has."""
    values = {"borrower_id": "c.id"}
    for name in fields:
        if name != "customer_ref":
            column = _LOAN_COLUMNS.get(name, name)
            values[column] = _RATES.get(name, _or_usual(Loan.__table__.c[column], f"s.{name}"))
    return Merge(
        "loans",
        _table(Loan),
        "loan_ref",
        values,
        joins="""JOIN borrower c ON c.customer_ref = s.customer_ref
            JOIN in_rate ra ON ra.cell = s.annual_rate JOIN in_rate rp ON rp.cell = s.penalty_multiple""",
    )
