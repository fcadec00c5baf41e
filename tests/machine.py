"""What the tests need of the machine: Chromium, a PostgreSQL server, Chinese fonts.

Run as a module it installs what is missing through the system's package manager where it may, and
otherwise says exactly what to install and stops. Nothing is skipped in silence.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

CHROMIUM_PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def chromium() -> str | None:
    """The path of a Chromium, or None."""
    return next((place for place in CHROMIUM_PLACES if Path(place).exists()), None)


def has_postgres() -> bool:
    """Whether initdb is here."""
    return bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))) or shutil.which("initdb") is not None


def has_chinese_font() -> bool:
    """Whether pages with Chinese text show characters, not boxes."""
    if shutil.which("fc-list") is None:
        return False
    listed = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=False)
    return bool(listed.stdout.strip())


NEEDS: dict[str, Callable[[], object]] = {
    "chromium": chromium,
    "fonts-noto-cjk": has_chinese_font,
    "postgresql": has_postgres,
}


def main(arguments: list[str]) -> int:
    """Install or name what is missing; 0 when everything is here."""
    wanted = ["postgresql"] if "--postgres-only" in arguments else list(NEEDS)
    missing = [package for package in wanted if not NEEDS[package]()]
    if not missing:
        return 0
    if shutil.which("apt-get") and os.geteuid() == 0:
        print(f"Installing {', '.join(missing)} ...", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *missing]):
            done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
            if done.returncode != 0:
                break
        missing = [package for package in missing if not NEEDS[package]()]
    if missing:
        print(f"The tests need: {', '.join(missing)}. On Debian: apt-get install {' '.join(missing)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
