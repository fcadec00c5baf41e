"""The signing keys from the operator's side: what is published, a new key, a key that must not be believed."""

from __future__ import annotations

import base64
import json
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from portal.cli import installation
from portal.cli.groups import CannotRun, OperatorGroup
from portal.signing import KeyRing, PublishedKey, Signer

group = OperatorGroup("keys", help="The keys that statements, agreements and letters are signed with.")

#: Between publishing a key and signing with it: longer than any copy of the set is kept.
AHEAD = timedelta(hours=1)


@group.command("list")
def list_keys() -> None:
    """Each key of the published set with its time: the one that signs, others (earlier or next), revoked ones."""
    portal = installation()
    for key in portal.ring.keys:
        in_use = key.key_id == portal.signer.key_id and key.may_sign(_now())
        state = "revoked" if key.revoked_at else "signs" if in_use else "other"
        click.echo(f"{key.key_id}  {state:8} {_day(key.since)} – {_day(key.until)} {key.reason}".rstrip())


@group.command("rotate")
@click.option("--keys", "key_file", type=click.Path(path_type=Path), required=True)
@click.option("--seed", "seed_file", type=click.Path(path_type=Path), required=True)
def rotate(key_file: Path, seed_file: Path) -> None:
    """Make a new key: its secret into the new file --seed, readable by its owner only; the set with both
    keys into --keys. Put the set on every host (PORTAL_SIGNING_KEYS) first, an hour later the seed
    (PORTAL_SIGNING_SEED); the old seed may then be destroyed."""
    portal = installation()
    now = _now()
    seed, new = _new_key()
    starts = now + AHEAD
    ring = portal.ring.rotated(PublishedKey(new.key_id, new.public, since=now), at=starts + AHEAD)
    _write_secret(seed_file, base64.b64encode(seed).decode())
    _write_set(key_file, ring)
    click.echo(
        f"new key {new.key_id}; publish {key_file} now, sign with {seed_file} from {_minute(starts)} on"
    )
    click.echo(f"the key before it, {portal.signer.key_id}, signs nothing after {_minute(starts + AHEAD)}")


@group.command("revoke")
@click.argument("key_id")
@click.option("--reason", required=True, help="Published with the key; a few words.")
@click.option("--keys", "key_file", type=click.Path(path_type=Path), required=True)
def revoke(key_id: str, reason: str, key_file: Path) -> None:
    """Publish that nothing signed with KEY_ID is to be believed: writes the set into --keys. The portal does
    not start with a revoked key: rotate first."""
    try:
        ring = installation().ring.revoked(key_id, at=_now(), reason=reason)
    except KeyError:
        raise CannotRun(f"密钥集中没有 {key_id}。\nNo key {key_id} in the set.") from None
    _write_set(key_file, ring)
    click.echo(f"{key_id} is revoked in {key_file}; put it on every host and restart")


def _new_key() -> tuple[bytes, Signer]:
    """A new secret and its key; one whose id begins with a dash would read as an option of a command."""
    while True:
        seed = secrets.token_bytes(32)
        signer = Signer.from_seed(seed)
        if signer.key_id[0].isalnum():
            return seed, signer


def _now() -> datetime:
    return installation().clock.real_now().replace(microsecond=0)


def _write_set(path: Path, ring: KeyRing) -> None:
    """The set beside its place first, then in it: a host that starts meanwhile reads a whole one."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(ring.as_jwks(), indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "open"


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
