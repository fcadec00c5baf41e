"""Command groups that tell an operator what failed outside the portal in a line each, not as a traceback."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError

#: Part of a database's own words -> what it means and what to do, in Chinese and English.
_DATABASE = {
    "no such table": (
        "数据库中还没有表：请检查 PORTAL_DATABASE_URL，或先运行 alembic upgrade head。",
        "The database has no tables: check PORTAL_DATABASE_URL, or run alembic upgrade head first.",
    ),
    "is locked": (
        "数据库正被另一程序占用，等待超时。请稍后再运行同一命令。",
        "Another program holds the database and the wait was too long. Run the same command again later.",
    ),
    "readonly": (
        "数据库文件只读：请检查文件和所在文件夹的写权限。",
        "The database file is read-only: check who may write it and its folder.",
    ),
    "unable to open": (
        "数据库文件打不开：请检查 PORTAL_DATABASE_URL 中的路径和读写权限。",
        "The database file cannot be opened: check the path in PORTAL_DATABASE_URL and who may read it.",
    ),
    "not a database": (
        "该文件不是数据库：请检查 PORTAL_DATABASE_URL 中的路径。",
        "The file is no database: check the path in PORTAL_DATABASE_URL.",
    ),
    "disk is full": (
        "磁盘已满。请腾出空间后再运行同一命令。",
        "The disk is full. Make room and run the same command again.",
    ),
    "connection": (
        "连不上数据库：请检查 PORTAL_DATABASE_URL 以及数据库是否在运行。",
        "The database does not answer: check PORTAL_DATABASE_URL and whether the server runs.",
    ),
}
_UNKNOWN = ("数据库拒绝了请求。", "The database refused.")


class CannotRun(click.ClickException):
    """Something outside the portal is missing or in the way: exit status 2."""

    exit_code = 2


class OperatorGroup(AppGroup):
    """Commands whose trouble with disk and database is said in words with what to do about it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what failed outside becomes CannotRun."""
        try:
            return super().invoke(ctx)
        except DBAPIError as error:
            if not _is_outside(error):
                raise
            raise CannotRun(database_words(error)) from None
        except OSError as error:
            raise CannotRun(file_words(error)) from None


def database_words(error: DBAPIError) -> str:
    """What a database's failure means, in Chinese and English, and its own first line.

    >>> from sqlite3 import OperationalError as Cause
    >>> print(database_words(OperationalError("BEGIN", {}, Cause("database is locked"))))
    数据库正被另一程序占用，等待超时。请稍后再运行同一命令。
    Another program holds the database and the wait was too long. Run the same command again later.
    (database is locked)
    """
    own = str(error.orig).strip().partition("\n")[0]
    found = "no such table" if _lacks_tables(error) else next((part for part in _DATABASE if part in own), "")
    zh, en = _DATABASE.get(found, _UNKNOWN)
    return f"{zh}\n{en}\n({own})"


def file_words(error: OSError) -> str:
    """Which file failed and how, in Chinese and English.

    >>> print(file_words(PermissionError(13, "Permission denied", "/in/loans.csv")))
    文件无法读写：/in/loans.csv
    A file cannot be read or written: /in/loans.csv
    (Permission denied)
    """
    name = error.filename or ""
    return f"文件无法读写：{name}\nA file cannot be read or written: {name}\n({error.strerror or error})"


def _is_outside(error: DBAPIError) -> bool:
    """Whether the database itself failed, and not a statement of ours."""
    failures = isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError
    return failures or _lacks_tables(error)


def _lacks_tables(error: DBAPIError) -> bool:
    own = str(error.orig)
    return "no such table" in own or ("relation" in own and "does not exist" in own)
