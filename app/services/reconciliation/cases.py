"""What becomes of a difference: its case is opened, found again, opened anew, or resolved because it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from app.kernel.ids import new_id
from app.kernel.money import format_yuan
from app.kernel.vocabulary import Sides
from app.models import CaseNote
from app.services.identity.principals import Caller
from app.services.reconciliation.comparing import Comparison, Mismatch
from app.sql import BulkInsert

_ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('reconciliation cases', 0))")

_NEWER = text(
    "SELECT EXISTS (SELECT 1 FROM reconciliations WHERE started_at > :started_at AND report -> 'comparisons' <> '[]'"
    " AND (starts_with(region_code, :prefix)"
    " OR starts_with(:region_code, regexp_replace(region_code, '(00){1,2}$', ''))))"
)

_KNOWN = text(
    "SELECT c.region_code, c.id, c.subject, c.kind, c.here_fen, c.there_fen, c.fingerprint, c.state, c.resolved_in_id"
    " FROM reconciliation_cases c JOIN unnest(CAST(:regions AS text[]), CAST(:subjects AS text[])) AS f(region, of)"
    " ON c.region_code = f.region AND c.subject = f.of WHERE c.sides = :sides"
)

_UPSERT = text(
    """
    INSERT INTO reconciliation_cases AS c (region_code, id, sides, subject, kind, party_id, happened_on, here_fen,
        there_fen, evidence, fingerprint, state, opened_at, opened_in_id, found_at, found_in_id)
    SELECT region_code, id, :sides, subject, kind, party_id, happened_on, here_fen, there_fen, evidence, fingerprint,
        'open', :at, :run_id, :at, :run_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS f(region_code text, id text, subject text, kind text,
        party_id text, happened_on date, here_fen bigint, there_fen bigint, evidence jsonb, fingerprint text)
    ON CONFLICT (region_code, sides, subject) DO UPDATE SET
        kind = excluded.kind, happened_on = excluded.happened_on, here_fen = excluded.here_fen,
        there_fen = excluded.there_fen, evidence = excluded.evidence, fingerprint = excluded.fingerprint,
        found_at = excluded.found_at, found_in_id = excluded.found_in_id,
        state = CASE WHEN {stands} THEN c.state ELSE 'open' END,
        resolved_at = CASE WHEN {stands} THEN c.resolved_at END,
        resolved_by = CASE WHEN {stands} THEN c.resolved_by END,
        resolved_in_id = CASE WHEN {stands} THEN c.resolved_in_id END,
        resolving_entry_id = CASE WHEN {stands} THEN c.resolving_entry_id END,
        resolving_statement_id = CASE WHEN {stands} THEN c.resolving_statement_id END,
        resolving_bank_list_id = CASE WHEN {stands} THEN c.resolving_bank_list_id END
""".replace("{stands}", "c.fingerprint = excluded.fingerprint AND c.resolved_in_id IS NULL")
)
"""A person's verdict stands while the figures do; that it was gone once does not: then it is open again."""

_RESOLVE = """
    UPDATE reconciliation_cases c SET state = 'resolved', resolved_at = :at, resolved_by = :run_by,
        resolved_in_id = :run_id, resolving_entry_id = coalesce(by_entry.id, CASE WHEN by_file.id IS NULL
            THEN {else_entry} END),
        {file_column} = CASE WHEN by_entry.id IS NULL THEN by_file.id END
    FROM reconciliation_cases g
    {found}
    LEFT JOIN LATERAL (
        SELECT e.id FROM entries e
        WHERE e.region_code = g.region_code AND e.at > g.opened_at AND e.id IN ({entries})
        ORDER BY e.at DESC LIMIT 1
    ) AS by_entry ON true
    LEFT JOIN LATERAL (
        SELECT s.id FROM {files} s
        WHERE s.region_code = g.region_code AND {whose} AND s.replaced_at IS NULL
            AND s.uploaded_at > g.opened_at AND g.happened_on BETWEEN s.period_from AND s.period_until
        ORDER BY s.uploaded_at DESC LIMIT 1
    ) AS by_file ON true
    WHERE c.region_code = g.region_code AND c.id = g.id AND g.sides = :sides AND g.state <> 'resolved'
        AND starts_with(g.region_code, :prefix) AND g.happened_on BETWEEN :first AND :last AND g.found_in_id <> :run_id
    RETURNING c.region_code, c.id, c.resolving_entry_id, c.{file_column} AS resolving_file_id
"""
"""What is no longer found is resolved: by an entry posted since, else by a file sent since, else by the run alone."""

_GONE = {
    Sides.STATEMENTS: text(
        _RESOLVE.format(
            found="LEFT JOIN redemptions found ON found.region_code = g.region_code AND found.provider_id = g.party_id"
            " AND found.order_no = coalesce(g.evidence -> 'line' ->> 'order_no',"
            " g.evidence -> 'redemption' ->> 'order_no')",
            entries="SELECT found.entry_id UNION ALL SELECT f.entry_id FROM refunds f"
            " WHERE f.region_code = g.region_code AND f.redemption_id = found.id",
            else_entry="found.entry_id",
            files="statements",
            whose="s.provider_id = g.party_id",
            file_column="resolving_statement_id",
        )
    ),
    Sides.BANK_LISTS: text(
        _RESOLVE.format(
            found="CROSS JOIN LATERAL (SELECT"
            " coalesce(g.evidence #>> '{line,order_id}', g.evidence #>> '{payment_order,id}') AS order_id,"
            " coalesce(g.evidence #>> '{line,bank_reference}', g.evidence #>> '{recorded,bank_reference}')"
            " AS bank_reference) AS about",
            entries="SELECT step.id FROM payment_items i CROSS JOIN LATERAL"
            " (VALUES (i.order_entry_id), (i.confirm_entry_id), (i.bounce_entry_id)) AS step(id)"
            " WHERE i.region_code = g.region_code AND i.order_id = about.order_id UNION ALL"
            " SELECT step.id FROM payment_results r JOIN payment_items i ON i.region_code = r.region_code"
            " AND i.order_id = r.order_id AND r.id IN (i.confirm_result_id, i.bounce_result_id) CROSS JOIN LATERAL"
            " (VALUES (i.confirm_entry_id), (i.bounce_entry_id)) AS step(id)"
            " WHERE r.region_code = g.region_code AND r.bank_reference = about.bank_reference UNION ALL"
            " SELECT v.receipt_entry_id FROM recoveries v"
            " WHERE v.region_code = g.region_code AND v.bank_reference = about.bank_reference",
            else_entry="NULL",
            files="bank_lists",
            whose="true",
            file_column="resolving_bank_list_id",
        )
    ),
}

_NOTES = BulkInsert(CaseNote.__table__, ("region_code", "case_id", "id", "at", "by", "organisation_id", "act", "words"))


@dataclass(frozen=True, slots=True)
class Run:
    """The reconciliation that found what it found: its region and reach, its snapshot's instant, who ran it."""

    region_code: str
    prefix: str
    id: str
    at: datetime
    caller: Caller


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did to the cases; `ids` are those of the differences found, by region and subject."""

    opened: int = 0
    reopened: int = 0
    resolved: int = 0
    ids: Mapping[tuple[str, str], str] = ()  # type: ignore[assignment]


def follow(tx: Connection, *, run: Run, comparison: Comparison) -> Outcome | None:
    """Let the cases follow what was found. None, and nothing done, where a later snapshot's run has come first."""
    tx.execute(_ALONE)
    scope = {"prefix": run.prefix, "region_code": run.region_code, "started_at": run.at}
    if tx.execute(_NEWER, scope).scalar_one():
        return None
    known = _known(tx, comparison)
    rows = [_row(found, known.get((found.region_code, found.subject))) for found in comparison.mismatches]
    asked = {"sides": comparison.sides, "at": run.at, "run_id": run.id, "rows": orjson.dumps(rows).decode()}
    tx.execute(_UPSERT, asked)
    notes = [
        _note(run, case.region_code, case.id, act, _changed(case, found))
        for found in comparison.mismatches
        if (case := known.get((found.region_code, found.subject))) and (act := _act(case, found))
    ]
    gone = tx.execute(
        _GONE[comparison.sides],
        {
            "sides": comparison.sides,
            "at": run.at,
            "run_id": run.id,
            "run_by": run.caller.principal_id,
            "prefix": run.prefix,
            "first": comparison.period.first,
            "last": comparison.period.last,
        },
    ).all()
    for case in gone:
        by = case.resolving_entry_id or case.resolving_file_id or "-"
        notes.append(_note(run, case.region_code, case.id, "resolved", f"不再存在差异 / no longer found: {by}"))
    if notes:
        _NOTES(tx, notes)
    return Outcome(
        opened=len(rows) - len(known),
        reopened=sum(note["act"] == "reopened" for note in notes),
        resolved=len(gone),
        ids={(row["region_code"], row["subject"]): row["id"] for row in rows},
    )


def _known(tx: Connection, comparison: Comparison) -> dict[tuple[str, str], Any]:
    rows = tx.execute(
        _KNOWN,
        {
            "sides": comparison.sides,
            "regions": [found.region_code for found in comparison.mismatches],
            "subjects": [found.subject for found in comparison.mismatches],
        },
    )
    return {(row.region_code, row.subject): row for row in rows}


def _row(found: Mismatch, known: Any) -> dict[str, Any]:
    return {
        "region_code": found.region_code,
        "id": new_id("cas", found.region_code) if known is None else known.id,
        "subject": found.subject,
        "kind": found.kind,
        "party_id": found.party_id,
        "happened_on": found.happened_on.isoformat(),
        "here_fen": found.here_fen,
        "there_fen": found.there_fen,
        "evidence": found.evidence,
        "fingerprint": found.fingerprint,
    }


def _act(case: Any, found: Mismatch) -> str | None:
    """What the run does to a case that was known: nothing to tell, changed, or opened again."""
    if case.fingerprint == found.fingerprint and case.resolved_in_id is None:
        return None
    return "changed" if case.state == "open" else "reopened"


def _changed(case: Any, found: Mismatch) -> str:
    before, after = (f"{of.kind} {_yuan(of.here_fen)} | {_yuan(of.there_fen)}" for of in (case, found))
    return f"{before} → {after}"


def _yuan(fen: int | None) -> str:
    return "-" if fen is None else format_yuan(fen)


def _note(run: Run, region_code: str, case_id: str, act: str, words: str) -> dict[str, Any]:
    return {
        "region_code": region_code,
        "case_id": case_id,
        "id": new_id("cno", region_code),
        "at": run.at,
        "by": run.caller.principal_id,
        "organisation_id": run.caller.organisation_id,
        "act": act,
        "words": words,
    }
