"""Setting bands: from a day on acts of one kind take these steps by amount, in an authority or a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from app.kernel.canonical import canonical
from app.kernel.clock import civil_date, start_of_day
from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.vocabulary import ApprovalKind, Role
from app.models import ApprovalBands
from app.models.approvals import MAX_STEPS
from app.services.approvals.band_tables import table_in_force
from app.services.approvals.people import people_with
from app.services.approvals.requests import Decision, request_approval
from app.services.approvals.steps import Band, bands_of_json, bands_to_json
from app.services.identity.principals import Caller
from app.services.reach import within_reach
from app.sql import now

FIXED = frozenset(
    {
        ApprovalKind.GRANT_ROLES,
        ApprovalKind.RESET_PASSWORD,
        ApprovalKind.RESET_SECOND_FACTOR,
        ApprovalKind.DELEGATE_POWER,
        ApprovalKind.SET_APPROVAL_BANDS,
    }
)
"""Their steps no table changes: who may decide is never decided by who may decide."""
NEEDS_FINANCE = frozenset({ApprovalKind.ORDER_PAYMENT, ApprovalKind.MOVE_QUOTA})
OF_THE_REGION = frozenset({ApprovalKind.APPROPRIATE, ApprovalKind.CLOSE_YEAR})
"""Acts of finance that belong to no authority: only a region's table reaches them."""
MAX_BANDS = 10


@dataclass(frozen=True, slots=True)
class BandsRecord:
    """A table of bands as it is read."""

    region_code: str
    id: str
    authority_id: str | None
    kind: str
    effective_from: datetime
    bands: tuple[Band, ...]
    expires_after_days: int | None
    approval_id: str


def request_bands(
    tx: Connection,
    *,
    caller: Caller,
    region_code: str,
    authority_id: str | None,
    kind: ApprovalKind,
    bands: Sequence[Band],
    effective_on: date,
    expires_after_days: int | None = None,
    reason: str | None = None,
) -> str:
    """Ask that these bands hold from a day on; returns the approval's id.

    A maker asks for his authority, whose checker and then finance agree; for the whole region one of finance asks
    another. Raises `forbidden`, `validation_failed`, `approval_pending`.
    """
    role = Role.FINANCE if authority_id is None else Role.MAKER
    if not caller.holds_in(role, region_code, authority_id):
        raise AppError(Code.FORBIDDEN, role=f"{role} {region_code}")
    at = now(tx)
    errors = wrong_bands(kind, bands, has_authority=authority_id is not None)
    if effective_on < civil_date(at):
        errors.append(FieldError("/effective_on", "in_the_past", limit=civil_date(at).isoformat()))
    if errors:
        raise AppError(Code.VALIDATION_FAILED, count=len(errors), errors=errors)
    before = table_in_force(tx, region_code, authority_id, kind, at=at)
    return request_approval(
        tx,
        caller=caller,
        kind=ApprovalKind.SET_APPROVAL_BANDS,
        region_code=region_code,
        authority_id=authority_id,
        required_role=Role.FINANCE if authority_id is None else Role.CHECKER,
        subject_id=f"{region_code}/{authority_id or '*'}/{kind}",
        command={
            "authority_id": authority_id,
            "kind": kind,
            "bands": bands_to_json(bands),
            "effective_on": effective_on.isoformat(),
            "expires_after_days": expires_after_days,
        },
        effect={
            "of": kind,
            "effective_on": effective_on.isoformat(),
            "bands": bands_to_json(bands),
            "bands_before": None if before is None else bands_to_json(before.bands),
            "too_few": _too_few(tx, region_code, authority_id, kind, bands),
        },
        reason=reason,
        steps=(Role.FINANCE,) if authority_id is None else (Role.CHECKER, Role.FINANCE),
    )


def _too_few(
    tx: Connection, region_code: str, authority_id: str | None, kind: ApprovalKind, bands: Sequence[Band]
) -> list[dict[str, str | int]]:
    """Roles of which one request may need more persons than there are: what lies in such a band would wait for ever."""
    if kind in OF_THE_REGION:  # whoever of finance asks is none of those who decide
        needed = {Role.FINANCE: 1 + max(len(band.steps) for band in bands)}
    else:
        needed = {role: max(band.steps.count(role) for band in bands) for role in (Role.CHECKER, Role.FINANCE)}
    there = {role: len(people_with(tx, role, region_code, authority_id)) for role in needed}
    return [
        {"role": role, "needed": needed[role], "there": there[role]} for role in needed if there[role] < needed[role]
    ]


def execute_set_bands(tx: Connection, *, command: Mapping[str, Any], decision: Decision) -> None:
    """Write the table down. It holds from its day on, and from the approval on where that came later."""
    effective_on = date.fromisoformat(command["effective_on"])
    tx.execute(
        insert(ApprovalBands).values(
            region_code=decision.region_code,
            id=new_id("bnd", decision.region_code),
            authority_id=command["authority_id"],
            kind=command["kind"],
            effective_from=max(start_of_day(effective_on), decision.at),
            bands=canonical(command["bands"]).decode(),
            expires_after_days=command["expires_after_days"],
            approval_id=decision.approval_id,
            decided_at=decision.at,
        )
    )


def list_bands(
    tx: Connection, *, caller: Caller, limit: int, before_id: str | None = None, kind: ApprovalKind | None = None
) -> list[BandsRecord]:
    """The tables of the caller's regions and authorities, past ones too, newest first. Raises `forbidden`."""
    of_the_region = [
        ApprovalBands.region_code.in_([grant.region_code for grant in caller.regions(Role.MAKER, Role.CHECKER)])
        & ApprovalBands.authority_id.is_(None)
    ]
    reach = within_reach(caller, region=ApprovalBands.region_code, authority=ApprovalBands.authority_id)
    query = select(ApprovalBands).where(or_(reach, *of_the_region)).order_by(ApprovalBands.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(ApprovalBands.id < before_id)
    if kind is not None:
        query = query.where(ApprovalBands.kind == kind)
    return [
        BandsRecord(
            row.region_code,
            row.id,
            row.authority_id,
            row.kind,
            row.effective_from,
            bands_of_json(row.bands),
            row.expires_after_days,
            row.approval_id,
        )
        for row in tx.execute(query)
    ]


def wrong_bands(kind: ApprovalKind, bands: Sequence[Band], *, has_authority: bool) -> list[FieldError]:
    """What is wrong with a table: pure. Amounts rise to a band without end, and more money never has fewer steps."""
    errors: list[FieldError] = []
    if kind in FIXED:
        errors.append(FieldError("/kind", "steps_are_fixed", actual=kind))
    if has_authority and kind in OF_THE_REGION:
        errors.append(FieldError("/authority_id", "act_of_the_region", actual=kind))
    if not 1 <= len(bands) <= MAX_BANDS:
        return [*errors, FieldError("/bands", "out_of_range", limit=MAX_BANDS, actual=len(bands))]
    if bands[-1].up_to_fen is not None:
        errors.append(FieldError(f"/bands/{len(bands) - 1}/up_to_fen", "last_band_has_no_end"))
    limits = [band.up_to_fen for band in bands[:-1]]
    for index, limit in enumerate(limits):
        before = limits[index - 1] if index else 0
        if limit is None or limit <= (before or 0):
            errors.append(FieldError(f"/bands/{index}/up_to_fen", "not_rising", limit=before, actual=limit))
    for index, band in enumerate(bands):
        if code := _wrong_steps(kind, band.steps):
            errors.append(FieldError(f"/bands/{index}/steps", code, actual=", ".join(band.steps)))
        elif index and len(band.steps) < len(bands[index - 1].steps):
            errors.append(FieldError(f"/bands/{index}/steps", "fewer_steps", limit=len(bands[index - 1].steps)))
    return errors


def _wrong_steps(kind: ApprovalKind, steps: Sequence[Role]) -> str | None:
    if not 1 <= len(steps) <= MAX_STEPS or not set(steps) <= {Role.CHECKER, Role.FINANCE}:
        return "not_steps"
    if kind in NEEDS_FINANCE | OF_THE_REGION:
        return None if Role.FINANCE in steps else "finance_is_missing"
    return None if steps[0] is Role.CHECKER else "checker_comes_first"
