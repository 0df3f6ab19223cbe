"""Judging applications: what the registry, the rules and earlier grants say is loaded, judged, and frozen."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import Connection, select, text

from app.kernel.canonical import canonical
from app.kernel.clock import civil_date, end_of_day, rfc3339
from app.kernel.problems import AppError, Code, FieldError
from app.models import ApplicationDocument, Upload
from app.services.applications.eligibility import Eligibility, Step, judge, stored
from app.services.applications.maximum import Granted, Maximum, maximum
from app.services.applications.records import ApplicationRecord
from app.services.applications.writing import Frozen
from app.services.issuance.batches import rules_in_force
from app.services.issuance.terms import Terms
from app.services.redemption.assessing import gather
from app.services.redemption.loading import load_parties
from app.services.redemption.parties import parties_of
from app.services.redemption.states import DatedRules, Parties, Party
from app.services.rules.facts import Line, Value
from app.services.standing.loading import load_standings

_GRANTED = text(
    "SELECT v.firm_id, coalesce(r.group_name, o.profile->>'group') AS firm_group,"
    " sum(v.face_fen - v.expired_fen - v.voided_fen - v.surrendered_fen) AS fen"
    " FROM vouchers v JOIN organisations o ON o.id = v.firm_id"
    " LEFT JOIN LATERAL (SELECT group_name FROM organisation_relations"
    " WHERE person = o.identifier_type || ':' || o.identifier_value AND kind = 'group' AND from_on <= :on"
    " AND least(until_on, ended_on, :on) = :on ORDER BY from_on DESC, id DESC LIMIT 1) r ON true"
    " WHERE v.region_code = :region_code AND v.programme_id = :programme_id"
    " AND (v.firm_id = ANY(CAST(:firms AS text[]))"
    " OR coalesce(r.group_name, o.profile->>'group') = ANY(CAST(:groups AS text[])))"
    " GROUP BY v.firm_id, coalesce(r.group_name, o.profile->>'group')"
)
"""What vouchers promise to these firms and to all firms of these groups, declared or on record."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A paper of an application."""

    document: str
    upload_id: str
    sha256: str
    size: int
    type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What an application came to at one step. `frozen` is kept with the decision."""

    version: DatedRules
    eligibility: Eligibility
    maximum: Maximum
    frozen: Frozen


@dataclass(frozen=True, slots=True)
class Grounds:
    """All that judging looks at besides the applications themselves, at one instant."""

    version: DatedRules
    at: datetime
    holders: Mapping[str, Party]
    granted: Mapping[str, Granted]
    documents: Mapping[str, Sequence[DocumentRecord]] = field(default_factory=dict)


def load_grounds(
    tx: Connection,
    applications: Sequence[ApplicationRecord],
    *,
    at: datetime,
) -> Grounds:
    """The grounds of applications to one programme, each kind in one statement. Raises `wrong_state` without rules."""
    first = applications[0]
    assert all(one.programme_id == first.programme_id for one in applications), "of one programme"
    firms = sorted({one.firm_id for one in applications})
    found, standings = load_parties(tx, firms, on=civil_date(at)), load_standings(tx, firms)
    holders = {
        firm_id: parties_of(
            found[firm_id], Party(), None, (standings.get(firm_id), None), first.region_code, on=civil_date(at)
        ).holder
        for firm_id in firms
    }
    return Grounds(
        version=rules_in_force(tx, first.region_code, first.programme_id, at),
        at=at,
        holders=holders,
        granted=_granted(tx, first, holders, on=civil_date(at)),
        documents=load_documents(tx, first.region_code, [one.id for one in applications]),
    )


def _granted(tx: Connection, first: ApplicationRecord, holders: Mapping[str, Party], *, on: date) -> dict[str, Granted]:
    groups = {firm_id: str(holder.facts.get("group", firm_id)) for firm_id, holder in holders.items()}
    asked = {
        "region_code": first.region_code,
        "programme_id": first.programme_id,
        "firms": sorted(holders),
        "groups": sorted(set(groups.values())),
        "on": on,
    }
    of_firm: dict[str, int] = defaultdict(int)
    of_group: dict[str, int] = defaultdict(int)
    for row in tx.execute(_GRANTED, asked):
        of_firm[row.firm_id] += int(row.fen)
        of_group[row.firm_group or row.firm_id] += int(row.fen)
    return {firm_id: Granted(of_firm[firm_id], of_group[group]) for firm_id, group in groups.items()}


def load_documents(
    tx: Connection, region_code: str, application_ids: Sequence[str]
) -> dict[str, Sequence[DocumentRecord]]:
    """The papers of applications as they are now, in the order in which they were added."""
    found: dict[str, list[DocumentRecord]] = defaultdict(list)
    rows = tx.execute(
        select(
            ApplicationDocument.application_id,
            ApplicationDocument.document,
            ApplicationDocument.upload_id,
            Upload.sha256,
            Upload.size,
            Upload.type,
            Upload.file_name,
        )
        .join(
            Upload,
            (Upload.region_code == ApplicationDocument.region_code) & (Upload.id == ApplicationDocument.upload_id),
        )
        .where(
            ApplicationDocument.region_code == region_code,
            ApplicationDocument.application_id.in_(application_ids),
            ApplicationDocument.removed_at.is_(None),
        )
        .order_by(ApplicationDocument.application_id, ApplicationDocument.line)
    )
    for row in rows:
        found[row.application_id].append(DocumentRecord(*row[1:]))
    return dict(found)


def judge_application(
    application: ApplicationRecord,
    grounds: Grounds,
    *,
    step: Step,
    terms: Terms | None = None,
    applied_at: datetime | None = None,
) -> Judged:
    """Conditions and maximum of one application. Pure.

    `terms` are what officials fix with the grant. `applied_at` is looked at only where windows are still to be judged.
    At `apply` facts that officials have yet to state are open.
    """
    rules, at = grounds.version.rules, grounds.at
    holder = grounds.holders[application.firm_id]
    claim: dict[str, Value] = values_of(application.claim)
    claim["applied_on"] = civil_date(application.submitted_at or at).isoformat()
    if terms is not None:
        claim |= terms.claim
    parties = Parties(holder, Party(), None)
    facts = replace(
        gather(rules, lines_of(application.plan), None, parties, claim, at=at),
        checkpoint="issue",
        exceptions_fen=terms.exceptions_fen if terms else {},
        layers_fen=terms.layers_fen if terms else {},
    )
    eligibility = judge(rules, facts, step=step, applied_at=applied_at)
    until = application.valid_until_on
    granted = grounds.granted[application.firm_id]
    most = maximum(
        rules,
        facts,
        asked_fen=application.amount_fen,
        granted=granted,
        valid_until=end_of_day(until) if until else rules.valid_until(at),
        open_facts=step == "apply",
    )
    looked_at = {
        "v": 1,
        "application": {
            "id": application.id,
            "programme": application.programme_id,
            "firm": application.firm_id,
            "amount_fen": application.amount_fen,
            "purpose": application.purpose,
            "valid_until_on": until.isoformat() if until else None,
            "applied_at": rfc3339(applied_at) if applied_at else None,
            "plan": json.loads(application.plan),
        },
        "documents": [
            {"document": one.document, "sha256": one.sha256, "size": one.size, "type": one.type}
            for one in grounds.documents.get(application.id, ())
        ],
        "rule_version": grounds.version.id,
        "granted_before": {"firm_fen": granted.firm_fen, "group_fen": granted.group_fen},
        "facts": facts.given(),
    }
    came_to = {"v": 1, "eligibility": stored(eligibility), "maximum": most.plain()}
    frozen = Frozen(canonical(looked_at).decode(), canonical(came_to).decode())
    return Judged(grounds.version, eligibility, most, frozen)


def values_of(document: str) -> dict[str, Value]:
    """Stored facts again."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(document).items()}


def lines_of(document: str) -> list[Line]:
    """A stored plan again, as lines that the rules look at."""
    return [Line(**line) for line in json.loads(document)]


def refuse_ineligible(eligibility: Eligibility, *, except_for: Sequence[str] = ()) -> None:
    """Raise `applicant_not_eligible`, naming every condition that stands against it and was not excepted."""
    against = [finding for finding in eligibility.stopping if finding.name not in except_for]
    if not against:
        return
    errors = [
        FieldError(
            f"/conditions/{finding.name}",
            f"condition_{finding.outcome}",
            finding.en if finding.en == finding.zh else f"{finding.en} / {finding.zh}",
            actual=", ".join(finding.missing) or None,
        )
        for finding in against
    ]
    names = ", ".join(finding.name for finding in against)
    raise AppError(Code.APPLICANT_NOT_ELIGIBLE, names=names, errors=errors)
