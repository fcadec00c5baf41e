"""The composition root: settings in, one Flask application out."""

from __future__ import annotations

from flask import Flask
from flask.cli import NoAppException

from portal import cli, logs
from portal import settings as portal_settings
from portal.dates import Clock
from portal.db import Database
from portal.gateways import sms, storage, stripe
from portal.keys import Keys
from portal.settings import Settings
from portal.signing import BadKeyRing, KeyRing, Signer
from portal.transfers import qr as transfer_qr
from portal.web import bars, catalogues, errors, locale, marks, pages, security, templates
from portal.web.application import Application
from portal.web.borrower import blueprint as borrower
from portal.web.callbacks import blueprint as callbacks
from portal.web.context import Portal, clock_of, working_days_of
from portal.web.desk import blueprint as desk
from portal.web.officer import blueprint as officer
from portal.web.public import blueprint as public


def compose(settings: Settings, *, clock: Clock | None = None, db: Database | None = None) -> Portal:
    """Everything a running portal holds, made from its settings."""
    database = db or Database(settings.database_url)
    keys = Keys(pepper=settings.pepper, master=settings.master_key)
    return Portal(
        settings=settings,
        db=database,
        keys=keys,
        signer=Signer.from_seed(settings.signing_seed),
        clock=clock or clock_of(settings),
        working_days=working_days_of(settings),
        sms=sms.gateway_for(settings, database, keys),
        stripe=stripe.gateway_for(settings),
        store=storage.storage_for(settings),
    )


def _settings() -> Settings:
    try:
        loaded = portal_settings.load()
        transfer_qr.check(loaded.bank.transfer_qr)
        _check_signing(loaded)
        return loaded
    except (portal_settings.BadSettings, transfer_qr.BadTransferQr, BadKeyRing) as error:
        raise NoAppException(f"The portal does not start: {error}") from None


def _check_signing(settings: Settings) -> None:
    """The key that signs must be one whose signatures are believed."""
    signer = Signer.from_seed(settings.signing_seed)
    key = KeyRing.of(settings.bank.host, settings.signing_keys, signer).find(signer.key_id)
    if key is None or not key.may_sign(clock_of(settings).real_now()):
        raise BadKeyRing(f"PORTAL_SIGNING_SEED is of key {signer.key_id}, which is revoked or not in force")


def create_app(
    settings: Settings | None = None, *, clock: Clock | None = None, db: Database | None = None
) -> Flask:
    """The portal as a WSGI application; a mistake in its settings stops the start and is named."""
    settings = settings or _settings()
    logs.configure(as_json=settings.log_json)
    app = Application(__name__, static_folder="static", static_url_path="/static")
    app.config.update(MAX_CONTENT_LENGTH=110 * 2**20, MAX_FORM_MEMORY_SIZE=2**20, MAX_FORM_PARTS=500)
    app.secret_key = settings.pepper
    app.extensions["portal"] = compose(settings, clock=clock, db=db)
    for part in (templates, locale, catalogues, marks, bars, pages, errors, security):
        part.init_app(app)
    for door in (public, borrower, officer, desk, callbacks):
        app.register_blueprint(door)
    if settings.is_demonstration:
        from portal.demo import pages as demo

        demo.init_app(app)
    cli.register(app)
    return app
