"""A small bank's book of one business date, written as files in any mapping's form, whole or broken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from portal.accounts.balance import Line, LoanTerms, balance_of
from portal.bank_files.fields import FILES
from portal.bank_files.mapping import Mapping as BankMapping
from portal.money import Money

SHANGHAI = ZoneInfo("Asia/Shanghai")
BUSINESS_DATE = date(2026, 11, 20)
Rows = list[dict[str, Any]]


def loan(ref: str, customer: str, **changes: Any) -> dict[str, Any]:
    """A loan of 1,200.00 over 12 months, opened 7 March 2026, pay day 5."""
    row = {
        "loan_ref": ref,
        "customer_ref": customer,
        "product": "消费贷",
        "product_class": "loan",
        "currency": "CNY",
        "opened_on": date(2026, 3, 7),
        "matures_on": date(2027, 3, 5),
        "principal": 120_000,
        "annual_rate": Decimal("0.088"),
        "penalty_multiple": Decimal("1.5"),
        "day_count": "actual/360",
        "method": "equal_principal",
        "pay_day": 5,
        "term_count": 12,
        "days_overdue": 0,
        "status": "current",
    }
    return row | changes


def line(ref: str, loan_ref: str, day: date, kind: str, **amounts: Any) -> dict[str, Any]:
    """A ledger line; amounts by component in minor units."""
    row: dict[str, Any] = {
        "line_ref": ref,
        "loan_ref": loan_ref,
        "posted_on": day,
        "kind": kind,
        "memo": None,
    }
    row |= {"principal": 0, "interest": 0, "penalty_interest": 0, "fee": 0, "cost": 0}
    row |= {"reverses_ref": None, "external_ref": None}
    return row | amounts


def _ledger() -> Rows:
    return [
        line("T1", "L1", date(2026, 3, 7), "disbursement", principal=120_000),
        line("T2", "L1", date(2026, 4, 5), "interest", interest=850),
        line("T3", "L1", date(2026, 4, 6), "payment", principal=-10_000, interest=-850, memo="手机银行还款"),
        line("T4", "L1", date(2026, 5, 5), "fee", fee=5_000, memo="违约金"),
        line("T5", "L1", date(2026, 5, 6), "cost", cost=32_050, memo="诉讼费"),
        line("T6", "L1", date(2026, 5, 7), "payment", cost=-32_050, fee=-1_000, memo="柜面还款"),
        line("T7", "L1", date(2026, 6, 5), "payment", principal=-10_000),
        line("T8", "L1", date(2026, 6, 6), "reversal", principal=10_000, memo="扣款退回", reverses_ref="T7"),
        line("T9", "L1", date(2026, 6, 8), "penalty_interest", penalty_interest=77),
        line("T10", "L2", date(2026, 3, 7), "disbursement", principal=120_000),
        line("T11", "L2", date(2026, 6, 1), "payment", principal=-80_000, external_ref="R99"),
    ]


@dataclass
class Book:
    """Rows by file, in field names and typed values."""

    sequence: int = 1
    business_date: date = BUSINESS_DATE
    mode: str = "full"
    rows: dict[str, Rows] = field(default_factory=dict)

    def settle(self) -> None:
        """Make balances and days overdue what the ledger says."""
        self.rows["balances"] = [self._balance(one) for one in self.rows["loans"]]

    def _balance(self, one: dict[str, Any]) -> dict[str, Any]:
        terms = LoanTerms(
            one["principal"],
            one["annual_rate"],
            one["method"],
            one["pay_day"],
            one["term_count"],
            one["matures_on"],
        )
        kinds = {row["line_ref"]: row["kind"] for row in self.rows["ledger"]}
        lines = [
            Line(
                row["posted_on"],
                row["kind"],
                {name: row[name] for name in ("principal", "interest", "penalty_interest", "fee", "cost")},
                reverses_kind=kinds.get(row["reverses_ref"]),
            )
            for row in self.rows["ledger"]
            if row["loan_ref"] == one["loan_ref"]
        ]
        figures = balance_of(terms, lines, as_of=self.business_date)
        one["days_overdue"] = figures.days_overdue
        one["status"] = "overdue" if figures.days_overdue else "current"
        made = {"loan_ref": one["loan_ref"], "as_of": self.business_date}
        for name, sums in figures.components.items():
            made |= {f"{name}_owed": sums.owed, f"{name}_paid": sums.paid}
            made |= {f"{name}_forgiven": sums.forgiven, f"{name}_left": sums.left}
        for what in ("owed", "paid", "forgiven", "left"):
            made[f"charges_{what}"] = made[f"fee_{what}"] + made[f"cost_{what}"]
        return made | {"principal_due": figures.principal_due, "due_now": figures.due_now}


def small_book() -> Book:
    """Lin and Zhao, one loan each; a fee, a cost, a payment of both, a payment taken back, a visit."""
    book = Book()
    book.rows = {
        "agencies": [
            {
                "agency_ref": "A00",
                "name": "港湾银行",
                "kind": "bank",
                "phone": "4000000001",
                "engaged_from": date(2020, 1, 1),
                "engaged_until": date(2030, 12, 31),
            }
        ],
        "officers": [_officer("G1", "金兰"), _officer("G2", "李㛃")],
        "customers": [_customer("C1", "林䶮", "19900000001"), _customer("C2", "赵明", "19900000002")],
        "loans": [loan("L1", "C1"), loan("L2", "C2", product_class="card", penalty_multiple=Decimal("1.0"))],
        "ledger": _ledger(),
        "notices": [
            _notice("N1", "C1", ("L1",)),
            _notice("N2", "C2", ("L2",), channel="visit", purpose="visit"),
        ],
        "visits": [
            {
                "visit_ref": "V1",
                "notice_ref": "N2",
                "starts_at": datetime(2026, 11, 30, 15, 0, tzinfo=SHANGHAI),
                "ends_at": datetime(2026, 11, 30, 16, 0, tzinfo=SHANGHAI),
                "address": "临港市海湾路2号",
                "lead_officer_ref": "G1",
                "second_officer_ref": "G2",
                "purpose": "了解情况，协商安排",
                "state": "planned",
            }
        ],
    }
    book.settle()
    return book


def _officer(ref: str, name: str) -> dict[str, Any]:
    return {
        "officer_ref": ref,
        "name": name,
        "agency_ref": "A00",
        "role": "外访专员",
        "phone": "19900010000",
        "card_valid_until": date(2027, 6, 30),
        "status": "active",
    }


def _customer(ref: str, name: str, phone: str) -> dict[str, Any]:
    return {
        "customer_ref": ref,
        "name": name,
        "id_number": "99999919880826380X",
        "phone": phone,
        "language": "zh",
        "address": "临港市海湾路2号24幢1982室",
    }


def _notice(ref: str, customer: str, loans: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "notice_ref": ref,
        "customer_ref": customer,
        "loan_refs": loans,
        "channel": "sms",
        "purpose": "reminder",
        "issued_at": datetime(2026, 11, 1, 10, 30, tzinfo=SHANGHAI),
        "expires_on": date(2026, 12, 31),
        "status": "live",
        "sender": "10690000",
        "agency_ref": "A00",
        "stated_on": date(2026, 11, 1),
        "stated": 12_345,
        "payee_account": "9999000011112222333",
        "body": "您有一份服务通知，查询码{code}，{link}",
        "body_without_link": "您有一份服务通知，查询码{code}",
    }
    return row | changes


def cells_of(kind: str, row: Mapping[str, Any], mapping: BankMapping) -> dict[str, str]:
    """header -> cell of one row, in the mapping's forms."""
    form = mapping.files[kind]
    return {header: _cell(kind, name, row, mapping) for header, name in form.columns.items()}


def _cell(kind: str, name: str, row: Mapping[str, Any], mapping: BankMapping) -> str:
    spec, form = FILES[kind][name], mapping.files[kind]
    value = row.get(name)
    if name == "charges":
        value = row["fee"] + row["cost"]
    if kind == "ledger" and name == "kind" and value == "cost" and form.cost_memos:
        value = "fee"
    if value is None:
        return ""
    if spec.kind in ("amount", "signed"):
        return Money(value, row.get("currency", "CNY")).plain()
    if spec.kind == "code":
        return next(text for text, stored in form.codes[name].items() if stored == value)
    if spec.kind == "date":
        return _stamp(mapping.forms.date, value)
    if spec.kind == "moment":
        return _stamp(mapping.forms.moment, value)
    if spec.kind == "refs":
        return mapping.forms.list_separator.join(value)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _stamp(form: str, value: date) -> str:
    parts = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M"}
    for token, code in parts.items():
        form = form.replace(token, code)
    return value.strftime(form)


def quoted(cell: str, delimiter: str) -> str:
    """A cell as CSV: quoted where it must be."""
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in f'{delimiter}"\r\n') else cell


def file_bytes(kind: str, rows: Rows, mapping: BankMapping) -> bytes:
    """One file in the mapping's form."""
    lines = [mapping.delimiter.join(mapping.files[kind].columns)]
    for row in rows:
        cells = cells_of(kind, row, mapping).values()
        lines.append(mapping.delimiter.join(quoted(cell, mapping.delimiter) for cell in cells))
    end = mapping.line_end.decode()
    return "".join(f"{one}{end}" for one in lines).encode(mapping.encoding)


def write_book(book: Book, mapping: BankMapping, directory: Path) -> Path:
    """All files and the manifest in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    for kind, form in mapping.files.items():
        if kind in book.rows:
            (directory / form.file).write_bytes(file_bytes(kind, book.rows[kind], mapping))
    manifest = {
        "bank": "HARBOUR",
        "batch": f"20261120-{book.sequence:03d}",
        "sequence": book.sequence,
        "business_date": book.business_date.isoformat(),
        "encoding": mapping.encoding,
        "mode": book.mode,
        "demonstration": True,
        "files": {
            mapping.files[kind].file: {
                "rows": len(rows),
                "sha256": "",
                "totals": _totals(kind, rows, mapping),
            }
            for kind, rows in book.rows.items()
        },
    }
    write_manifest(directory, manifest)
    return rehash(directory)


def _totals(kind: str, rows: Rows, mapping: BankMapping) -> dict[str, str]:
    totals = {}
    for header in mapping.files[kind].amount_columns:
        cells = [cells_of(kind, row, mapping)[header].replace(".", "") for row in rows]
        totals[header] = Money(sum(int(cell) for cell in cells), "CNY").plain()
    return totals


def read_manifest_of(directory: Path) -> dict[str, Any]:
    """The manifest as it lies there."""
    found: dict[str, Any] = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    return found


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Put a manifest there."""
    text = json.dumps(manifest, ensure_ascii=False, indent=2)
    (directory / "manifest.json").write_text(text, encoding="utf-8")


def rehash(directory: Path) -> Path:
    """Make every hash in the manifest right, as a bank would that made the mistake itself."""
    manifest = read_manifest_of(directory)
    for name, entry in manifest["files"].items():
        entry["sha256"] = hashlib.sha256((directory / name).read_bytes()).hexdigest()
    write_manifest(directory, manifest)
    return directory


def edit(directory: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file's bytes and make its hash right again."""
    path = directory / name
    path.write_bytes(change(path.read_bytes()))
    rehash(directory)
