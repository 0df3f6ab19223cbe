"""Facts, traces and rules of a pack against the hashes that stand in the leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from app.verifier.findings import Findings


class Named(NamedTuple):
    """The place of an entry's leaf and the hashes that stand in it."""

    place: int
    facts: str | None
    trace: str | None
    details: str | None


def judge_texts(region: str, named: Mapping[str, Named], rows: Iterable[Mapping[str, Any]], findings: Findings) -> int:
    """Compare the texts of some entries with what their leaves name; how many there were.

    Facts and trace of each entry that names them must be there. Details are there where they hold no words of people.
    """
    missing = {(entry, "facts") for entry, one in named.items() if one.facts is not None}
    missing |= {(entry, "trace") for entry, one in named.items() if one.trace is not None}
    count = 0
    for row in rows:
        count += 1
        entry, kind, text = row.get("entry"), row.get("kind"), row.get("text")
        one = named.get(entry) if isinstance(entry, str) else None
        if one is None or kind not in {"facts", "trace", "details"} or not isinstance(text, str):
            findings.add("text_unknown", region, f"{entry} {kind}")
            continue
        expected = getattr(one, kind)
        found = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if found != expected:
            subject = f"{entry} {kind}"
            findings.add("text_hash", region, subject, expected=expected, actual=found, index=one.place, entry=entry)
        missing.discard((str(entry), kind))
    for entry, kind in sorted(missing):
        findings.add("text_missing", region, f"{entry} {kind}", index=named[entry].place, entry=entry)
    return count


def judge_rules(region: str, rows: Iterable[Mapping[str, Any]], used: Iterable[str], findings: Findings) -> int:
    """Compare each rule version's text with its hash; every version that a leaf names must be there. How many."""
    missing = set(used)
    count = 0
    for row in rows:
        count += 1
        version, text = str(row.get("id")), row.get("rules")
        found = sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if isinstance(text, str) else "-"
        if found != row.get("rules_sha256"):
            findings.add("rules_hash", region, version, expected=row.get("rules_sha256"), actual=found)
        missing.discard(version)
    for version in sorted(missing):
        findings.add("rules_missing", region, version)
    return count
