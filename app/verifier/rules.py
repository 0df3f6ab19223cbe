"""Rule versions of a pack: their texts against their hashes, and each against the publication that the log sealed.

The leaf of a publication names its details by their hash, the details name the approved command by its hash, and the
command names the version, its rules by their hash and the day from which they hold. So nothing of a version can be
edited in a pack without its leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec import DecodeError, Struct, ValidationError, convert
from msgspec.json import Decoder

from app.verifier.findings import Findings
from app.verifier.leaves import AuditEvent, Leaf

WRITTEN = "rule_version.written"
"""The action that writes down a version after a programme's first: its object is the version."""
PUBLISHED = {"publish_programme.approved": "programme_id", "publish_rule_version.approved": "rule_version_id"}
"""Actions that publish a version, and what of their command is the object of the event."""


class _Publication(Struct):
    event: str
    details: str
    command: str


class _Version(Struct):
    id: str
    programme_id: str
    number: int
    effective_on: str
    rules_sha256: str
    publication: _Publication


class _Details(Struct):
    command_sha256: str
    maker: str


class _Command(Struct):
    programme_id: str
    rule_version_id: str
    rules_sha256: str
    effective_on: str | None = None
    """Commands of the first releases do not name the day."""


class Sealed(NamedTuple):
    """What the leaf of a publication says."""

    place: int
    details: str
    names: str
    subject: str
    checker: str


_read_details, _read_command = Decoder(_Details).decode, Decoder(_Command).decode


class Publications:
    """What the log says of rule versions: each publication by its event, and where each later version was written."""

    def __init__(self, region: str) -> None:
        self._region = region
        self.sealed: dict[str, Sealed] = {}
        self.written: dict[str, int] = {}

    def take(self, event: Leaf | AuditEvent, place: int) -> None:
        """Note an event, if it is one of these."""
        if type(event) is not AuditEvent or event.result != "done":
            return
        if event.action == WRITTEN and event.object is not None:
            self.written.setdefault(event.object, place)
        elif event.action in PUBLISHED:
            names = PUBLISHED[event.action]
            self.sealed[event.id] = Sealed(place, event.details, names, event.object or "", event.principal)

    def judge(self, rows: Iterable[Mapping[str, Any]], used: Iterable[str], findings: Findings) -> tuple[int, int]:
        """Judge the versions of a whole log; how many there are, and how many of them a leaf binds.

        Text and hash must agree, and every version that an entry names must be there. A pack that tells of no
        publication at all was made before packs did. In any other each version has one of its own, each publication in
        the log is that of a version, and a programme's numbers follow the order in which its versions were written.
        """
        versions = self.judge_texts(rows, used, findings)
        if versions and not any("publication" in row for row in versions):
            return len(versions), 0
        left, bound = dict(self.sealed), list[Mapping[str, Any]]()
        for row in versions:
            leaf, wrong = self._publication(row, left)
            if wrong is None:
                bound.append(row)
            else:
                self._tell(findings, str(row.get("id")), leaf, wrong)
        for leaf in left.values():
            self._tell(findings, leaf.subject, leaf, "no version")
        ordered = sorted(bound, key=lambda row: (row["programme_id"], row["number"]))
        for row, after in pairwise(ordered):
            if row["programme_id"] == after["programme_id"] and not self._written_at(row) < self._written_at(after):
                self._tell(findings, after["id"], None, f"number {after['number']}")
        return len(versions), len(bound)

    def judge_texts(
        self, rows: Iterable[Mapping[str, Any]], used: Iterable[str], findings: Findings
    ) -> list[Mapping[str, Any]]:
        """The versions, each held against its hash; those that are used must be there."""
        missing, versions = set(used), list(rows)
        for row in versions:
            version, text = str(row.get("id")), row.get("rules")
            found = sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if isinstance(text, str) else "-"
            if found != row.get("rules_sha256"):
                findings.add("rules_hash", self._region, version, expected=row.get("rules_sha256"), actual=found)
            missing.discard(version)
        for version in sorted(missing):
            findings.add("rules_missing", self._region, version)
        return versions

    def _publication(self, row: Mapping[str, Any], left: dict[str, Sealed]) -> tuple[Sealed | None, str | None]:
        """The leaf that a version says has published it, which no other may say, and what of it does not fit."""
        try:
            told = convert(row, _Version)
        except ValidationError as error:
            return None, str(error)
        leaf = left.pop(told.publication.event, None)
        if leaf is None:
            return None, f"no publication {told.publication.event}"
        details, command = told.publication.details, told.publication.command
        if _sha(details) != leaf.details:
            return leaf, "details"
        try:
            decided = _read_details(details)
            if _sha(command) != decided.command_sha256:
                return leaf, "command"
            approved = _read_command(command)
        except (ValidationError, DecodeError) as error:
            return leaf, str(error)
        fits = (approved.rule_version_id, approved.programme_id, approved.rules_sha256) == (
            told.id,
            told.programme_id,
            told.rules_sha256,
        ) and approved.effective_on in {None, told.effective_on}
        if not fits or getattr(approved, leaf.names) != leaf.subject:
            return leaf, f"{approved.rule_version_id} {approved.rules_sha256} {approved.effective_on}"
        return leaf, "one person" if decided.maker == leaf.checker else None

    def _written_at(self, row: Mapping[str, Any]) -> int:
        """Where in the log a version was written; a programme's first comes with it, before all others."""
        return self.written.get(row["id"], -1)

    def _tell(self, findings: Findings, version: str, leaf: Sealed | None, wrong: str) -> None:
        place = None if leaf is None else leaf.place
        findings.add("rules_publication", self._region, version, actual=wrong, index=place)

    def to_json(self) -> dict[str, Any]:
        """For the state file."""
        return {"sealed": {event: list(leaf) for event, leaf in self.sealed.items()}, "written": self.written}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """As it was put away."""
        self.sealed = {event: Sealed(*leaf) for event, leaf in saved["sealed"].items()}
        self.written = dict(saved["written"])


def _sha(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
