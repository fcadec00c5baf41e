"""Settings that must not be served from stop the start and are named, without their values."""

from __future__ import annotations

import base64
import dataclasses
import os
from pathlib import Path

import pytest

from portal.settings import CHECK_BOUNDS, BadSettings, Checks, load
from tests.conftest import ROOT

GOOD = {
    "PORTAL_ENVIRONMENT": "production",
    "PORTAL_DATABASE_URL": "postgresql+psycopg://portal@db/portal",
    "PORTAL_DATA_DIR": "/srv/portal",
    "PORTAL_BASE_URL": "https://my.harbour.example",
    "PORTAL_BANK_FILE": str(ROOT / "portal/demo/harbour.toml"),
    "PORTAL_PEPPER": base64.b64encode(os.urandom(32)).decode(),
    "PORTAL_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
    "PORTAL_SIGNING_SEED": base64.b64encode(os.urandom(32)).decode(),
    "PORTAL_STRIPE_API_KEY": "sk_live_something",
    "PORTAL_STRIPE_WEBHOOK_SECRETS": "whsec_a,whsec_b",
    "PORTAL_SMS_GATEWAY": "http",
    "PORTAL_SMS_URL": "https://sms.example/send",
    "PORTAL_SMS_SECRET": "an sms secret",
}


def test_good_settings_load() -> None:
    settings = load(GOOD)

    assert settings.stripe_webhook_secrets == ("whsec_a", "whsec_b")
    assert settings.bank.name("en") == "Harbour Bank"
    assert not settings.is_demonstration
    for secret in (GOOD["PORTAL_STRIPE_API_KEY"], GOOD["PORTAL_SMS_SECRET"], "whsec_a"):
        assert secret not in repr(settings)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"PORTAL_ENVIRONMENT": "prod"}, "PORTAL_ENVIRONMENT"),
        ({"PORTAL_BASE_URL": "http://my.harbour.example"}, "PORTAL_BASE_URL"),
        ({"PORTAL_PEPPER": "short"}, "PORTAL_PEPPER"),
        ({"PORTAL_PEPPER": base64.b64encode(bytes(32)).decode()}, "PORTAL_PEPPER"),
        ({"PORTAL_MASTER_KEY": base64.b64encode(b"x" * 16).decode()}, "PORTAL_MASTER_KEY"),
        ({"PORTAL_STRIPE_API_KEY": "sk_test_1"}, "PORTAL_STRIPE_API_KEY"),
        ({"PORTAL_STRIPE_WEBHOOK_SECRETS": ""}, "PORTAL_STRIPE_WEBHOOK_SECRETS"),
        ({"PORTAL_STRIPE_API_BASE": "http://127.0.0.1:8001"}, "PORTAL_STRIPE_API_BASE"),
        ({"PORTAL_SMS_GATEWAY": "demo"}, "PORTAL_SMS_GATEWAY"),
        ({"PORTAL_SMS_SECRET": ""}, "PORTAL_SMS_SECRET"),
        ({"PORTAL_DEMO_BANK_START": "2026-11-20T09:00:00+08:00"}, "PORTAL_DEMO_BANK_START"),
        ({"PORTAL_CARD_PAYMENTS": "maybe"}, "PORTAL_CARD_PAYMENTS"),
        ({"PORTAL_PROXIES": "one"}, "PORTAL_PROXIES"),
        ({"PORTAL_BANK_FILE": "/nowhere.toml"}, "PORTAL_BANK_FILE"),
    ],
)
def test_a_bad_setting_is_named_and_not_shown(change: dict[str, str], named: str) -> None:
    with pytest.raises(BadSettings) as caught:
        load(GOOD | change)

    assert named in str(caught.value)
    for name in ("PORTAL_PEPPER", "PORTAL_MASTER_KEY", "PORTAL_SMS_SECRET"):
        value = (GOOD | change)[name]
        assert not value or value not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["PORTAL_ENVIRONMENT", "PORTAL_DATABASE_URL", "PORTAL_BASE_URL", "PORTAL_PEPPER", "PORTAL_BANK_FILE"],
)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(BadSettings, match=name):
        load({key: value for key, value in GOOD.items() if key != name})


def test_the_demonstration_refuses_production() -> None:
    from portal.demo import refuse_production

    with pytest.raises(BadSettings):
        refuse_production(load(GOOD))


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("networks_per_code = 0", "networks_per_code"),
        ("networks_per_code = -5", "networks_per_code"),
        ("networks_per_code = 1_000_000", "networks_per_code"),
        ("networks_window_hours = 0", "networks_window_hours"),
        ("real_codes_per_network = 2", "real_codes_per_network"),
        ("real_codes_per_network = 10.5", "real_codes_per_network"),
        ('visitor_answers_per_day = "5"', "visitor_answers_per_day"),
        ("contact_answers_per_day = true", "contact_answers_per_day"),
        ("wrong_number_working_days = 0", "wrong_number_working_days"),
        ("networks_per_codes = 5", "networks_per_codes"),
    ],
)
def test_a_line_that_makes_no_sense_stops_the_start(tmp_path: Path, line: str, named: str) -> None:
    bank = tmp_path / "bank.toml"
    whole = Path(GOOD["PORTAL_BANK_FILE"]).read_text(encoding="utf-8")
    bank.write_text(f"{whole}\n[checks]\n{line}\n", encoding="utf-8")

    with pytest.raises(BadSettings, match=named):
        load(GOOD | {"PORTAL_BANK_FILE": str(bank)})


def test_a_bank_draws_its_own_lines_and_leaves_out_the_others(tmp_path: Path) -> None:
    bank = tmp_path / "bank.toml"
    whole = Path(GOOD["PORTAL_BANK_FILE"]).read_text(encoding="utf-8")
    bank.write_text(f"{whole}\n[checks]\nnetworks_per_code = 8\n", encoding="utf-8")

    assert load(GOOD | {"PORTAL_BANK_FILE": str(bank)}).bank.checks == Checks(networks_per_code=8)
    assert load(GOOD).bank.checks == Checks()


def test_the_paper_has_every_line_with_its_default_and_bounds() -> None:
    paper = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

    for field in dataclasses.fields(Checks):
        (row,) = [line for line in paper.splitlines() if line.startswith(f"| `{field.name}` |")]
        least, most = CHECK_BOUNDS[field.name]
        assert row.endswith(f"| {field.default} | {least}, {most} |"), field.name
