"""The files whose rows are looked at one by one: agencies, officers, customers, notices, visits.

Names, phones and addresses are sealed on the way into the staging tables, a thousand rows at a time, and
only where the row is new or differs from what was taken in before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from portal.bank_files.blocks import Block, Cells
from portal.bank_files.fields import AMOUNTS, Parser, Value, parser_for
from portal.bank_files.mapping import FileForm
from portal.bank_files.reading import Row
from portal.staging import contact_check, transfer_check

if TYPE_CHECKING:
    from portal.staging.checks import Check

#: Rows sealed, compared and put away at once.
CHUNK = 1000

#: file -> column -> what it holds. `line` comes first; `state` is "new", "changed" or "same".
TABLES: Mapping[str, Mapping[str, str]] = {
    "agencies": {
        "agency_ref": "text",
        "name": "text",
        "kind": "text",
        "phone": "text",
        "engaged_from": "date",
        "engaged_until": "date",
    },
    "officers": {
        "officer_ref": "text",
        "name_sealed": "bytes",
        "phone_sealed": "bytes",
        "agency_ref": "text",
        "role": "text",
        "card_valid_until": "date",
        "status": "text",
        "state": "text",
    },
    "customers": {
        "customer_ref": "text",
        "name_sealed": "bytes",
        "phone_sealed": "bytes",
        "phone_digest": "text",
        "phone_tail_sealed": "bytes",
        "id_tail_sealed": "bytes",
        "address_sealed": "bytes",
        "language": "text",
        "state": "text",
        "phone_changed": "number",
    },
    "notices": {
        "notice_ref": "text",
        "customer_ref": "text",
        "agency_ref": "text",
        "channel": "text",
        "purpose": "text",
        "issued_at": "moment",
        "expires_on": "date",
        "status": "text",
        "sender": "text",
        "stated_on": "date",
        "stated": "number",
        "currency": "text",
        "payee_account": "text",
        "body": "text",
        "body_without_link": "text",
    },
    "notice_loans": {"notice_ref": "text", "loan_ref": "text", "customer_ref": "text"},
    "visits": {
        "visit_ref": "text",
        "notice_ref": "text",
        "starts_at": "moment",
        "ends_at": "moment",
        "address_sealed": "bytes",
        "lead_officer_ref": "text",
        "second_officer_ref": "text",
        "purpose": "text",
        "state": "text",
        "same_address": "number",
    },
    **transfer_check.TABLES,
    **contact_check.TABLES,
}
_TYPES = {
    "text": ("text", 'text COLLATE "C"'),
    "date": ("text", "date"),
    "moment": ("text", "timestamptz"),
    "number": ("bigint", "bigint"),
    "bytes": ("blob", "bytea"),
}

Numbered = tuple[int, Row]


class RowCheck:
    """Stages and checks these files for one batch."""

    def __init__(self, check: Check) -> None:
        self.check, self.stage = check, check.stage
        self.waiting: list[Numbered] = []
        self.readers: dict[str, Callable[[Cells], Row]] = {}

    def create(self) -> None:
        """Make the tables, empty."""
        for kind, columns in TABLES.items():
            place = 0 if self.stage.is_sqlite else 1
            made = ", ".join(f"{name} {_TYPES[what][place]}" for name, what in columns.items())
            self.stage.run(f"CREATE TEMPORARY TABLE in_{kind} (line bigint, {made})")

    def put(self, kind: str, form: FileForm, block: Block) -> None:
        """Take good rows in; those of a chunk are checked and put away together."""
        read = self.readers.get(kind)
        if read is None:
            read = self.readers[kind] = self._reader(form)
        for line, cells in enumerate(block.rows(), start=block.line):
            self.waiting.append((line, read(cells)))
            if len(self.waiting) >= CHUNK:
                self.flush(kind)

    def flush(self, kind: str) -> None:
        """Put the waiting rows away."""
        rows, self.waiting = self.waiting, []
        if rows:
            STAGING[kind](self, rows)

    def staged(self, kind: str) -> None:
        """What the rows of a file refer to."""
        for column, to in _REFERS.get(kind, ()):
            self.check.refers(kind, to, column)
        if kind in _TOGETHER:
            _TOGETHER[kind](self)

    def keep(self, kind: str, rows: Iterable[Sequence[Any]]) -> None:
        """Put rows of values, the line first, into a file's table."""
        self.stage.fill(f"in_{kind}", ("line", *TABLES[kind]), rows)

    def held(self, table: str, key: str, refs: Iterable[str], columns: str) -> dict[str, tuple[Any, ...]]:
        """Rows of the book by reference."""
        # a reference has no quotation mark in it, so it can stand in a statement as it is
        named = ", ".join(f"'{ref}'" for ref in refs)
        sql = f"SELECT {key}, {columns} FROM {table} WHERE {key} IN ({named})"  # noqa: S608
        return {row[0]: row[1:] for row in self.stage.all(sql)}

    def moment(self, value: datetime) -> Any:
        """An instant as the database keeps it."""
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" if self.stage.is_sqlite else value

    def day(self, value: date) -> Any:
        """A date as the database keeps it."""
        return value.isoformat() if self.stage.is_sqlite else value

    def _reader(self, form: FileForm) -> Callable[[Cells], Row]:
        """Values of the good cells of one row."""
        mapping = self.check.mapping
        parts: list[tuple[int, str, Callable[[str], Any] | None]] = []
        for place, name in enumerate(form.columns.values()):
            spec = form.fields[name]
            if spec.kind in AMOUNTS:
                parts.append((place, name, _minor))
            elif spec.kind in _AS_THEY_ARE:
                parts.append((place, name, _optional if spec.optional else None))
            else:
                parse = parser_for(spec, mapping.forms, form.codes.get(name, {}))
                parts.append((place, name, partial(_parsed, parse, mapping.currency)))

        def read(cells: Cells) -> Row:
            return {name: cells[place] if made is None else made(cells[place]) for place, name, made in parts}

        return read

    def _agencies(self, rows: list[Numbered]) -> None:
        for line, row in rows:
            if row["engaged_until"] < row["engaged_from"]:
                self.check.fault("agencies", "dates_order", line, "engaged_until", row["engaged_until"])
        names = ("agency_ref", "name", "kind", "phone")
        self.keep(
            "agencies",
            [
                (
                    line,
                    *(row[name] for name in names),
                    self.day(row["engaged_from"]),
                    self.day(row["engaged_until"]),
                )
                for line, row in rows
            ],
        )

    def _officers(self, rows: list[Numbered]) -> None:
        keys = self.check.keys
        held = self.held(
            "officer", "officer_ref", (row["officer_ref"] for _, row in rows), "name_sealed, phone_sealed"
        )
        made = []
        for line, row in rows:
            before = held.get(row["officer_ref"])
            same = before is not None and (
                keys.unseal("officer.name", before[0]) == row["name"]
                and keys.unseal("officer.phone", before[1]) == row["phone"]
            )
            sealed = (
                before
                if before is not None and same
                else (keys.seal("officer.name", row["name"]), keys.seal("officer.phone", row["phone"]))
            )
            made.append(
                (line, row["officer_ref"], *sealed, row["agency_ref"], row["role"],
                 self.day(row["card_valid_until"]), row["status"], "same" if same else "changed")
            )  # fmt: skip
        self.keep("officers", made)

    def _customers(self, rows: list[Numbered]) -> None:
        columns = "name_sealed, phone_digest, id_tail_sealed, address_sealed"
        held = self.held("borrower", "customer_ref", (row["customer_ref"] for _, row in rows), columns)
        digests = self.check.keys.digest_all("phone", [row["phone"] for _, row in rows])
        made: list[tuple[Any, ...]] = []
        sealing = []
        for (line, row), digest in zip(rows, digests, strict=True):
            before = held.get(row["customer_ref"])
            if before is not None and self._is_known(row, digest, before):
                made.append(
                    (
                        line,
                        row["customer_ref"],
                        None,
                        None,
                        digest,
                        None,
                        None,
                        None,
                        row["language"],
                        "same",
                        0,
                    )
                )
            else:
                sealing.append((line, row, digest, before))
        self.keep("customers", made + self._sealed(sealing))

    def _is_known(self, row: Row, digest: str, before: tuple[Any, ...]) -> bool:
        name, phone_digest, id_tail, address = before
        unseal = self.check.keys.unseal
        return (
            bool(phone_digest == digest)
            and unseal("borrower.name", name) == row["name"]
            and unseal("borrower.id_tail", id_tail) == row["id_number"][-4:]
            and unseal("borrower.address", address) == row["address"]
        )

    def _sealed(self, rows: list[tuple[int, Row, str, tuple[Any, ...] | None]]) -> list[tuple[Any, ...]]:
        """Customers who are new or differ, with what is personal about them sealed."""
        seal = self.check.keys.seal_all
        phones = [row["phone"] for _, row, _, _ in rows]
        personal = zip(
            seal("borrower.name", [row["name"] for _, row, _, _ in rows]),
            seal("borrower.phone", phones),
            seal("borrower.phone_tail", [phone[-4:] for phone in phones]),
            seal("borrower.id_tail", [row["id_number"][-4:] for _, row, _, _ in rows]),
            seal("borrower.address", [row["address"] for _, row, _, _ in rows]),
            strict=True,
        )
        return [
            (line, row["customer_ref"], name, phone, digest, phone_tail, id_tail, address, row["language"],
             "new" if before is None else "changed", int(before is not None and before[1] != digest))
            for (line, row, digest, before), (name, phone, phone_tail, id_tail, address) in zip(rows, personal, strict=True)
        ]  # fmt: skip

    def _notices(self, rows: list[Numbered]) -> None:
        names = self._names({row["customer_ref"] for _, row in rows})
        made, named = [], []
        for line, row in rows:
            self._notice_faults(line, row)
            # a letter begins with a name, and names are not stored in clear: the place is kept, not the name
            name = names.get(row["customer_ref"])
            texts = [
                row[text].replace(name, "{name}") if name else row[text]
                for text in ("body", "body_without_link")
            ]
            currency = self._currency(row["loan_refs"][0])
            made.append(
                (line, row["notice_ref"], row["customer_ref"], row["agency_ref"], row["channel"], row["purpose"],
                 self.moment(row["issued_at"]), self.day(row["expires_on"]), row["status"], row["sender"] or "",
                 self.day(row["stated_on"]), row["stated"], currency, row["payee_account"], *texts)
            )  # fmt: skip
            named += [(line, row["notice_ref"], ref, row["customer_ref"]) for ref in row["loan_refs"]]
        self.keep("notices", made)
        self.keep("notice_loans", named)

    def _currency(self, loan_ref: str) -> str:
        return self.check.odd.get(loan_ref, self.check.mapping.currency)

    def _notice_faults(self, line: int, row: Row) -> None:
        if row["expires_on"] < row["issued_at"].date():
            self.check.fault("notices", "dates_order", line, "expires_on", row["expires_on"])
        for name in ("body", "body_without_link"):
            if "{code}" not in row[name]:
                self.check.fault("notices", "placeholder", line, name)

    def _names(self, refs: set[str]) -> dict[str, str]:
        """Names of customers, from the batch where it has them, else from the book."""
        found = {
            **self.held("borrower", "customer_ref", sorted(refs), "name_sealed"),
            **{
                ref: sealed
                for ref, sealed in self.held(
                    "in_customers", "customer_ref", sorted(refs), "name_sealed"
                ).items()
                if sealed[0] is not None
            },
        }
        return {ref: self.check.keys.unseal("borrower.name", sealed) for ref, (sealed,) in found.items()}

    def _named_loans(self) -> None:
        """The loans a notice names: known, of its customer, and of one currency."""
        if not self.stage.value("SELECT EXISTS (SELECT 1 FROM in_notice_loans)"):
            return
        self.stage.analyze("in_notice_loans")
        self.check.refers(
            "notices", "loans", "loan_refs", table="(SELECT line, loan_ref AS loan_refs FROM in_notice_loans)"
        )
        foreign = """
            SELECT n.line, n.loan_ref FROM in_notice_loans n JOIN in_book b ON b.loan_ref = n.loan_ref
            WHERE b.customer_ref <> n.customer_ref ORDER BY n.line"""
        for line, ref in self.stage.rows(foreign):
            self.check.fault("notices", "foreign_loan", line, "loan_refs", ref)
        mixed = """
            SELECT n.line FROM in_notice_loans n JOIN in_book b ON b.loan_ref = n.loan_ref
            GROUP BY n.line HAVING count(DISTINCT b.currency) > 1 ORDER BY n.line"""
        for (line,) in self.stage.rows(mixed):
            self.check.fault("notices", "loan_currencies", line, "loan_refs")
        self.stage.run("""
            UPDATE in_notices SET currency = (
                SELECT min(b.currency) FROM in_notice_loans n JOIN in_book b ON b.loan_ref = n.loan_ref
                WHERE n.line = in_notices.line)""")

    def _visits(self, rows: list[Numbered]) -> None:
        keys = self.check.keys
        held = self.held("visit", "visit_ref", (row["visit_ref"] for _, row in rows), "address_sealed")
        made = []
        for line, row in rows:
            if row["ends_at"] <= row["starts_at"]:
                self.check.fault("visits", "dates_order", line, "ends_at", row["ends_at"])
            before = held.get(row["visit_ref"])
            same = before is not None and keys.unseal("visit.address", before[0]) == row["address"]
            sealed = before[0] if before is not None and same else keys.seal("visit.address", row["address"])
            made.append(
                (line, row["visit_ref"], row["notice_ref"], self.moment(row["starts_at"]),
                 self.moment(row["ends_at"]), sealed, row["lead_officer_ref"], row["second_officer_ref"],
                 row["purpose"], row["state"], int(same))
            )  # fmt: skip
        self.keep("visits", made)


#: file -> how a chunk of its rows is checked and staged
STAGING: dict[str, Callable[[RowCheck, list[Numbered]], None]] = {
    "agencies": RowCheck._agencies,
    "officers": RowCheck._officers,
    "customers": RowCheck._customers,
    "notices": RowCheck._notices,
    "visits": RowCheck._visits,
    "rate_changes": transfer_check.rate_changes,
    "transfers": transfer_check.transfers,
    "contacts": contact_check.contacts,
}
#: file -> what its rows must be among each other, and with the book
_TOGETHER: Mapping[str, Callable[[RowCheck], None]] = {
    "notices": RowCheck._named_loans,
    "rate_changes": transfer_check.rate_changes_staged,
    "transfers": transfer_check.transfers_staged,
    "contacts": contact_check.contacts_staged,
}

#: file -> (field, the file it names)
_REFERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "officers": (("agency_ref", "agencies"),),
    "notices": (("customer_ref", "customers"), ("agency_ref", "agencies")),
    "visits": (
        ("notice_ref", "notices"),
        ("lead_officer_ref", "officers"),
        ("second_officer_ref", "officers"),
    ),
    "contacts": (
        ("customer_ref", "customers"),
        ("agency_ref", "agencies"),
        ("officer_ref", "officers"),
        ("notice_ref", "notices"),
    ),
}
_AS_THEY_ARE = frozenset({"ref", "outside_ref", "text", "phone", "id_number", "currency"})


def _parsed(parse: Parser, currency: str, cell: str) -> Value:
    return parse(cell, currency)


def _minor(cell: str) -> int:
    return int(cell.replace(".", ""))


def _optional(cell: str) -> str | None:
    return cell or None
