"""What the tests of this folder share: an outbox that is a list, notices with codes, and challenges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access import codes
from portal.access import operations as access
from portal.access.challenges import CodeSender
from portal.contacts.models import Agency
from portal.db import Database
from portal.keys import Keys
from portal.notices.models import Notice
from tests.people import CREATED

T = TypeVar("T")
ID_TAIL = "0001"  # Lin's


class Outbox:
    """Takes what would be sent, as `portal.messages.operations.queue` does, and keeps the codes."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.sent_to: list[int] = []

    def __call__(
        self,
        session: Session,
        *,
        keys: Keys,
        borrower_id: int,
        kind: str,
        params: Mapping[str, str],
        dedupe_key: str,
        asked_for: bool,
        real_now: datetime,
        expires_at: datetime | None = None,
        demonstration: bool = False,
    ) -> Any:
        assert kind == "one_time_code"
        assert asked_for
        assert expires_at == real_now + timedelta(minutes=10)
        self.codes.append(params["code"])
        self.sent_to.append(borrower_id)

    @property
    def sender(self) -> CodeSender:
        return CodeSender(queue=self, host="harbour.example", demonstration=False)


def notice(
    session: Session,
    keys: Keys,
    borrower_id: int,
    *,
    notice_ref: str = "N-1",
    status: str = "live",
    expires_on: date = date(2026, 12, 13),
) -> tuple[int, str, str]:
    """A notice with a code: its id, code and token."""
    agency = session.execute(select(Agency.id).limit(1)).scalar_one_or_none()
    if agency is None:
        row = agency_row()
        session.add(row)
        session.flush()
        agency = row.id
    code, token = codes.new_code(), codes.new_token()
    made = Notice(
        created_at=CREATED,
        notice_ref=notice_ref,
        borrower_id=borrower_id,
        channel="sms",
        purpose="reminder",
        issued_at=CREATED,
        expires_on=expires_on,
        status=status,
        sender="10690000000001",
        agency_id=agency,
        stated_on=date(2026, 11, 20),
        stated_minor=1,
        currency="CNY",
        payee_account="1",
        body="{code}",
        body_without_link="{code}",
        code_digest=codes.digest_of(keys, code),
        token_digest=codes.digest_of(keys, token),
        minted_at=CREATED,
        batch_sequence=1,
    )
    session.add(made)
    session.flush()
    return made.id, code, token


def agency_row() -> Agency:
    """The bank's own people."""
    return Agency(
        created_at=CREATED,
        agency_ref="A00",
        name="港湾银行",
        kind="bank",
        phone="4000000001",
        engaged_from=date(2020, 1, 1),
        engaged_until=date(2030, 12, 31),
    )


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """`act` in `count` threads that all start at the same moment; their answers, failures raised."""
    gate = threading.Barrier(count)
    answers: list[T] = []
    failures: list[BaseException] = []

    def run(number: int) -> None:
        gate.wait()
        try:
            answers.append(act(number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return answers


class Door:
    """One person at one browser, over a database."""

    def __init__(self, database: Database, keys: Keys, outbox: Outbox, *, browser: str = "browser-1") -> None:
        self.database = database
        self.keys = keys
        self.outbox = outbox
        self.browser = browser

    def ask(self, reference: str, real_now: datetime, *, network: str = "203.0.113.7") -> Any:
        """Name a reference."""
        return self.database.write(
            lambda s: access.start_sign_in(
                s,
                keys=self.keys,
                reference=reference,
                browser=self.browser,
                network=network,
                real_now=real_now,
                sender=self.outbox.sender,
            )
        )

    def answer(
        self,
        code: str,
        real_now: datetime,
        *,
        id_tail: str | None = ID_TAIL,
        purpose: str = "sign_in",
        subject: str = "",
    ) -> Any:
        """Answer the newest code."""
        return self.database.write(
            lambda s: access.answer_challenge(
                s,
                keys=self.keys,
                browser=self.browser,
                purpose=purpose,
                subject=subject,
                code=code,
                id_tail=id_tail,
                real_now=real_now,
            )
        )

    def wrong(self) -> str:
        """Six digits that are not the newest code."""
        return f"{(int(self.outbox.codes[-1]) + 1) % 10**6:06d}"
