"""The public door: check a contact, learn who we are, sign in. It knows no model with a person in it."""

from __future__ import annotations

from flask import Blueprint

from portal.web.public import (
    check,
    check_number,
    check_photo,
    check_text,
    check_visitor,
    fakes,
    help,
    home,
    keys,
    more,
    not_me,
    paper,
    pay,
    preferences,
    sign_in,
    statement,
    visit,
)

blueprint = Blueprint("public", __name__)
for feature in (
    check,
    check_number,
    check_photo,
    check_text,
    check_visitor,
    fakes,
    help,
    home,
    keys,
    more,
    not_me,
    paper,
    pay,
    preferences,
    sign_in,
    statement,
    visit,
):
    blueprint.register_blueprint(feature.blueprint)
