"""Jurisdiction packs: complete, with a source beside every figure, and different places as data."""

from __future__ import annotations

import dataclasses
from datetime import time

import pytest

from portal.jurisdictions import Jurisdiction, UnknownJurisdiction, pack

COMPONENTS = {"cost", "fee", "penalty_interest", "interest", "principal"}


@pytest.fixture(params=["cn", "gb", "us"])
def place(request: pytest.FixtureRequest) -> Jurisdiction:
    return pack(request.param)


def test_every_allocation_order_names_each_component_once_for_every_day(place: Jurisdiction) -> None:
    for product_class in ("loan", "card"):
        for days in (0, 1, 90, 91, 4000):
            rules = [rule for rule in place.allocation if rule.covers(product_class, days)]

            assert len(rules) == 1
            assert set(rules[0].components) == COMPONENTS
            assert len(rules[0].components) == 5


def test_every_figure_stands_beside_its_source(place: Jurisdiction) -> None:
    def sourced(value: object) -> None:
        if isinstance(value, tuple):
            for item in value:
                sourced(item)
        elif dataclasses.is_dataclass(value):
            assert value.source, value  # type: ignore[attr-defined]

    for field in dataclasses.fields(place):
        sourced(getattr(place, field.name))
    for contents in place.agreements.values():
        sourced(contents)


def test_cards_in_china_turn_to_principal_first_at_91_days() -> None:
    cn = pack("cn")

    assert cn.allocation_order("card", 90).components[-1] == "principal"
    assert cn.allocation_order("card", 91).components[0] == "principal"
    assert cn.allocation_order("loan", 4000).components == (
        "cost",
        "fee",
        "penalty_interest",
        "interest",
        "principal",
    )


def test_a_card_agreement_in_china_has_the_six_items_of_article_70() -> None:
    contents = pack("cn").agreement_contents("card")

    assert contents.items == (
        "balance",
        "instalments",
        "charges",
        "no_new_card",
        "rights_and_breach",
        "other",
    )
    assert "70" in contents.source


def test_only_cards_carry_the_undertaking_not_to_apply_for_another() -> None:
    assert "no_new_card" not in pack("cn").agreement_contents("loan").items


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(UnknownJurisdiction):
        pack("xx")


def test_an_unknown_product_class_is_refused() -> None:
    with pytest.raises(LookupError):
        pack("cn").allocation_order("mortgage", 3)


@pytest.mark.parametrize(
    ("code", "local", "allowed"),
    [
        ("cn", time(7, 59), False),
        ("cn", time(8, 0), True),
        ("cn", time(21, 59), True),
        ("cn", time(22, 0), False),
        ("us", time(20, 59), True),
        ("us", time(21, 0), False),
    ],
)
def test_contact_hours_open_on_their_first_minute_and_close_on_their_last(
    code: str, local: time, allowed: bool
) -> None:
    assert pack(code).contact_hours.allow(local) is allowed
