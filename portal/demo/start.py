"""`make run`: sets the demonstration up where it is missing, and serves it.

Everything it makes lies in `var/`. A second run finds it there and starts at once; `--fresh` starts over.
An environment variable that is already set wins over the one in `var/demo.env`, so that the
demonstration can be pointed at PostgreSQL or at Stripe's own test mode.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

from portal import settings as portal_settings
from portal.cli.groups import CannotRun
from portal.cli.serve import compress_static, refuse_taken, supervise, web_command, worker_command
from portal.demo import EXPORT, SANDBOX_KEY, refuse_production, seed
from portal.settings import BadSettings

ROOT = Path(__file__).parent.parent.parent
BANK_FILE = Path(__file__).parent / "harbour.toml"
#: What points the payments at the sandbox.
SANDBOX = ("PORTAL_STRIPE_API_KEY", "PORTAL_STRIPE_API_BASE", "PORTAL_STRIPE_CHECKOUT_ORIGIN")


def main(arguments: list[str] | None = None) -> int:
    """Set up and serve; the exit code of the server."""
    parser = argparse.ArgumentParser(prog="make run")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fresh", action="store_true", help="start over: forget every proposal and payment")
    parser.add_argument("--setup-only", action="store_true", help="set up, do not serve")
    parser.add_argument("--data", type=Path, default=ROOT / "var")
    options = parser.parse_args(arguments)
    try:
        if not options.setup_only:
            refuse_taken("127.0.0.1", options.port)
        if options.fresh:
            forget(options.data)
        options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.update(environment(options.data, port=options.port))
        settings = portal_settings.load()
        refuse_production(settings)
    except BadSettings as error:
        print(f"The portal does not start: {error}", file=sys.stderr)
        return 2
    except CannotRun as error:
        print(f"{error.message}\nAnother one: make run PORT=8080", file=sys.stderr)
        return 2
    migrate(settings.database_url)
    seed.fill(settings)
    if options.setup_only:
        return 0
    threading.Thread(target=welcome, args=(options.port,), daemon=True).start()
    return serve(settings.stripe_api_key == SANDBOX_KEY, port=options.port, data=options.data)


def forget(data: Path) -> None:
    """Delete what a demonstration kept; nothing where the settings are of something else (BadSettings)."""
    if os.environ.get("PORTAL_ENVIRONMENT", "demonstration") != "demonstration":
        raise BadSettings("PORTAL_ENVIRONMENT is not demonstration: nothing was deleted")
    shutil.rmtree(data, ignore_errors=True)


def environment(data: Path, *, port: int) -> dict[str, str]:
    """What the demonstration sets, less what the caller's environment already says.

    All of it is written to `demo.env`, which a shell can read: the commands of an operator find the
    demonstration then.
    """
    kept = read_env(data / "demo.env") or fresh_env(data)
    base_url = f"http://127.0.0.1:{port}"
    sandbox = f"http://127.0.0.1:{port + 1}"
    made = {name: value for name, value in kept.items() if name not in SANDBOX} | {
        "PORTAL_BASE_URL": base_url
    }
    if not os.environ.get("PORTAL_STRIPE_API_KEY"):
        made |= dict(zip(SANDBOX, (SANDBOX_KEY, sandbox, sandbox), strict=True))
    write_env(data / "demo.env", made)
    return {name: os.environ.get(name, value) for name, value in made.items()}


def fresh_env(data: Path) -> dict[str, str]:
    """Keys of this demonstration's own, and its clock: 09:00 on the export's business date, from now on."""
    business_date = seed.business_date(EXPORT)
    zone = ZoneInfo("Asia/Shanghai")
    bank_start = datetime.combine(business_date, time_of_day(9), tzinfo=zone)
    made = {
        "PORTAL_ENVIRONMENT": "demonstration",
        "PORTAL_DATABASE_URL": f"sqlite:///{data.resolve() / 'portal.sqlite'}",
        "PORTAL_DATA_DIR": str(data.resolve()),
        "PORTAL_BANK_FILE": str(BANK_FILE),
        "PORTAL_DEMO_BANK_START": bank_start.isoformat(),
        "PORTAL_DEMO_REAL_START": datetime.now(UTC).isoformat(),  # noqa: TID251 - the clock is set here
        "PORTAL_STRIPE_WEBHOOK_SECRETS": f"whsec_{secrets.token_urlsafe(24)}",
    }
    for name in ("PEPPER", "MASTER_KEY", "SIGNING_SEED"):
        made[f"PORTAL_{name}"] = base64.b64encode(secrets.token_bytes(32)).decode()
    return made


def write_env(path: Path, made: dict[str, str]) -> None:
    """Keep NAME=value lines as a shell reads them, for the owner's eyes only."""
    path.touch(mode=0o600)
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in made.items())
    path.write_text("".join(lines), encoding="utf-8")


def read_env(path: Path) -> dict[str, str]:
    """The NAME=value lines of a file; nothing when there is none."""
    if not path.exists():
        return {}
    lines = shlex.split(path.read_text(encoding="utf-8"))
    return dict(line.split("=", 1) for line in lines if "=" in line)


def migrate(url: str) -> None:
    """Bring the schema up to date."""
    subprocess.run(
        [sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head"], cwd=ROOT, check=True
    )


def serve(with_sandbox: bool, *, port: int, data: Path) -> int:
    """The web server, the worker and, without a Stripe key, the payment sandbox."""
    commands = {
        "web server": web_command(host="127.0.0.1", port=port, workers=1, threads=4),
        "worker": worker_command(),
    }
    if with_sandbox:
        commands["payment sandbox"] = [
            sys.executable, "-m", "portal.demo.stripe_sandbox",
            "--port", str(port + 1),
            "--webhook-url", f"http://127.0.0.1:{port}/callbacks/stripe",
            "--state", str(data.resolve() / "sandbox.sqlite"),
        ]  # fmt: skip
    os.chdir(ROOT)
    compress_static()
    return supervise(commands, os.environ)


def welcome(port: int) -> None:
    """Say where to go, as soon as somebody answers there."""
    base = f"http://127.0.0.1:{port}"
    while not answers(port):
        time.sleep(0.2)
    print(
        f"""
The repayment portal's demonstration is served on {base}

  The borrower's phone   {base}/demo/phone    text messages as a phone shows them; tap the link
  The bank's staff       {base}/demo/staff    sign-ins with their current one-time code
  Everybody              {base}/              check a message by its code

Stop with Ctrl-C. A later `make run` goes on where you stopped; `make run DEMO=fresh` starts over.
""",
        flush=True,
    )


def answers(port: int) -> bool:
    """Whether the web server takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
