"""The script of docs/verify-statement.md does what the paper says: accepts ours, refuses what was changed."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import sys
from pathlib import Path

import pytest

from portal.plans.certificates import signed_facts
from portal.signing import Signer, canonical
from tests.conftest import ROOT
from tests.people import BUSINESS_DATE


@pytest.fixture
def files(tmp_path: Path, signer: Signer) -> tuple[Path, Path, Path]:
    """The script, a signed paper's data, and the published keys."""
    (script,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/verify-statement.md").read_text("utf-8"), re.S
    )
    (tmp_path / "verify.py").write_text(script, encoding="utf-8")
    content = {"kind": "certificate", "paid": 100, "name": "林"}
    digest = hashlib.sha256(canonical(content)).hexdigest()
    signed = signed_facts("HARBOUR", "C-7KQF-3MWD2", BUSINESS_DATE, digest)
    held = {"content": content, "signed": signed, "signature": signer.sign(signed), "key_id": signer.key_id}
    (tmp_path / "paper.json").write_text(json.dumps(held), encoding="utf-8")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [signer.public_key()]}), encoding="utf-8")
    return tmp_path / "verify.py", tmp_path / "paper.json", tmp_path / "keys.json"


def run(files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(path) for path in files])
    runpy.run_path(str(files[0]))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_ours_is_accepted(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(files, monkeypatch)

    assert "reference C-7KQF-3MWD2" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("part", "name", "value"),
    [("content", "paid", 101), ("signed", "reference", "C-0000-00000"), ("signed", "digest", "0" * 64)],
)
def test_what_was_changed_is_refused(
    files: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, part: str, name: str, value: object
) -> None:
    held = json.loads(files[1].read_text("utf-8"))
    held[part][name] = value
    files[1].write_text(json.dumps(held), encoding="utf-8")

    with pytest.raises(Exception):  # noqa: B017 - whichever step notices
        run(files, monkeypatch)
