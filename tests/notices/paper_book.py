"""Letters and visit notices as they are printed, in every language, for tests that change and paste them."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from portal.access import codes
from portal.letters.paper import Paper, made
from portal.letters.printable import LoanRow, Printable
from portal.letters.words import VisitFacts
from portal.money import Money
from portal.notices import indexing, texts
from portal.notices.operations import MintedCode
from portal.notices.texts import digest_for
from portal.notices.verification import Face
from portal.settings import Bank, Settings
from portal.signing import Signer
from tests.conftest import MASTER, PEPPER, ROOT, SEED
from tests.notices.book import BASE, KEYS, Book, Printed, plain_characters

LANGUAGES = ("zh", "zh_Hant", "en")
NAMES = ("蒋曦静", "欧阳文博", "Anna Maria Lindqvist")
PLACES = (
    "临港市海湾路37号22幢1807室",
    "临港市滨海新区望海大道1288弄海景花园5号楼2单元1102室",
    "Flat 12B, 88 Harbour View Road, Lingang 200120",
)
VISIT = VisitFacts(
    starts_at=datetime(2026, 12, 6, 7, 0, tzinfo=UTC),
    ends_at=datetime(2026, 12, 6, 8, 0, tzinfo=UTC),
    people=(("韩晨敏", "G10354"), ("沈国", "G10058")),
    agency_name="汇信资产服务有限公司",
    agency_kind="agency",
    agency_phone="02100000017",
)


@dataclass(frozen=True)
class Letter:
    """One paper: what it was made from and the file."""

    notice: Printable
    visit: VisitFacts | None
    language: str
    paper: Paper


def bank() -> Bank:
    """The bank of the demonstration."""
    return Bank.load(ROOT / "portal/demo/harbour.toml")


@functools.cache
def letters(count: int = 9) -> tuple[Letter, ...]:
    """`count` papers: letters, lawyers' letters and visit notices, one loan or several, each in one language."""
    chance, settings = random.Random(9), _settings()
    made_so_far = []
    for number in range(count):
        language, channel = LANGUAGES[number % 3], ("letter", "visit", "lawyer_letter")[number // 3 % 3]
        notice = _printable(chance, number, channel, language)
        visit = VISIT if channel == "visit" else None
        paper = made(
            notice, visit, settings=settings, keys=KEYS, signer=Signer.from_seed(SEED), language=language
        )
        made_so_far.append(Letter(notice, visit, language, paper))
    return tuple(made_so_far)


def _settings() -> Settings:
    return Settings(
        environment="test", database_url="sqlite://", data_dir=Path("var"), base_url=BASE, bank=bank(), pepper=PEPPER, master_key=MASTER,
        signing_seed=SEED, stripe_api_key="sk_test_portal", stripe_webhook_secrets=("whsec_portal_test",),
        stripe_checkout_origin="http://localhost:9999", stripe_api_base="http://localhost:9999",
    )  # fmt: skip


def _printable(chance: random.Random, number: int, channel: str, language: str) -> Printable:
    loans = tuple(_loan(chance) for _ in range(chance.randrange(1, 4)))
    total = Money(sum(loan.total.minor for loan in loans), "CNY")
    letter = Printable(
        notice_id=10_000 + number,
        notice_ref=f"N2026110{chance.randrange(10**4):04}",
        channel=channel,
        issued_at=datetime(2026, 11, 10, 1, 0, tzinfo=UTC),
        expires_on=date(2027, 1, 9),
        stated_on=date(2026, 11, 10),
        stated=total,
        payee_account="9999000011112222333",
        body=f"{{name}}：截至2026-11-10，您名下到期未还金额合计人民币{total.minor / 100:.2f}元。请在my.harbour.example输入查询码{{code}}查看明细。",
        minted=MintedCode(codes.with_check(plain_characters(chance, 12)), plain_characters(chance, 26)),
        minted_at=datetime(2026, 11, 10, 1, 0, tzinfo=UTC),
        name=NAMES[number // 3 % 3],
        address=PLACES[number // 3 % 3],
        language=language,
        agency_name="港湾银行",
        agency_kind="bank",
        agency_phone="4000000001",
        loans=loans,
    )
    if channel == "lawyer_letter":
        letter = replace(
            letter, agency_name="海湾律师事务所", agency_kind="law_firm", agency_phone="02100000008"
        )
    if channel == "visit":
        letter = replace(
            letter, agency_name=VISIT.agency_name, agency_kind="agency", agency_phone=VISIT.agency_phone
        )
    return letter


def _loan(chance: random.Random) -> LoanRow:
    principal, interest, charges = (chance.randrange(0, 10**6) for _ in range(3))
    product, kind = chance.choice((("消费贷", "loan"), ("经营贷", "loan"), ("信用卡分期", "card")))
    return LoanRow(
        product=product,
        product_class=kind,
        loan_ref=f"L24{chance.randrange(10**7):07}",
        days_overdue=chance.randrange(10, 200),
        principal=Money(principal, "CNY"),
        interest=Money(interest, "CNY"),
        charges=Money(charges, "CNY"),
        total=Money(principal + interest + charges, "CNY"),
    )


@functools.cache
def book(count: int = 9) -> Book:
    """The words of `letters`, as copied from a browser, and what the portal knows of each."""
    printed, known = [], {}
    for one in letters(count):
        notice, minted = one.notice, one.notice.minted
        kept = indexing.Printed(
            notice.notice_id, one.language, codes.grouped(minted.code), one.paper.forms, one.paper.names
        )
        made = indexing._of_paper(kept, KEYS)
        digest = digest_for(KEYS, notice.notice_id)
        code, token = digest("code", minted.code), digest("own", minted.token)
        face = Face(notice.notice_id, date(2026, 10, 1), date(2027, 1, 1), "live", "34")
        row = (
            notice.notice_id,
            code,
            token,
            made.digests,
            "",
            KEYS.digest("notice.wording", made.wording),
            KEYS.seal("notice.wording", made.wording),
        )
        known[code] = known[token] = face, texts._texts([row], KEYS, BASE)[notice.notice_id]
        printed.append(
            Printed(one.paper.text, minted.code, minted.token, notice.name, "", "", notice.loans[0].loan_ref)
        )
    return Book(tuple(printed), known)
