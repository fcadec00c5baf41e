"""Four named people and how they sign in: Lin and Zhao borrow, Mei and Guo review."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.access.models import PortalSession, Staff
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.borrowers.models import Borrower
from portal.contacts.models import Agency
from portal.keys import Keys
from portal.visits.models import Officer

CREATED = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
BUSINESS_DATE = date(2026, 11, 20)


def borrower(
    session: Session, keys: Keys, *, customer_ref: str, name: str, phone: str, language: str = "zh"
) -> int:
    """A borrower row; the ID number's tail is the customer number's last four digits."""
    row = Borrower(
        created_at=CREATED,
        customer_ref=customer_ref,
        name_sealed=keys.seal("borrower.name", name),
        phone_sealed=keys.seal("borrower.phone", phone),
        phone_digest=keys.digest("phone", phone),
        phone_tail_sealed=keys.seal("borrower.phone_tail", phone[-4:]),
        id_tail_sealed=keys.seal("borrower.id_tail", customer_ref[-4:]),
        address_sealed=keys.seal("borrower.address", "临港市海湾路1号"),
        language=language,
    )
    session.add(row)
    session.flush()
    return row.id


def loan(
    session: Session,
    *,
    borrower_id: int,
    loan_ref: str,
    product_class: str = "loan",
    principal_minor: int = 1_200_000,
) -> int:
    """A loan of 12 equal principal instalments, opened a year and a half ago, 24 % overdue of it all;
    interest 100.00, penalty interest 20.00 and (cards) a fee of 50.00 are posted and unpaid."""
    row = Loan(
        created_at=CREATED,
        loan_ref=loan_ref,
        borrower_id=borrower_id,
        product="信用卡分期" if product_class == "card" else "消费贷",
        product_class=product_class,
        currency="CNY",
        opened_on=date(2025, 5, 10),
        matures_on=date(2026, 5, 15),
        principal_minor=principal_minor,
        annual_rate=Decimal("0.12"),
        penalty_multiple=Decimal("1.5"),
        day_count="actual/360",
        method="equal_principal",
        pay_day=15,
        term_count=12,
        bank_days_overdue=189,
        status="overdue",
        batch_sequence=1,
    )
    session.add(row)
    session.flush()
    is_card = product_class == "card"
    lines = [
        ("disbursement", date(2025, 5, 10), {"principal_minor": principal_minor}),
        ("interest", date(2026, 10, 15), {"interest_minor": 10_000}),
        ("fee", date(2026, 10, 15), {"fee_minor": 5_000})
        if is_card
        else ("penalty_interest", date(2026, 10, 15), {"penalty_interest_minor": 2_000}),
    ]
    for index, (kind, day, parts) in enumerate(lines):
        session.add(
            LedgerLine(
                created_at=CREATED,
                loan_id=row.id,
                line_ref=f"{loan_ref}-{index}",
                source="core",
                posted_on=day,
                kind=kind,
                **parts,
            )
        )
    charges = 15_000 if is_card else 12_000
    session.add(
        LoanBalance(
            loan_id=row.id,
            as_of=BUSINESS_DATE,
            version=1,
            principal_owed_minor=principal_minor,
            interest_owed_minor=10_000,
            penalty_interest_owed_minor=0 if is_card else 2_000,
            fee_owed_minor=5_000 if is_card else 0,
            principal_due_minor=principal_minor,
            due_now_minor=principal_minor + charges,
            days_overdue=524,
            line_count=3,
        )
    )
    session.flush()
    return row.id


def lin(session: Session, keys: Keys, *, language: str = "zh") -> int:
    """Lin: an overdue loan L-LIN-1 (12,120.00 due now) and an overdue card C-LIN-1 (6,150.00 due now)."""
    borrower_id = borrower(
        session, keys, customer_ref="C900001", name="林晓", phone="13900000034", language=language
    )
    loan(session, borrower_id=borrower_id, loan_ref="L-LIN-1")
    loan(session, borrower_id=borrower_id, loan_ref="C-LIN-1", product_class="card", principal_minor=600_000)
    return borrower_id


def zhao(session: Session, keys: Keys) -> int:
    """Zhao: another borrower, with one overdue loan L-ZHAO-1."""
    borrower_id = borrower(session, keys, customer_ref="C900002", name="赵一", phone="13900000078")
    loan(session, borrower_id=borrower_id, loan_ref="L-ZHAO-1")
    return borrower_id


def staff(
    session: Session,
    keys: Keys,
    *,
    staff_ref: str,
    name: str,
    role: str = "reviewer",
    human_ref: str | None = None,
) -> int:
    """An account; its password hash is of no password (tests sign in by session row)."""
    row = Staff(
        created_at=CREATED,
        staff_ref=staff_ref,
        login=staff_ref.lower(),
        name=name,
        human_ref=human_ref or f"H-{staff_ref}",
        role=role,
        language="zh",
        password_hash="!",
        totp_sealed=keys.seal("staff.totp", "JBSWY3DPEHPK3PXP"),
    )
    session.add(row)
    session.flush()
    return row.id


def mei(session: Session, keys: Keys) -> int:
    """Mei, reviewer B2107."""
    return staff(session, keys, staff_ref="B2107", name="何敏")


def guo(session: Session, keys: Keys) -> int:
    """Guo, supervisor B3001."""
    return staff(session, keys, staff_ref="B3001", name="郭立", role="supervisor")


def officer(
    session: Session,
    keys: Keys,
    *,
    officer_ref: str = "G10354",
    agency_ref: str = "A17",
    valid_until: date = date(2027, 6, 30),
    status: str = "active",
) -> int:
    """Han, who visits for an agency, and the account of the number; the officer's row id."""
    agency = session.query(Agency).filter_by(agency_ref=agency_ref).one_or_none()
    if agency is None:
        agency = Agency(
            created_at=CREATED,
            agency_ref=agency_ref,
            name="汇信资产服务有限公司",
            kind="agency",
            phone="02100000017",
            engaged_from=date(2025, 1, 1),
            engaged_until=date(2027, 12, 31),
        )
        session.add(agency)
        session.flush()
    row = Officer(
        created_at=CREATED,
        officer_ref=officer_ref,
        name_sealed=keys.seal("officer.name", "韩晨敏"),
        phone_sealed=keys.seal("officer.phone", "19900010009"),
        agency_id=agency.id,
        role="外访专员",
        card_valid_until=valid_until,
        status=status,
    )
    session.add(row)
    session.flush()
    staff(session, keys, staff_ref=officer_ref, name=officer_ref, role="officer", human_ref=officer_ref)
    return row.id


def _open(client: FlaskClient, cookie: str, *, now: datetime, device: str = "", **person: int) -> str:
    portal = client.application.extensions["portal"]
    token = f"{cookie}-{person}{device}"

    def unit(session: Session) -> None:
        session.merge(
            PortalSession(
                id_digest=portal.keys.digest("session", token),
                borrower_id=person.get("borrower_id"),
                staff_id=person.get("staff_id"),
                csrf_token=f"csrf-{next(iter(person.values()))}",
                created_at=now,
                seen_at=now,
                expires_at=now + timedelta(hours=8),
            )
        )

    portal.db.write(unit)
    client.set_cookie(cookie, token)
    return f"csrf-{next(iter(person.values()))}"


def sign_in(client: FlaskClient, borrower_id: int, *, device: str = "") -> str:
    """Give `client` a borrower's live session, another for another device; returns the CSRF token its
    forms carry."""
    return _open(
        client,
        "portal_session",
        now=client.application.extensions["portal"].clock.real_now(),
        device=device,
        borrower_id=borrower_id,
    )


def sign_in_staff(client: FlaskClient, staff_id: int) -> str:
    """Give `client` a live session of the desk; returns the CSRF token its forms carry."""
    return _open(
        client, "portal_desk", now=client.application.extensions["portal"].clock.real_now(), staff_id=staff_id
    )


def sign_in_officer(client: FlaskClient, officer_ref: str = "G10354") -> str:
    """Give `client` a live session of an officer; returns the CSRF token its forms carry."""
    portal = client.application.extensions["portal"]
    with portal.db.read() as connection:
        staff_id = connection.scalar(select(Staff.id).where(Staff.human_ref == officer_ref))
    return _open(client, "portal_visiting", now=portal.clock.real_now(), staff_id=staff_id)
