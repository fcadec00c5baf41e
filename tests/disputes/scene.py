"""A visit at Lin's door that has just been made, and everything needed to write about it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from portal import jurisdictions
from portal.contacts.log import Rules
from portal.db import Database
from portal.disputes import answering, complaining, operations, recording
from portal.disputes.answering import Bank, Read, Said
from portal.disputes.complaining import Wish
from portal.disputes.lifecycle import Action
from portal.disputes.operations import House, Staff, Step
from portal.disputes.recording import Desk, Draft
from portal.disputes.telling import Teller
from portal.jurisdictions import Jurisdiction
from portal.keys import Keys
from portal.signing import KeyRing, Signer
from tests import people
from tests.conftest import BANK_MORNING
from tests.visits.door import AFTERNOON, announced

#: 15:40 in Shanghai on the day of the visit, which was announced for 15:00 to 16:00
NOW = AFTERNOON + timedelta(minutes=40)
NEXT_DAY = BANK_MORNING + timedelta(days=1)
ZONE = ZoneInfo("Asia/Shanghai")
MET = Draft(
    outcome="met",
    choices={
        "word_first": ("yes",),
        "identity_shown": ("yes",),
        "authority_shown": ("yes",),
        "purpose_stated": ("yes",),
        "present": ("borrower", "family"),
        "spoke": ("borrower",),
        "place": ("at_door",),
        "told_others": ("no",),
        "shown": ("notice",),
        "handed": ("notice", "form"),
        "money": ("no",),
        "agreed": ("propose",),
        "recording": ("video",),
    },
    texts={"said": "谈了目前的收入情况。", "agreed_more": "下周内在网上提交方案。", "remarks": ""},
    started="15:05",
    ended="15:30",
)
NOBODY = Draft(
    outcome="nobody",
    choices={"handed": ("nothing",), "recording": ("video",)},
    texts={},
    started="15:05",
    ended="15:10",
)
DIFFERENT = Said(
    confirms=False,
    items={"outcome": "right", "identity_shown": "different", "purpose_stated": "unknown"},
    item_words={"identity_shown": "没有出示任何证件。"},
    own_words="他站在门口大声说话。",
    ratings={"polite": "no", "pressed": "yes", "overall": "2"},
)
GUO = Staff(3, "B3001", "H-B3001", "supervisor")
MEI = Staff(2, "B2107", "H-B2107", "reviewer")


@dataclass
class Scene:
    """One database with Lin, the officer G10354 and the visit V1."""

    database: Database
    keys: Keys
    signer: Signer
    lin: int
    officer: int
    pack: Jurisdiction

    @classmethod
    def of(cls, database: Database, keys: Keys, signer: Signer, *, pack: str = "cn") -> Scene:
        def unit(session):  # type: ignore[no-untyped-def]
            lin = people.lin(session, keys)
            officer = people.officer(session, keys)
            announced(session, keys, borrower_id=lin, officer_id=officer)
            return lin, officer

        return cls(database, keys, signer, *database.write(unit), pack=jurisdictions.pack(pack))

    @property
    def ring(self) -> KeyRing:
        return KeyRing.of("my.harbour.example", {}, self.signer)

    @property
    def teller(self) -> Teller:
        return Teller("my.harbour.example", False, NOW)

    @property
    def house(self) -> House:
        return House(self.keys, self.pack, ZONE, self.teller)

    def record(
        self,
        draft: Draft = MET,
        *,
        after: int = 0,
        form_key: str = "form",
        now: datetime = NOW,
        officer: int | None = None,
        visit_ref: str = "V1",
    ) -> str:
        desk = Desk(self.keys, self.signer, Rules(self.pack, ZONE), self.teller)
        return self.database.write(
            lambda s: recording.write(
                s,
                desk=desk,
                officer_id=officer or self.officer,
                visit_ref=visit_ref,
                draft=draft,
                after=after,
                form_key=form_key,
                now=now,
            )
        )

    def answer(
        self,
        said: Said = DIFFERENT,
        *,
        read: Read | None = None,
        form_key: str = "answer",
        borrower: int | None = None,
    ) -> str:
        return self.database.write(
            lambda s: answering.answer(
                s,
                bank=Bank(self.keys, self.signer, self.pack),
                borrower_id=borrower or self.lin,
                visit_ref="V1",
                said=said,
                read=read or Read(1, 0),
                form_key=form_key,
                now=NOW + timedelta(hours=2),
            )
        )

    def complain(self, wish: Wish, *, form_key: str = "complaint", borrower: int | None = None) -> str:
        return self.database.write(
            lambda s: complaining.complain(
                s,
                house=self.house,
                borrower_id=borrower or self.lin,
                wish=wish,
                form_key=form_key,
                now=NOW,
            )
        )

    def complain_of(self, answer: str, *, borrower: int | None = None) -> str:
        return self.database.write(
            lambda s: complaining.complain_of_answer(
                s, house=self.house, borrower_id=borrower or self.lin, answer_reference=answer, now=NOW
            )
        )

    def act(
        self,
        reference: str,
        action: Action,
        version: int,
        *,
        staff: Staff = MEI,
        text: str = "",
        outcome: str = "",
        now: datetime = NOW,
    ) -> None:
        step = Step(action, version, text, outcome)
        self.database.write(
            lambda s: operations.act(
                s, house=self.house, reference=reference, staff=staff, step=step, now=now
            )
        )

    def count(self, model: type, **where: object) -> int:
        with self.database.read() as connection:
            found = select(func.count()).select_from(model)
            for name, value in where.items():
                found = found.where(getattr(model, name) == value)
            return connection.scalar(found) or 0


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Do all of them at the same instant; what each gave, an exception of our own included."""
    barrier, given = threading.Barrier(len(calls)), []

    def run(call: Callable[[], object]) -> None:
        barrier.wait()
        try:
            given.append(call())
        except Exception as error:
            given.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


def without(draft: Draft, **changes: object) -> Draft:
    """The draft with other choices, given by question."""
    chosen = {name: value for name, value in changes.items() if isinstance(value, tuple)}
    others = {name: value for name, value in changes.items() if not isinstance(value, tuple)}
    return replace(draft, choices={**draft.choices, **chosen}, **others)  # type: ignore[arg-type]
