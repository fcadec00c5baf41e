"""Mappings: the shipped ones are whole, a bad one is named by file and key, every reason has both languages."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.bank_files.fields import CODES, FILES
from portal.bank_files.mapping import SHIPPED, BadMapping, load_mapping
from portal.bank_files.reasons import TEXTS

HARBOUR = (SHIPPED / "harbour.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["harbour", "portal"])
def test_a_shipped_mapping_names_every_file_and_translates_to_known_codes(name: str) -> None:
    mapping = load_mapping(name)

    assert list(mapping.files) == list(FILES)
    for kind, form in mapping.files.items():
        for field, codes in form.codes.items():
            assert set(codes.values()) <= CODES[kind, field]
    assert mapping.header("customers").decode(mapping.encoding).count(",") == 5


def test_the_portals_own_form_can_say_everything_the_portal_stores() -> None:
    forms = load_mapping("portal").files

    for (kind, field), codes in CODES.items():
        assert set(forms[kind].codes[field].values()) == codes
    assert {"fee", "cost"} <= set(forms["ledger"].columns.values())


BAD: list[tuple[str, Callable[[str], str], str]] = [
    ("no name", lambda text: text.replace('name = "harbour"', ""), "name is missing"),
    ("an encoding we refuse", lambda text: text.replace('"gb18030"', '"gbk"'), "form.encoding is 'gbk'"),
    ("a line end", lambda text: text.replace('"CRLF"', '"CR"'), "form.line_end"),
    ("an amount form", lambda text: text.replace('"point"', '"comma"'), "form.amount"),
    ("a currency", lambda text: text.replace('"CNY"', '"RMB"'), "currency is 'RMB'"),
    ("a zone", lambda text: text.replace("Asia/Shanghai", "Asia/Atlantis"), "zone"),
    ("a date form", lambda text: text.replace('date = "YYYYMMDD"', 'date = "DDMMYY"'), "form.date"),
    ("a file missing", lambda text: text.replace("[files.visits", "[files.walks"), "visits is missing"),
    ("a field missing", lambda text: text.replace('"姓名" = "name"', "", 1), "lacks name"),
    (
        "a field twice",
        lambda text: text.replace('"联系地址" = "address"', '"联系地址" = "name"'),
        "a field twice",
    ),
    ("a field nobody knows", lambda text: text.replace('= "pay_day"', '= "payday"'), "'payday'"),
    (
        "codes missing",
        lambda text: text.replace("[files.loans.codes.method]", "[files.loans.codes.way]"),
        "method is missing",
    ),
    ("a code nobody knows", lambda text: text.replace('"live"', '"alive"'), "'alive'"),
    ("no TOML", lambda text: text + "\n=", "harbour.toml"),
]


@pytest.mark.parametrize(("change", "words"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_a_mapping_that_cannot_be_used_is_named_by_file_and_key(
    tmp_path: Path, change: Callable[[str], str], words: str
) -> None:
    path = tmp_path / "harbour.toml"
    path.write_text(change(HARBOUR), encoding="utf-8")

    with pytest.raises(BadMapping) as bad:
        load_mapping(str(path))

    assert str(bad.value).startswith("harbour.toml")
    assert words in str(bad.value)


def test_every_reason_says_the_same_in_both_languages() -> None:
    for code, (en, zh) in TEXTS.items():
        assert en.endswith("."), code
        assert any("一" <= character <= "鿿" for character in zh), code
        expected = {name.replace("_zh", "") for name in _facts(zh)}
        assert expected <= _facts(en), code


def _facts(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_paper_for_banks_names_every_field_and_code() -> None:
    paper = (Path(__file__).parent.parent.parent / "docs/bank-integration.md").read_text(encoding="utf-8")

    for kind, fields in FILES.items():
        row = next(line for line in paper.splitlines() if line.startswith(f"| {kind} |"))
        for name, spec in fields.items():
            if kind != "balances" or not name.endswith(("_owed", "_paid", "_forgiven", "_left")):
                assert f"`{name}`" in row, (kind, name)
            if spec.kind == "code":
                assert all(code in row for code in CODES[kind, name]), (kind, name)
