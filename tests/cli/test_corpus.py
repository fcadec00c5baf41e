"""`flask notices check-corpus` and `index`, as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, func, select

from portal.access import codes
from portal.access.models import Counter
from portal.db import Database
from portal.keys import Keys
from portal.notices.faces import NoticeSeen
from portal.notices.operations import MintedCode
from portal.notices.texts import NoticeText, Wording
from tests.notices.made import TEXT, TEXT_WITHOUT_LINK, minted, notice
from tests.people import lin, zhao


def told(made: MintedCode, body: str = TEXT) -> str:
    """A text as its receiver has it."""
    link = f"http://localhost/n/{made.token}"
    return body.replace("{code}", codes.grouped(made.code)).replace("{link}", link)


def one_notice(database: Database, keys: Keys) -> MintedCode:
    number = database.write(lambda session: notice(session, borrower_id=lin(session, keys)))
    return minted(database, keys, number)


def test_verdicts_are_counted_and_written_and_nothing_is_kept(
    portal_app: Flask, database: Database, keys: Keys, tmp_path: Path
) -> None:
    made = one_notice(database, keys)
    whole = told(made)
    lines = [
        whole, whole.replace("，", "，\\n"), told(made, TEXT_WITHOUT_LINK), "", whole.replace("核实", "付款"),
        f"查询码{codes.grouped(codes.with_check('7KQF3MWD2A9R'))}", "您好，请还钱", whole[: whole.index("，或自行")],
    ]  # fmt: skip
    corpus, out = tmp_path / "messages.txt", tmp_path / "verdicts.tsv"
    corpus.write_text("\n".join(lines), encoding="utf-8")

    result = portal_app.test_cli_runner().invoke(
        args=["notices", "check-corpus", str(corpus), "--verdicts", str(out)]
    )

    assert result.exit_code == 1, result.output
    assert out.read_text(encoding="utf-8").splitlines() == [
        "1\tgenuine", "2\tgenuine", "3\tgenuine", "5\taltered", "6\tnot_ours", "7\tcannot_tell:no_code", "8\tcut",
    ]  # fmt: skip
    assert "7 messages" in result.output
    assert "a second on one core" in result.output
    with database.read() as connection:
        for table in (Counter, NoticeSeen):
            assert connection.scalar(select(func.count()).select_from(table)) == 0


def test_a_file_of_nothing_but_genuine_messages_ends_well(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys, tmp_path: Path
) -> None:
    corpus = tmp_path / "messages.txt"
    corpus.write_text(f"{told(one_notice(sqlite_database, keys))}\n" * 1200, encoding="utf-8")

    result = sqlite_app.test_cli_runner().invoke(args=["notices", "check-corpus", str(corpus)])

    assert result.exit_code == 0, result.output
    assert "1,200 messages" in result.output


def test_texts_of_notices_from_before_are_stored_once(
    portal_app: Flask, database: Database, keys: Keys
) -> None:
    database.write(lambda session: notice(session, borrower_id=lin(session, keys), notice_ref="N1"))
    number = database.write(
        lambda session: notice(
            session, borrower_id=zhao(session, keys), notice_ref="N2", body="赵一：" + TEXT
        )
    )
    minted(database, keys, number)
    database.write(lambda session: session.execute(delete(NoticeText)) and None)
    database.write(lambda session: session.execute(delete(Wording)) and None)

    for stored in (2, 0):
        result = portal_app.test_cli_runner().invoke(args=["notices", "index"])
        assert result.output == f"stored the texts of {stored} notices\n"

    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(NoticeText)) == 4
        kept = connection.execute(select(Wording.sealed)).scalars().all()
    words = [keys.unseal("notice.wording", sealed) for sealed in kept]
    assert len(words) == 3  # the text without a link is the same for both
    assert not [text for text in words if "赵一" in text or "林晓" in text or "my.harbour" in text]


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"", 0, "没有内容"),
        (b"\n\n  \n", 0, "没有内容"),
        (b"\0\0\0\0", 2, "save it as UTF-8"),
        (b"a\0b\n" + b"\xef\xbb\xbf" + "您好".encode(), 1, "cannot_tell:no_code"),
        (b"x" * 1_000_000 + b"\n", 1, "cannot_tell:too_long"),
        ("【港湾银行】您有一份服务通知\n".encode("gb18030"), 1, "GB18030"),
        ("【港湾银行】您有一份服务通知\n".encode("utf-16"), 1, "UTF-16"),
        ("您有一份通知，查询码\n".encode("utf-16-le"), 2, "save it as UTF-8"),
        ("You have a notice\n".encode("utf-16-le"), 2, "save it as UTF-8"),
        (b"\xff\xff\xff\xff\x80", 2, "save it as UTF-8"),
        (b"\xff\xfea", 2, "save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), 2, "save it as UTF-8"),
    ],
)
def test_a_file_of_any_kind_gets_words_and_never_a_traceback(
    sqlite_app: Flask, tmp_path: Path, content: bytes, status: int, says: str
) -> None:
    corpus = tmp_path / "messages.txt"
    corpus.write_bytes(content)

    result = sqlite_app.test_cli_runner().invoke(args=["notices", "check-corpus", str(corpus)])

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert says in result.output
    assert result.exit_code == status
