"""The files and fields an intake understands, and the one strict reading of each kind of field.

Pure. A bank's mapping says which of its columns is which field; what a field may hold is said here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from portal.bank_files.cells import unmarked
from portal.bank_files.codes import CODES as CODES
from portal.money import EXPONENTS, LARGEST_MINOR, AmountError, Money, rate

Value = str | int | date | datetime | Decimal | tuple[str, ...] | None
#: Reads one cell; the second argument is the currency of the row's loan. Raises FieldFault.
Parser = Callable[[str, str], Value]


class FieldFault(ValueError):
    """A cell that cannot be read. `reason` is a key of `reasons.TEXTS`, `facts` fill its text."""

    def __init__(self, reason: str, **facts: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Field:
    """What a field may hold.

    `kind`: ref, refs, outside_ref (also with / and :), words (a list of codes), text, cell_text (safe in a
    spreadsheet), date, moment, amount (not negative), signed, code, rate, number, phone, id_number,
    currency. `size` is the longest text or largest number. `personal` values never appear in a report.
    """

    kind: str
    size: int = 32
    optional: bool = False
    personal: bool = False


_REF, _DATE, _MOMENT, _CODE = Field("ref"), Field("date"), Field("moment"), Field("code")
_AMOUNT, _SIGNED = Field("amount"), Field("signed")
_SHORT_REF = Field("ref", 16)
_COMPONENTS = ("principal", "interest", "penalty_interest", "charges", "fee", "cost")

#: file -> field -> what it may hold. The order is that of checking and of writing.
FILES: Mapping[str, Mapping[str, Field]] = {
    "agencies": {
        "agency_ref": _SHORT_REF,
        "name": Field("text", 100),
        "kind": _CODE,
        "phone": Field("phone", 20),
        "engaged_from": _DATE,
        "engaged_until": _DATE,
    },
    "officers": {
        "officer_ref": _SHORT_REF,
        "name": Field("text", 100, personal=True),
        "agency_ref": _SHORT_REF,
        "role": Field("text", 32),
        "phone": Field("phone", 20, personal=True),
        "card_valid_until": _DATE,
        "status": _CODE,
    },
    "customers": {
        "customer_ref": _REF,
        "name": Field("text", 100, personal=True),
        "id_number": Field("id_number", 24, personal=True),
        "phone": Field("phone", 20, personal=True),
        "language": _CODE,
        "address": Field("text", 300, personal=True),
    },
    "loans": {
        "loan_ref": _REF,
        "customer_ref": _REF,
        "product": Field("text", 64),
        "product_class": _CODE,
        "currency": Field("currency"),
        "opened_on": _DATE,
        "matures_on": _DATE,
        "principal": _AMOUNT,
        "annual_rate": Field("rate"),
        "penalty_multiple": Field("rate"),
        "day_count": _CODE,
        "method": _CODE,
        "pay_day": Field("number", 31),
        "term_count": Field("number", 600),
        "days_overdue": Field("number", 36_500),
        "status": _CODE,
        "rounding": Field("code", optional=True),
        "unit": Field("number", 100_000, optional=True),
        "compounding": Field("code", optional=True),
    },
    "rate_changes": {
        "loan_ref": _REF,
        "from_on": _DATE,
        "annual_rate": Field("rate"),
        "penalty_rate": Field("rate", optional=True),
    },
    "ledger": {
        "line_ref": Field("ref", 48),
        "loan_ref": _REF,
        "posted_on": _DATE,
        "kind": _CODE,
        **{name: _SIGNED for name in _COMPONENTS},
        "memo": Field("text", 200, optional=True),
        "reverses_ref": Field("ref", 48, optional=True),
        "external_ref": Field("outside_ref", 64, optional=True),
    },
    "transfers": {
        "transfer_ref": Field("outside_ref", 64),
        "value_on": _DATE,
        "amount": _AMOUNT,
        "currency": Field("currency"),
        "text": Field("text", 500, optional=True, personal=True),
        "payer_name": Field("text", 100, optional=True, personal=True),
        "payer_tail": Field("text", 8, optional=True, personal=True),
        "reverses_ref": Field("outside_ref", 64, optional=True),
    },
    "balances": {
        "loan_ref": _REF,
        "as_of": _DATE,
        **{
            f"{name}_{what}": _AMOUNT for what in ("owed", "paid", "forgiven", "left") for name in _COMPONENTS
        },
        "principal_due": _AMOUNT,
        "due_now": _AMOUNT,
    },
    "notices": {
        "notice_ref": _REF,
        "customer_ref": _REF,
        "loan_refs": Field("refs"),
        "channel": _CODE,
        "purpose": _CODE,
        "issued_at": _MOMENT,
        "expires_on": _DATE,
        "status": _CODE,
        "sender": Field("text", 32, optional=True),
        "agency_ref": _SHORT_REF,
        "stated_on": _DATE,
        "stated": _AMOUNT,
        "payee_account": Field("text", 40),
        "body": Field("text", 4000, personal=True),
        "body_without_link": Field("text", 4000, personal=True),
    },
    "visits": {
        "visit_ref": _REF,
        "notice_ref": _REF,
        "starts_at": _MOMENT,
        "ends_at": _MOMENT,
        "address": Field("text", 300, personal=True),
        "lead_officer_ref": _SHORT_REF,
        "second_officer_ref": Field("ref", 16, optional=True),
        "purpose": Field("text", 100),
        "state": _CODE,
    },
    "contacts": {
        "contact_ref": Field("outside_ref", 64),
        "customer_ref": _REF,
        "channel": _CODE,
        "at": _MOMENT,
        "outcome": _CODE,
        "number": Field("phone", 20, optional=True, personal=True),
        "agency_ref": Field("ref", 16, optional=True),
        "officer_ref": Field("ref", 16, optional=True),
        "notice_ref": Field("ref", optional=True),
        "party": Field("code", optional=True),
        "direction": Field("code", optional=True),
    },
}

#: Files that a mapping may leave out, and a full batch too.
OPTIONAL_FILES = frozenset({"rate_changes", "transfers", "contacts"})

#: The field that names a row, per file.
KEYS = {
    "agencies": "agency_ref",
    "officers": "officer_ref",
    "customers": "customer_ref",
    "loans": "loan_ref",
    "rate_changes": "loan_ref",
    "ledger": "line_ref",
    "transfers": "transfer_ref",
    "balances": "loan_ref",
    "notices": "notice_ref",
    "visits": "visit_ref",
    "contacts": "contact_ref",
}

#: The fields that together name a row.
KEY_FIELDS: Mapping[str, tuple[str, ...]] = {
    **{file: (name,) for file, name in KEYS.items()},
    "rate_changes": ("loan_ref", "from_on"),
}

AMOUNTS = frozenset({"amount", "signed"})
_FORGIVEN = frozenset(f"{name}_forgiven" for name in _COMPONENTS)
_SPLIT = frozenset({"fee", "cost"})
_KNOBS = frozenset({"rounding", "unit", "compounding"})
_TRANSFER = frozenset({"payer_name", "payer_tail", "reverses_ref"})
_OPTIONAL_COLUMNS: Mapping[str, frozenset[str]] = {
    "loans": _KNOBS,
    "rate_changes": frozenset({"penalty_rate"}),
    "ledger": frozenset({"external_ref"}),
    "transfers": _TRANSFER,
    "contacts": frozenset({"party", "direction"}),
    "balances": _FORGIVEN,
}
_REF_FORM = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_OUTSIDE_FORM = r"[A-Za-z0-9][A-Za-z0-9._/:-]*"
_WORD_FORM = r"[A-Za-z0-9][A-Za-z0-9._:-]*"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")
_DATE_TOKENS = {
    "YYYY": "([0-9]{4})",
    "MM": "([0-9]{2})",
    "DD": "([0-9]{2})",
    "hh": "([0-9]{2})",
    "mm": "([0-9]{2})",
}
_EARLIEST, _LATEST = date(1970, 1, 1), date(2199, 12, 31)


def missing_fields(file: str, found: frozenset[str]) -> list[str]:
    """Fields of `file` that a mapping must name and does not. Fees and costs come in one column
    (`charges`) or in two (`fee`, `cost`); forgiven amounts and the outside reference may be absent."""
    missing = []
    split = any(name.split("_")[0] in _SPLIT for name in found if file in ("ledger", "balances"))
    for name in FILES[file]:
        base = name.split("_")[0]
        if name in found or name in _OPTIONAL_COLUMNS.get(file, ()):
            continue
        if file in ("ledger", "balances") and (base in _SPLIT) != split and base in (*_SPLIT, "charges"):
            continue
        missing.append(name)
    return missing


def date_pattern(form: str) -> re.Pattern[str]:
    """The expression for a declared form such as `YYYYMMDD` or `YYYY-MM-DD hh:mm`; ASCII digits only."""
    pieces = re.split("(YYYY|MM|DD|hh|mm)", form)
    return re.compile("".join(_DATE_TOKENS.get(piece) or re.escape(piece) for piece in pieces))


@dataclass(frozen=True, slots=True)
class Forms:
    """How a mapping writes dates, moments, amounts and lists."""

    date: str
    moment: str
    amount: str
    list_separator: str
    zone: str


def parser_for(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    """The strict reading of one field under a mapping's declared forms."""
    parse = _PARSERS[field.kind](field, forms, codes)

    def read(text: str, currency: str) -> Value:
        if text == "":
            if field.optional:
                return None
            raise FieldFault("empty")
        return parse(text, currency)

    return read


def _ref(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    pattern = re.compile(_OUTSIDE_FORM if field.kind == "outside_ref" else _REF_FORM)

    def read(text: str, currency: str) -> Value:
        if pattern.fullmatch(text) is None:
            raise FieldFault("ref")
        if len(text) > field.size:
            raise FieldFault("long", size=field.size)
        return text

    return read


def _words(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    pattern = re.compile(_WORD_FORM)

    def read(text: str, currency: str) -> Value:
        found = tuple(text.split(forms.list_separator))
        if not all(pattern.fullmatch(part) for part in found):
            raise FieldFault("ref")
        return found

    return read


def _cell_text(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    plain = _text(field, forms, codes)
    return lambda text, currency: plain(unmarked(text), currency)


def _refs(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    one = _ref(field, forms, codes)

    def read(text: str, currency: str) -> Value:
        found = tuple(text.split(forms.list_separator))
        for part in found:
            one(part, currency)
        if len(set(found)) != len(found):
            raise FieldFault("repeated_ref")
        return found

    return read


def _text(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    def read(text: str, currency: str) -> Value:
        if _CONTROL.search(text):
            raise FieldFault("control")
        if len(text) > field.size:
            raise FieldFault("long", size=field.size)
        return text

    return read


def _date(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    pattern = date_pattern(forms.date)
    cache: dict[str, date] = {}

    def read(text: str, currency: str) -> Value:
        known = cache.get(text)
        if known is not None:
            return known
        match = pattern.fullmatch(text)
        if match is None:
            raise FieldFault("date_form", form=forms.date)
        try:
            found = date(*(int(part) for part in match.groups()))
        except ValueError:
            raise FieldFault("date_none", form=forms.date) from None
        if not _EARLIEST <= found <= _LATEST:
            raise FieldFault("date_range")
        if len(cache) < 50_000:
            cache[text] = found
        return found

    return read


def _moment(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    pattern, zone = date_pattern(forms.moment), ZoneInfo(forms.zone)

    def read(text: str, currency: str) -> Value:
        match = pattern.fullmatch(text)
        if match is None:
            raise FieldFault("date_form", form=forms.moment)
        year, month, day, hour, minute = (int(part) for part in match.groups())
        try:
            found = datetime(year, month, day, hour, minute, tzinfo=zone)
        except ValueError:
            raise FieldFault("date_none", form=forms.moment) from None
        if not _EARLIEST <= found.date() <= _LATEST:
            raise FieldFault("date_range")
        return found

    return read


def _amount(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    signed = field.kind == "signed"
    parse = _point if forms.amount == "point" else _minor

    def read(text: str, currency: str) -> Value:
        if text == "0.00" and EXPONENTS[currency] == 2:
            return 0
        return parse(text, currency, signed)

    return read


def _point(text: str, currency: str, signed: bool) -> int:
    try:
        return Money.from_file(text, currency, signed=signed).minor
    except AmountError as error:
        raise FieldFault(f"amount_{error.reason}", currency=currency) from None


def _minor(text: str, currency: str, signed: bool) -> int:
    if re.fullmatch(r"0|-?[1-9][0-9]{0,13}", text) is None:
        raise FieldFault("amount_form", currency=currency)
    if abs(int(text)) > LARGEST_MINOR:
        raise FieldFault("amount_large", currency=currency)
    if text.startswith("-") and not signed:
        raise FieldFault("amount_sign", currency=currency)
    return int(text)


def _code(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    def read(text: str, currency: str) -> Value:
        try:
            return codes[text]
        except KeyError:
            raise FieldFault("code", known=", ".join(codes)) from None

    return read


def _rate(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    def read(text: str, currency: str) -> Value:
        try:
            found = rate(text)
        except AmountError:
            raise FieldFault("rate") from None
        if found > 10:
            raise FieldFault("rate")
        return found

    return read


def _number(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    pattern = re.compile("0|[1-9][0-9]{0,5}")

    def read(text: str, currency: str) -> Value:
        if pattern.fullmatch(text) is None:
            raise FieldFault("number")
        if int(text) > field.size:
            raise FieldFault("number_large", size=field.size)
        return int(text)

    return read


def _matching(expression: str, reason: str) -> Callable[[Field, Forms, Mapping[str, str]], Parser]:
    pattern = re.compile(expression)

    def made(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
        def read(text: str, currency: str) -> Value:
            if pattern.fullmatch(text) is None or len(text) > field.size:
                raise FieldFault(reason)
            return text

        return read

    return made


def _currency(field: Field, forms: Forms, codes: Mapping[str, str]) -> Parser:
    def read(text: str, currency: str) -> Value:
        if text not in EXPONENTS:
            raise FieldFault("currency", known=", ".join(sorted(EXPONENTS)))
        return text

    return read


_PARSERS: Mapping[str, Callable[[Field, Forms, Mapping[str, str]], Parser]] = {
    "ref": _ref,
    "refs": _refs,
    "outside_ref": _ref,
    "words": _words,
    "text": _text,
    "cell_text": _cell_text,
    "date": _date,
    "moment": _moment,
    "amount": _amount,
    "signed": _amount,
    "code": _code,
    "rate": _rate,
    "number": _number,
    "phone": _matching(r"\+?[0-9]{6,15}", "phone"),
    "id_number": _matching(r"[0-9A-Z]{4,24}", "id_number"),
    "currency": _currency,
}
