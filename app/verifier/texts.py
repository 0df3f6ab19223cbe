"""Facts, traces and details of a pack against the hashes that stand in the leaves."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from app.verifier.findings import Findings


class Named(NamedTuple):
    """The hashes that the leaves of a file name and whose texts have not come yet, by entry."""

    facts: dict[str, str]
    trace: dict[str, str]
    details: dict[str, str]


def judge_texts(
    region: str,
    named: Named,
    index_of: Mapping[str, int],
    rows: Iterable[Mapping[str, Any]],
    findings: Findings,
    wanted: Container[str] = (),
) -> tuple[int, dict[str, str]]:
    """Compare the texts of some entries with what their leaves name, each once; how many there were.

    Facts and trace of each entry that names them must be there. Details are there where they hold no words of people;
    those of `wanted` entries and events are given back, where they are what the leaf names.
    """
    by_kind, sha = named._asdict(), sha256
    count, found_details = 0, {}
    for row in rows:
        count += 1
        try:
            entry, kind = row["entry"], row["kind"]
            found, expected = sha(row["text"].encode()).hexdigest(), by_kind[kind].pop(entry)
        except (KeyError, TypeError, AttributeError):
            findings.add("text_unknown", region, f"{row.get('entry')} {row.get('kind')}")
            continue
        if found != expected:
            place, subject = index_of[entry], f"{entry} {kind}"
            findings.add("text_hash", region, subject, expected=expected, actual=found, index=place, entry=entry)
        elif kind == "details" and entry in wanted:
            found_details[entry] = row["text"]
    missing = [(entry, kind) for kind in ("facts", "trace") for entry in by_kind[kind]]
    for entry, kind in sorted(missing):
        findings.add("text_missing", region, f"{entry} {kind}", index=index_of[entry], entry=entry)
    return count, found_details
