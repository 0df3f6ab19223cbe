"""Some assessments of a pack, computed again with the service's rules: the sample follows from the seed alone."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from app.kernel.canonical import sha256_hex
from app.services.redemption.replaying import StoredAssessment
from app.services.redemption.replaying import replay as compute_again
from app.verifier.findings import Findings
from app.verifier.pack import Pack, part_name

Row = Mapping[str, Any]


def replay_sample(path: Path, count: int, seed: int, findings: Findings) -> dict[str, Any]:
    """Replay up to `count` holds and redemptions; what differs becomes a finding `replay`.

    The sample are those with the smallest SHA-256 of `seed:id`, so anybody can draw it again. Of what was redeemed
    from a hold in parts only those are taken whose earlier parts drew something too.
    """
    pack, replayed, different = Pack(path), list[str](), 0
    try:
        drawn = heapq.nsmallest(count, _subjects(pack), key=lambda one: sha256_hex(f"{seed}:{one[1]['id']}".encode()))
        for listed in pack.regions:
            rows = [row for region, row in drawn if region == listed.region]
            for stored in _assessments(pack, listed.region, listed.size, rows):
                differences = _differences(stored)
                replayed.append(stored.subject_id)
                if differences:
                    different += 1
                    findings.add(
                        "replay", listed.region, stored.subject_id, actual=", ".join(differences), entry=stored.entry_id
                    )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Rows that lack what every exported row has: the verifier names the file, and here ends the sample.
        findings.add("replay", None, f"seed {seed}", actual=repr(error))
    finally:
        pack.close()
    return {"seed": seed, "asked": count, "replayed": len(replayed), "different": different, "subjects": replayed}


def _unheard(_problem: str) -> None:
    """What is wrong with a file the verifier has told."""


def _differences(stored: StoredAssessment) -> Sequence[str]:
    try:
        return compute_again(stored).differences
    except (KeyError, ValueError, TypeError, StopIteration) as error:
        return [f"cannot be computed: {error!r}"]


def _subjects(pack: Pack) -> Iterator[tuple[str, Row]]:
    for listed in pack.regions:
        for table in ("holds", "redemptions"):
            for row in pack.rows(f"{listed.region}/stored/{table}.jsonl", _unheard):
                if row["entry_id"] is not None:
                    yield listed.region, row


def _assessments(pack: Pack, region: str, size: int, rows: Sequence[Row]) -> Iterator[StoredAssessment]:
    earlier = _earlier_parts(pack, region, rows)
    entries = {row["entry_id"] for row in rows} | {part["entry_id"] for parts in earlier.values() for part in parts}
    texts = _texts(pack, region, size, entries)
    rules = {row["id"]: row for row in pack.rows(f"{region}/rules.jsonl", _unheard)}
    for row in rows:
        parts, own = earlier.get(row["id"], ()), texts.get(row["entry_id"], {})
        others = {part["id"]: texts.get(part["entry_id"], {}).get("facts") for part in parts}
        version = rules.get(row["rule_version_id"])
        if version is None or not {"facts", "trace"} <= own.keys() or None in others.values():
            continue  # not sealed yet, drew nothing, or missing, which the verifier has said
        is_hold = "held_at" in row
        yield StoredAssessment(
            subject_id=row["id"],
            judged_at=datetime.fromisoformat(row["held_at"] if is_hold else row["redeemed_at"]),
            amount_fen=row["amount_fen"] if is_hold else row["subsidy_fen"],
            facts=own["facts"],
            refund_facts=None,
            others={one: facts for one, facts in others.items() if facts is not None},
            trace=own["trace"],
            rule_version_id=version["id"],
            rule_version_number=version["number"],
            rules=version["rules"],
            rules_sha256=version["rules_sha256"],
            entry_id=row["entry_id"],
            facts_sha256=sha256_hex(own["facts"].encode()),
            trace_sha256=sha256_hex(own["trace"].encode()),
        )


def _earlier_parts(pack: Pack, region: str, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """By redemption, those of the same hold that came before it."""
    by_hold: dict[str, list[Row]] = {row["hold_id"]: [] for row in rows if row.get("hold_id") is not None}
    if by_hold:
        for row in pack.rows(f"{region}/stored/redemptions.jsonl", _unheard):
            if row["hold_id"] in by_hold:
                by_hold[row["hold_id"]].append(row)
    return {
        row["id"]: [part for part in by_hold[row["hold_id"]] if part["part_no"] < row["part_no"]]
        for row in rows
        if row.get("hold_id") is not None
    }


def _texts(pack: Pack, region: str, size: int, entries: set[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for first in range(0, size, pack.leaves_per_file):
        for row in pack.rows(part_name(region, "texts", first, "jsonl"), _unheard):
            if row["entry"] in entries:
                found.setdefault(row["entry"], {})[row["kind"]] = row["text"]
    return found
