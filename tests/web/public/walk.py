"""Every public page, asked for in every way its door can answer: what the tests of third parties read.

A new route has to be given a surface here, and a page on the walk: test_surfaces.py fails until it has both.
"""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass, field
from datetime import timedelta

from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from portal.access import codes
from portal.access.limits import WRONG_CODES_NETWORK
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.keys import Keys
from portal.notices.operations import MintedCode
from portal.papers.faces import PaperFace
from portal.statements.faces import StatementFace
from portal.visits.models import Visit
from tests.conftest import BANK_MORNING, StandingClock
from tests.notices.made import TEXT, minted, notice
from tests.people import BUSINESS_DATE
from tests.visits.door import Announced, announced
from tests.web.public.test_check import UNKNOWN, UNKNOWN_TOKEN, Scene, scene_over
from tests.web.public.test_check_number import AGENCY, BANK, SENDER, STRANGER, call
from tests.web.public.test_check_photo import picture
from tests.web.public.test_help import contractors

#: Reached by a code, a message or a paper: no forbidden word, no amount, no field.
HELD = frozenset(
    f"public.{name}"
    for name in [
        "check.link",
        "check.typed",
        "check_number.asked",
        "check_photo.looked_at",
        "check_photo.frame",
        "check_text.pasted",
        "check_visitor.asked",
        "more.page",
        "more.typed",
        "more.link_page",
        "more.link",
        "not_me.page",
        "not_me.report",
        "paper.page",
        "paper.verdict",
        "statement.page",
        "statement.verdict",
        "pay.page",
        "pay.start",
        "pay.receipt",
        "pay.ask",
        "pay.issue",
        "pay.paper",
        "sign_in.page",
        "sign_in.start",
        "sign_in.code",
        "sign_in.answer",
        "sign_in.again",
        "sign_in.lost",
        "sign_in.out",
        "visit.page",
        "visit.ask",
        "visit.door",
        "visit.photo",
        "preferences.change",
    ]
)
#: The first page, the pages that check, reports of fakes: no forbidden word, no amount.
WORDS = frozenset(
    f"public.{name}"
    for name in [
        "home.page",
        "check.page",
        "check_number.page",
        "check_photo.page",
        "check_text.page",
        "check_visitor.page",
        "fakes.page",
        "fakes.begin",
        "fakes.send",
        "fakes.receipt",
        "fakes.warnings",
        "keys.page",
        "keys.who",
        "keys.who_signed",
    ]
)
#: Chosen by its reader: neutral title and address.
CHOSEN = frozenset({"public.help.page", "public.help.who", "public.help.accessibility"})

#: A letter as it is sent: names, sums and words that only its reader may have, none of which may come back.
LETTER = (
    "林晓：截至2026-11-01，您名下消费贷（L-LIN-1）到期未还金额合计人民币20704.59元。请尽快安排还款。"
    "请在my.harbour.example输入查询码{code}查看明细。还款账户：9999000011112222333。联系电话：4000000001。"
)
NEUTRAL = "您有一份信件，编号{code}，请到柜台领取。"
FAKE = "【港弯银行客服】账户异常，请联系 17000001234 或打开 hb-kefu.top/a 办理。"
STATEMENT, PAPER, DIGEST = "S-0000-00000", "A-0000-00000", "0123456789abcdef" * 4
_RANDOM = re.compile(r"(?=[\w-]*[A-Za-z])(?=[\w-]*[0-9])[\w-]{20,}", re.ASCII)


@dataclass
class Walk:
    """A stranger with everything that anybody may hold, and what was answered."""

    scene: Scene
    visit: Announced
    letter: MintedCode
    clock: StandingClock
    pages: list[tuple[str, TestResponse, str]] = field(default_factory=list)

    def get(self, path: str, **more: object) -> TestResponse:
        return self._keep(self.scene.client.get(path, **more), path)  # type: ignore[arg-type]

    def post(self, path: str, **data: object) -> TestResponse:
        return self._keep(self.scene.client.post(path, data=data), path + repr(data))

    def _keep(self, page: TestResponse, given: str) -> TestResponse:
        """The answer under the name of its endpoint ("" where there is none), with what was given for it."""
        adapter = self.scene.client.application.url_map.bind("localhost")
        try:
            endpoint = adapter.match(page.request.path, method=page.request.method)[0]
        except HTTPException:
            endpoint = ""
        self.pages.append((endpoint, page, given))
        return page

    @property
    def codes(self) -> list[str]:
        made = (self.scene.genuine, self.scene.expired, self.scene.withdrawn, self.letter)
        return [*(one.code for one in made), *(one.token for one in made), self.visit.code]

    def elsewhere(self, number: int) -> None:
        """From another network, so that no counter of the walk's own answers for a page."""
        self.scene.client.environ_base["REMOTE_ADDR"] = f"203.0.113.{number}"

    def change(self, **values: object) -> None:
        """Change every visit there is."""
        self.scene.database.write(lambda session: session.execute(update(Visit).values(**values)) and None)

    def readable(self, page: TestResponse) -> str:
        """All that a reader, a preview, a cache, a history can show, without what is random or was typed."""
        heads = "\n".join(f"{name}: {value}" for name, value in page.headers if name != "Content-Length")
        text = html.unescape(page.text) if page.mimetype.startswith(("text/", "application/j")) else ""
        text = "\n".join((page.request.path, text, heads))
        for code in self.codes:
            text = text.replace(code, "").replace(codes.grouped(code), "")
        return _RANDOM.sub("", text)


def walk_over(client: FlaskClient, database: Database, keys: Keys, clock: StandingClock) -> Walk:
    """Lin's notices, one of each verdict; a letter with her name and her sums; a visit this afternoon."""
    database.write(contractors)
    scene = scene_over(client, database, keys)

    def more(session: Session) -> tuple[int, int]:
        borrower_id = session.scalar(select(Borrower.id).where(Borrower.customer_ref == "C900001"))
        assert borrower_id is not None
        for face in (StatementFace, PaperFace):
            reference = STATEMENT if face is StatementFace else PAPER
            session.add(face(reference=reference, issued_on=BUSINESS_DATE, digest=DIGEST))
        return notice(
            session, borrower_id=borrower_id, notice_ref="N-L", channel="letter", body=LETTER
        ), borrower_id

    letter_id, borrower_id = database.write(more)
    letter = minted(database, keys, letter_id)
    visit = database.write(lambda session: announced(session, keys, borrower_id=borrower_id))
    database.write(call)
    return Walk(scene, visit, letter, clock)


def everything(walk: Walk) -> Walk:
    """The whole walk; each leg from a network of its own."""
    for number, leg in enumerate(
        (links, typed, pasted, pictures, numbers, papers, reports, ways_in, visitors, kinds)
    ):
        walk.elsewhere(number)
        leg(walk)
    walk.elsewhere(99)
    for _ in range(WRONG_CODES_NETWORK.most + 1):
        walk.post("/check", code=UNKNOWN)
    assert walk.pages[-1][1].status_code == 429
    return walk


def links(walk: Walk) -> None:
    scene = walk.scene
    for token in (scene.genuine.token, scene.expired.token, scene.withdrawn.token, UNKNOWN_TOKEN, "x"):
        walk.get(f"/n/{token}")
        walk.get(f"/n/{token}", headers={"User-Agent": "WhatsApp/2.24.13 A"})
    for path in ("/", "/check", "/n", "/nowhere", "/help", "/who-may-contact-you", "/accessibility"):
        walk.get(path)
    for path in ("text", "photo", "number", "visitor"):
        walk.get(f"/check/{path}")
    for name in ("portal-keys.json", "who-may-contact-you.json", "who-may-contact-you.jws"):
        walk.get(f"/.well-known/{name}")


def typed(walk: Walk) -> None:
    scene = walk.scene
    for code in (
        scene.genuine.code,
        scene.expired.code,
        scene.withdrawn.code,
        walk.letter.code,
        walk.visit.code,
    ):
        walk.post("/check", code=code)
        walk.post("/not-me", reference=code)
    for code in (UNKNOWN, UNKNOWN[:-1], UNKNOWN[:-1] + "0", "查询码", "", STATEMENT, PAPER):
        walk.post("/check", code=code)
        walk.post("/not-me", reference=code)
    walk.get("/not-me")


def pasted(walk: Walk) -> None:
    scene = walk.scene
    for made in (scene.genuine, scene.expired, scene.withdrawn):
        text = TEXT.replace("{code}", codes.grouped(made.code)).replace(
            "{link}", f"http://localhost/n/{made.token}"
        )
        walk.post("/check/text", text=text)
        walk.post("/check/text", text=text.replace("localhost", "iocalhost.example"))
        walk.post("/check/text", text=text + "请加微信号 hb-kefu。")
        walk.post("/check", code=text)
    for text in (
        NEUTRAL.replace("{code}", walk.letter.code),
        NEUTRAL.replace("{code}", UNKNOWN),
        FAKE,
        "",
        "x",
    ):
        walk.post("/check/text", text=text)


def pictures(walk: Walk) -> None:
    genuine = walk.scene.genuine
    for sent in (
        picture(genuine.code), picture(genuine.code, walk.scene.expired.code), picture("https://bit.ly/3abcdef"),
        picture("你好"), b"no picture", b"",
    ):  # fmt: skip
        walk.post("/check/photo", photo=(io.BytesIO(sent), "a.jpg"))
        walk.post("/check/photo/frame", photo=(io.BytesIO(sent), "a.jpg"))


def numbers(walk: Walk) -> None:
    for number in (BANK, SENDER, AGENCY, "02100000023", STRANGER, "x", ""):
        walk.post("/check/number", number=number, day="2026-11-19", time="14:30", code="")
    for number, code in ((BANK, walk.scene.genuine.code), (SENDER, walk.letter.code), (BANK, UNKNOWN)):
        for at in ("14:30", "03:00", "25:99"):
            walk.post("/check/number", number=number, day="2026-11-19", time=at, code=code)
    for _ in range(6):
        walk.post("/check/number", number=BANK, day="2026-11-19", time="14:30", code=walk.scene.genuine.code)


def papers(walk: Walk) -> None:
    for name, reference in (("statement", STATEMENT), ("paper", PAPER)):
        walk.get(f"/{name}")
        walk.get(f"/{name}?reference={reference}")
        for query in ("", f"?digest={DIGEST}", f"?digest={'0' * 64}", "?digest=12"):
            walk.get(f"/{name}/{reference}{query}")
        walk.get(f"/{name}/S-7KQF-3MWD2")
    pay = f"/pay/{'0' * 26}"
    walk.get(pay)
    walk.post(pay, form_key="k")
    walk.get("/pay/receipt/P-0000-00000/x")
    walk.post("/pay/receipt/P-0000-00000/x", question="x")
    walk.post("/pay/receipt/P-0000-00000/x/paper", question="x")
    walk.get("/pay/receipt/P-0000-00000/x/paper.pdf")


def reports(walk: Walk) -> None:
    walk.get("/report")
    walk.post("/report/begin", text=FAKE)
    walk.post("/report", form_key="empty")
    sent = walk.post("/report", form_key="walk", text=FAKE)
    assert sent.status_code == 303
    walk.get(sent.location)
    walk.get("/report/R-0000-00000")
    walk.get("/warnings")


def ways_in(walk: Walk) -> None:
    walk.get("/sign-in")
    for reference in ("", "x", UNKNOWN, walk.scene.withdrawn.code, walk.scene.genuine.code):
        walk.post("/sign-in", reference=reference)
        walk.get("/sign-in/code")
    walk.post("/sign-in/code", code="", id_tail="")
    for _ in range(6):
        walk.post("/sign-in/code", code="000000", id_tail="0000")
    walk.post("/sign-in/again")
    for path in (
        "/sign-in/lost",
        "/sign-in/out",
        "/my/balance",
        "/my/visits",
        "/visiting",
    ):
        walk.get(path)
    walk.post("/preferences", back="/check", text_size="normal")


def visitors(walk: Walk) -> None:
    """Before its hour, at it, after it, called off, asked too often; with and without the mobile's end."""
    scene, code, tail = walk.scene, walk.visit.code, walk.visit.tail
    for given in ({"code": "", "tail": ""}, {"code": code, "tail": ""}, {"code": UNKNOWN, "tail": "1234"}):
        walk.post("/visit", **given)
    for notice_code in (scene.expired.code, scene.withdrawn.code, walk.letter.code):
        walk.post("/visit", code=notice_code, tail=tail)
    walk.get("/visit?of=V1")
    walk.post("/visit", code=code, tail="0035")
    door = walk.post("/visit", code=code, tail=tail).location
    for staff, said in (("G10354", code), ("G10354", UNKNOWN), ("G99999", code), ("G10354", ""), ("", code)):
        walk.post("/check/visitor", staff=staff, agency="", code=said)
    for step in ("now", "hour", "off"):
        if step == "hour":
            # the pass lasts three hours: the hour is brought to the pass
            walk.change(starts_at=BANK_MORNING, ends_at=BANK_MORNING + timedelta(hours=1))
        if step == "off":
            walk.change(state="cancelled")
        walk.get(door)
        walk.get(f"{door}/photo/1")
    walk.post("/check/visitor", staff="G10354", agency="", code=code)
    for _ in range(6):
        walk.post("/visit", code=code, tail=tail)
        walk.post("/check/visitor", staff="G10354", agency="", code=code)
    walk.get("/visit/x")


def kinds(walk: Walk) -> None:
    """What kind of message it is, with the end of the mobile and without, until it was asked often enough."""
    scene, tail = walk.scene, walk.visit.tail
    walk.get("/check/more")
    for token in (scene.genuine.token, scene.withdrawn.token, UNKNOWN_TOKEN, "x"):
        walk.get(f"/n/{token}/more")
        for typed_tail in (tail, "0035", ""):
            walk.post(f"/n/{token}/more", tail=typed_tail)
    for code in (walk.letter.code, walk.visit.code, scene.expired.code, UNKNOWN, "", "查询码"):
        for typed_tail in (tail, "0035", ""):
            walk.post("/check/more", code=code, tail=typed_tail)
    walk.change(state="planned", starts_at=BANK_MORNING, ends_at=BANK_MORNING + timedelta(hours=1))
    walk.post("/check/more", code=walk.visit.code, tail=tail)
    walk.change(state="cancelled")
    walk.post("/check/more", code=walk.visit.code, tail=tail)
    for _ in range(6):
        walk.post("/check/more", code=walk.visit.code, tail=tail)
