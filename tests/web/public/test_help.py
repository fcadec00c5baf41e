"""Help and who may contact you."""

from __future__ import annotations

from datetime import date

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.contacts.models import Agency
from portal.db import Database
from tests.notices.made import CREATED, agency


def contractors(session: Session) -> None:
    agency(session)
    for ref, name, phone, until in (
        ("A17", "汇信资产服务有限公司", "02100000017", date(2027, 12, 31)),
        ("A23", "正行商务服务有限公司", "02100000023", date(2026, 6, 30)),
    ):
        session.add(
            Agency(
                created_at=CREATED,
                agency_ref=ref,
                name=name,
                kind="agency",
                phone=phone,
                engaged_from=date(2025, 1, 1),
                engaged_until=until,
            )
        )


def test_everybody_who_may_contact_you_is_listed(
    sqlite_client: FlaskClient, sqlite_database: Database
) -> None:
    sqlite_database.write(contractors)

    page = sqlite_client.get("/who-may-contact-you", headers={"Accept-Language": "en"}).text
    page = page.replace("<wbr>", "")

    for shown in (
        "400-000-0001",
        "my.harbour.example",
        "【港湾银行】",
        "9999000011112222333",
        "Harbour Bank",
    ):
        assert shown in page
    current, ended = page.split("正行商务服务有限公司")
    assert "May act for us" in current
    assert "02100000017" in current
    assert "No longer acts for us" in ended
    assert "02100000023" not in page


def test_help_takes_its_figures_from_the_law_and_the_settings(sqlite_client: FlaskClient) -> None:
    page = sqlite_client.get("/help", headers={"Accept-Language": "en"}).text

    for shown in (
        "between 08:00 and 22:00",
        "up to 60",
        "within 5 years",
        "Within 5 working days",
        "14 days",
        "3 days",
    ):
        assert shown in page


def test_the_accessibility_page_says_whom_to_tell(sqlite_client: FlaskClient) -> None:
    assert "tel:4000000001" in sqlite_client.get("/accessibility").text
