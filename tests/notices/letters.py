"""A letter, a lawyer's letter and a visit for tests: in the book, with codes, ready to be printed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.orm import Session

from portal.accounts.models import Loan
from portal.contacts.models import Agency
from portal.db import Database
from portal.keys import Keys
from portal.notices.models import Notice, NoticeLoan
from portal.visits.models import Officer, Visit
from tests.notices import made
from tests.people import lin

ZH_BODY = "{name}：截至2026-11-20，您名下到期未还金额合计人民币18270.00元。请在my.harbour.example输入查询码{code}查看明细。"
VISIT_BODY = "{name}：我行拟安排工作人员于约定时间到访，查询码{code}。来访人员不收取任何现金。"
#: Lin's two loans on the day of the letters.
STATED = 1_827_000


def written(database: Database, keys: Keys) -> int:
    """Lin with the letter N-L, the lawyer's letter N-J and the visit notice N-V, each with its code; her id."""

    def unit(session: Session) -> int:
        borrower_id = lin(session, keys)
        firm = _agency(session, "F08", "海湾律师事务所", "law_firm", "02100000008")
        agency = _agency(session, "A17", "汇信资产服务有限公司", "agency", "02100000017")
        loans = session.query(Loan.id).filter_by(borrower_id=borrower_id).all()
        for ref, channel, body, by in (
            ("N-L", "letter", ZH_BODY, None),
            ("N-J", "lawyer_letter", ZH_BODY, firm),
            ("N-V", "visit", VISIT_BODY, agency),
        ):
            notice_id = made.notice(
                session,
                borrower_id=borrower_id,
                notice_ref=ref,
                channel=channel,
                body=body,
                expires_on=date(2027, 1, 9),
            )
            session.add_all(NoticeLoan(notice_id=notice_id, loan_id=loan.id) for loan in loans)
            session.flush()
            row = update(Notice).where(Notice.id == notice_id)
            session.execute(row.values(stated_on=date(2026, 11, 20), stated_minor=STATED))
            if by:
                session.execute(row.values(agency_id=by))
        _visit(session, keys, borrower_id, notice_id, agency)
        return borrower_id

    borrower_id = database.write(unit)
    made.minted(database, keys, 1)
    return borrower_id


def _agency(session: Session, ref: str, name: str, kind: str, phone: str) -> int:
    row = Agency(
        created_at=made.CREATED,
        agency_ref=ref,
        name=name,
        kind=kind,
        phone=phone,
        engaged_from=date(2025, 1, 1),
        engaged_until=date(2027, 12, 31),
    )
    session.add(row)
    session.flush()
    return row.id


def _visit(session: Session, keys: Keys, borrower_id: int, notice_id: int, agency_id: int) -> None:
    officers = [
        Officer(
            created_at=made.CREATED,
            officer_ref=ref,
            name_sealed=keys.seal("officer.name", name),
            phone_sealed=keys.seal("officer.phone", "19900010000"),
            agency_id=agency_id,
            role="外访专员",
            card_valid_until=date(2027, 6, 30),
            status="active",
        )
        for ref, name in (("G10354", "韩晨敏"), ("G10058", "沈国"))
    ]
    session.add_all(officers)
    session.flush()
    session.add(
        Visit(
            created_at=made.CREATED,
            visit_ref="V1",
            notice_id=notice_id,
            borrower_id=borrower_id,
            starts_at=datetime(2026, 12, 6, 7, 0, tzinfo=UTC),
            ends_at=datetime(2026, 12, 6, 8, 0, tzinfo=UTC),
            address_sealed=keys.seal("visit.address", "临港市海湾路1号"),
            lead_officer_id=officers[0].id,
            second_officer_id=officers[1].id,
            purpose="了解情况，协商安排",
            state="planned",
            batch_sequence=1,
        )
    )
    session.flush()


def script() -> str:
    """The script of docs/verify-offline.md."""
    text = (Path(__file__).parents[2] / "docs/verify-offline.md").read_text(encoding="utf-8")
    return text.split("```python\n")[1].split("```")[0]
