"""Records at the desk: missing, late and contradicted ones, both sides side by side, officers in sum for supervisors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from portal.keys import Keys
from portal.signing import Signer
from tests import people
from tests.disputes.scene import MET, Scene, without
from tests.web.borrower.test_balance import text_of
from tests.web.desk.test_complaints import desk


@pytest.fixture
def scene(portal_app: Flask, keys: Keys, signer: Signer) -> Scene:
    portal_app.extensions["portal"].clock.advance(days=1)
    return Scene.of(portal_app.extensions["portal"].db, keys, signer)


def test_a_record_that_is_missing_the_day_after_says_so(portal_app: Flask, scene: Scene) -> None:
    mei = desk(portal_app, scene, people.mei)

    assert "missing" in text_of(mei, "/desk/records?show=missing")
    assert "There is no record" in text_of(mei, "/desk/records/V1")
    assert mei.get("/desk/records/V9").status_code == 404


def test_both_sides_stand_side_by_side_with_what_does_not_fit_marked(portal_app: Flask, scene: Scene) -> None:
    scene.record()
    scene.complain_of(scene.answer())
    mei = desk(portal_app, scene, people.mei)

    listed = text_of(mei, "/desk/records")
    for words in ("V1", "was different", "The visitor's card was shown", "Card not shown", "林晓"):
        assert words in listed
    page = mei.get("/desk/records/V1").text
    assert page.count('class="is-marked"') == 2, "once on each side"
    text = text_of(mei, "/desk/records/V1")
    for words in (
        "谈了目前的收入情况。",
        "没有出示任何证件。",
        "By the borrower's account",
        "Pressed, threatened or shouted at",
        "Complaint C-",
    ):
        assert words in text


def test_what_the_officer_admits_is_marked_and_in_the_supervisors_queue(
    portal_app: Flask, scene: Scene
) -> None:
    scene.record(without(MET, authority_shown=("no",)))
    scene.answer()
    guo = desk(portal_app, scene, people.guo)

    assert "By the officer's own account" in text_of(guo, "/desk/records/V1")
    queue = text_of(guo, "/desk/contacts")
    for words in ("The bank's authority not shown", "Card not shown", "Not polite"):
        assert words in queue
    lin = portal_app.test_client()
    people.sign_in(lin, scene.lin)
    lin.set_cookie("language", "en")
    own = text_of(lin, "/my/contacts")
    assert "By the visitor's own record: The bank's authority not shown." in own
    assert "You told us about the conduct: Card not shown." in own


def test_a_visit_outside_the_announced_hours_says_so_to_both(portal_app: Flask, scene: Scene) -> None:
    scene.record()
    scene.record(replace(MET, started="14:59"), after=1, form_key="corrected")
    lin = portal_app.test_client()
    people.sign_in(lin, scene.lin)
    lin.set_cookie("language", "en")

    for page in (
        text_of(desk(portal_app, scene, people.mei), "/desk/records/V1"),
        text_of(lin, "/my/visits/V1/record"),
    ):
        assert page.count("The visit began outside the announced hours.") == 1


def test_officers_in_sum_are_for_supervisors(portal_app: Flask, scene: Scene) -> None:
    scene.record()
    scene.answer()

    assert "Officers in sum" in text_of(desk(portal_app, scene, people.guo), "/desk/records")
    assert "2.0" in text_of(
        desk(portal_app, scene, lambda s, k: people.staff(s, k, staff_ref="B3", name="x", role="supervisor")),
        "/desk/records",
    )
    assert "Officers in sum" not in text_of(desk(portal_app, scene, people.mei), "/desk/records")
