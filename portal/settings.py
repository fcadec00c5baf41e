"""Settings: everything an installation chooses, read once from the environment and frozen.

A secret has no default outside the demonstration; a value that cannot be read stops the start and
is named, never printed. docs/operations.md lists every variable, and a test compares the two.
"""

from __future__ import annotations

import base64
import binascii
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from environs import Env, EnvError, validate

#: Where the portal runs. Only ``demonstration`` and ``test`` may load demonstration parts.
ENVIRONMENTS = ("production", "demonstration", "test")

#: The databases the portal is made for, as an address names them.
DATABASES = ("postgresql+psycopg://", "sqlite://")


class BadSettings(Exception):
    """Settings that must not be served from; the message names every variable at fault."""


@dataclass(frozen=True)
class Checks:
    """Where the public checks and the desk behind them draw a line: `[checks]` of the bank file."""

    #: networks that may use one code within the window before it counts as copied (AC02)
    networks_per_code: int = 5
    networks_window_hours: int = 24
    #: further networks after the desk has answered that it was the household
    networks_after_clearing: int = 5
    #: different codes of ours that one network may check in an hour without the mobile's end (AC17)
    real_codes_per_network: int = 10
    #: answers on visitors (AC14, AC15), on calls, and on what a notice is about, a day and code
    visitor_answers_per_day: int = 5
    contact_answers_per_day: int = 5
    more_answers_per_day: int = 5
    #: for how long a network that the desk knows as shared raises no alarm
    shared_network_days: int = 30
    #: working days in which a report of a wrong number is answered
    wrong_number_working_days: int = 3

    @classmethod
    def read(cls, data: Mapping[str, Any], name: str) -> Checks:
        """The lines as the bank file `name` draws them. Raises BadSettings for an unknown one and for nonsense:
        no whole number, or one that protects nobody or answers nobody."""
        for key, value in data.items():
            if key not in CHECK_BOUNDS:
                raise BadSettings(f"{name}: checks has no {key}")
            least, most = CHECK_BOUNDS[key]
            if type(value) is not int or not least <= value <= most:
                raise BadSettings(f"{name}: checks.{key} must be a whole number from {least} to {most}")
        return cls(**data)


#: The least and the most that still makes sense of each.
CHECK_BOUNDS: Mapping[str, tuple[int, int]] = {
    "networks_per_code": (2, 100),
    "networks_window_hours": (1, 168),
    "networks_after_clearing": (1, 100),
    "real_codes_per_network": (3, 1_000),
    "visitor_answers_per_day": (1, 50),
    "contact_answers_per_day": (1, 50),
    "more_answers_per_day": (1, 50),
    "shared_network_days": (1, 365),
    "wrong_number_working_days": (1, 30),
}


@dataclass(frozen=True)
class Bank:
    """Who the bank is and what it allows: one TOML file per installation."""

    code: str
    names: Mapping[str, str]
    host: str
    phone: str
    phone_hours: str
    sms_signature: str
    zone: str
    jurisdiction: str
    currency: str
    payee_name: Mapping[str, str]
    payee_account: str
    links_in_sms: bool
    accent: str | None
    policy: Mapping[str, Any]
    #: the numbers that the bank's text messages come from
    sms_senders: tuple[str, ...] = ()
    closed_days: tuple[str, ...] = ()
    open_days: tuple[str, ...] = ()
    #: the code that fills in a transfer in the payer's app (payments/transfer_qr.py); None for none
    transfer_qr: Mapping[str, Any] | None = None
    #: how the core is told: `mapping`, and `cut_off` on the bank's clock
    outgoing: Mapping[str, Any] = field(default_factory=dict)
    #: what a batch of the core may change without a second person (intake/drift.py)
    intake: Mapping[str, Any] = field(default_factory=dict)
    checks: Checks = field(default_factory=Checks)

    def name(self, locale: str) -> str:
        """The bank's name in `locale`, else in simplified Chinese."""
        return self.names.get(locale) or self.names["zh"]

    @classmethod
    def load(cls, path: Path) -> Bank:
        """The bank that a TOML file describes. Raises BadSettings naming the missing key."""
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls(
                code=data["code"],
                names=MappingProxyType(data["names"]),
                host=data["host"],
                phone=data["phone"],
                phone_hours=data["phone_hours"],
                sms_signature=data["sms_signature"],
                zone=data["zone"],
                jurisdiction=data["jurisdiction"],
                currency=data["currency"],
                payee_name=MappingProxyType(data["payee"]["names"]),
                payee_account=data["payee"]["account"],
                links_in_sms=data["links_in_sms"],
                accent=data.get("accent"),
                policy=MappingProxyType(data["policy"]),
                sms_senders=tuple(data.get("sms_senders", ())),
                closed_days=tuple(data.get("closed_days", ())),
                open_days=tuple(data.get("open_days", ())),
                transfer_qr=data.get("transfer_qr"),
                intake=MappingProxyType(data.get("intake", {})),
                outgoing=MappingProxyType(data.get("outgoing", {})),
                checks=Checks.read(data.get("checks", {}), path.name),
            )
        except KeyError as error:
            raise BadSettings(f"{path.name}: {error.args[0]} is missing") from None
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise BadSettings(f"PORTAL_BANK_FILE: {error}") from None


@dataclass(frozen=True)
class Settings:
    """One installation's settings."""

    environment: str
    database_url: str
    data_dir: Path
    base_url: str
    bank: Bank
    pepper: bytes = field(repr=False)
    master_key: bytes = field(repr=False)
    signing_seed: bytes = field(repr=False)
    stripe_api_key: str = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    stripe_api_base: str | None = None
    stripe_account: str | None = None
    stripe_checkout_origin: str = "https://checkout.stripe.com"
    card_payments: bool = True
    proxies: int = 0
    demo_bank_start: datetime | None = None
    demo_real_start: datetime | None = None
    sms_gateway: str = "demo"
    sms_url: str | None = None
    sms_secret: str | None = field(default=None, repr=False)
    log_json: bool = True
    outgoing_dir: Path | None = None
    #: the published key set (RFC 7517): earlier and revoked keys, public halves only
    signing_keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_demonstration(self) -> bool:
        """Whether demonstration parts (phone, staff page, sandbox, clock) may be loaded."""
        return self.environment in ("demonstration", "test")

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry Secure: wherever the portal is reached over TLS."""
        return self.base_url.startswith("https://")


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (the process's own by default). Raises BadSettings naming every fault."""
    env = Env(eager=False, prefix="PORTAL_")
    if environ is not None:
        env = _MappedEnv(environ)
    values: dict[str, Any] = {
        "environment": env.str("ENVIRONMENT", validate=validate.OneOf(ENVIRONMENTS)),
        "database_url": env.str("DATABASE_URL"),
        "data_dir": env.path("DATA_DIR"),
        "base_url": env.str("BASE_URL"),
        "pepper": env.str("PEPPER"),
        "master_key": env.str("MASTER_KEY"),
        "signing_seed": env.str("SIGNING_SEED"),
        "stripe_api_key": env.str("STRIPE_API_KEY", ""),
        "stripe_webhook_secrets": env.list("STRIPE_WEBHOOK_SECRETS", []),
        "stripe_api_base": env.str("STRIPE_API_BASE", None),
        "stripe_account": env.str("STRIPE_ACCOUNT", None),
        "stripe_checkout_origin": env.str("STRIPE_CHECKOUT_ORIGIN", "https://checkout.stripe.com"),
        "card_payments": env.bool("CARD_PAYMENTS", True),
        "proxies": env.int("PROXIES", 0),
        "demo_bank_start": env.datetime("DEMO_BANK_START", None),
        "demo_real_start": env.datetime("DEMO_REAL_START", None),
        "sms_gateway": env.str("SMS_GATEWAY", "demo", validate=validate.OneOf(("demo", "http"))),
        "sms_url": env.str("SMS_URL", None),
        "sms_secret": env.str("SMS_SECRET", None),
        "log_json": env.bool("LOG_JSON", True),
        "outgoing_dir": env.path("OUTGOING_DIR", None),
    }
    bank_file = env.path("BANK_FILE")
    key_file = env.path("SIGNING_KEYS", None)
    try:
        env.seal()
    except EnvError as error:
        raise BadSettings(_names_only(error)) from None
    for key in ("pepper", "master_key", "signing_seed"):
        values[key] = _key(f"PORTAL_{key.upper()}", str(values[key]))
    if not str(values["database_url"]).startswith(DATABASES):
        raise BadSettings(f"PORTAL_DATABASE_URL must begin with {' or '.join(DATABASES)}")
    values["stripe_webhook_secrets"] = tuple(values["stripe_webhook_secrets"])
    values["signing_keys"] = _key_set(key_file) if key_file else {}
    settings = Settings(bank=Bank.load(bank_file), **values)
    _refuse_unsafe(settings)
    return settings


class _MappedEnv(Env):
    """An Env over a given mapping, for tests and tools."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False, prefix="PORTAL_")
        self._environ_override = dict(environ)

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._environ_override.get(env_key, default)


def _refuse_unsafe(settings: Settings) -> None:
    faults = []
    if settings.environment == "production":
        if not settings.base_url.startswith("https://"):
            faults.append("PORTAL_BASE_URL must be https")
        if settings.demo_bank_start or settings.demo_real_start:
            faults.append("PORTAL_DEMO_BANK_START and PORTAL_DEMO_REAL_START belong to the demonstration")
        if settings.sms_gateway == "demo":
            faults.append("PORTAL_SMS_GATEWAY=demo belongs to the demonstration")
        if settings.stripe_api_base is not None:
            faults.append("PORTAL_STRIPE_API_BASE points the payments at a sandbox")
        if settings.stripe_api_key.startswith(("sk_test_", "rk_test_")):
            faults.append("PORTAL_STRIPE_API_KEY is a test key")
    if settings.stripe_api_key and not settings.stripe_webhook_secrets:
        faults.append("PORTAL_STRIPE_WEBHOOK_SECRETS is missing beside PORTAL_STRIPE_API_KEY")
    if settings.sms_gateway == "http" and not (settings.sms_url and settings.sms_secret):
        faults.append("PORTAL_SMS_URL and PORTAL_SMS_SECRET are needed with PORTAL_SMS_GATEWAY=http")
    if faults:
        raise BadSettings("; ".join(faults))


def _key(name: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadSettings(f"{name} is not base64") from None
    if len(key) != 32 or len(set(key)) < 8:
        raise BadSettings(f"{name} is not 32 random bytes in base64")
    return key


def _key_set(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"PORTAL_SIGNING_KEYS: {error}") from None
    if not isinstance(read, dict) or not isinstance(read.get("keys"), list):
        raise BadSettings("PORTAL_SIGNING_KEYS is no key set")
    if any(not isinstance(key, dict) or "d" in key for key in read["keys"]):
        raise BadSettings("PORTAL_SIGNING_KEYS holds something else than public keys")
    return read


def _names_only(error: EnvError) -> str:
    messages = getattr(error, "error_messages", None) or {"settings": [str(error)]}
    return "; ".join(f"{name}: {', '.join(map(str, texts))}" for name, texts in messages.items())
