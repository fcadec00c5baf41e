"""The `[outgoing]` part of a bank's mapping: the files, columns and words in which the core is told."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as Table
from dataclasses import dataclass, replace
from typing import Any

from portal.bank_files.mapping import BadMapping, FileForm, Mapping
from portal.outgoing.fields import CODES, FILES, KEYS

ANSWER_KEYS = ("bank", "batch", "sequence", "manifest_sha256", "outcome", "reason", "refused", "entry_ref")


@dataclass(frozen=True)
class Outgoing:
    """How a bank wants to be told, and how it answers. `forms` has the outgoing files where a bank's
    mapping has the incoming ones, so that one reader reads both."""

    forms: Mapping
    #: our name of an entry of the acknowledgement -> the bank's
    answer: Table[str, str]


def outgoing_of(mapping: Mapping, kinds: Collection[str] = tuple(FILES)) -> Outgoing:
    """The outgoing part of a mapping. Raises BadMapping naming the key.

    `kinds`: only these files must be there. A batch that a crash cut short is finished with the mapping it was
    begun with, which may know less than today's.
    """
    if not mapping.outgoing:
        raise BadMapping(f"{mapping.name}: outgoing is missing")
    try:
        answer = {key: str(mapping.outgoing["answer"][key]) for key in ANSWER_KEYS}
        files = {kind: _file_form(kind, mapping.outgoing["files"][kind]) for kind in FILES if kind in kinds}
        manifest = str(mapping.outgoing["manifest"])
    except KeyError as error:
        raise BadMapping(f"{mapping.name}: outgoing: {error.args[0]} is missing") from None
    return Outgoing(replace(mapping, files=files, manifest_file=manifest), answer)


def _file_form(kind: str, data: dict[str, Any]) -> FileForm:
    columns, codes = data["columns"], data.get("codes", {})
    known, names = FILES[kind], list(columns.values())
    for problem, found in (
        ("names twice", {name for name in names if names.count(name) > 1}),
        ("names unknown fields", set(names) - set(known)),
        ("lacks", set(known) - set(names)),
    ):
        if found:
            raise BadMapping(f"outgoing.files.{kind}.columns {problem}: {', '.join(sorted(found))}")
    for (file, field), stored in CODES.items():
        if file == kind and set(codes.get(field, {}).values()) != stored:
            raise BadMapping(
                f"outgoing.files.{kind}.codes.{field} needs one word for each of {sorted(stored)}"
            )
    return FileForm(kind, data["file"], columns, codes, known, KEYS[kind])
