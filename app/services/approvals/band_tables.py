"""Which table of bands holds: the authority's own before the region's, the newest that has begun."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, or_, select

from app.kernel.vocabulary import ApprovalKind
from app.models import ApprovalBands
from app.services.approvals.steps import BandTable, bands_of_json


def table_in_force(
    tx: Connection, region_code: str, authority_id: str | None, kind: ApprovalKind, *, at: datetime
) -> BandTable | None:
    """The table that chooses the steps of an act that is asked for at this instant; None where there is none."""
    row = tx.execute(
        select(ApprovalBands.id, ApprovalBands.bands, ApprovalBands.expires_after_days)
        .where(
            ApprovalBands.region_code == region_code,
            ApprovalBands.kind == kind,
            ApprovalBands.effective_from <= at,
            or_(ApprovalBands.authority_id.is_(None), ApprovalBands.authority_id == authority_id),
        )
        .order_by(ApprovalBands.authority_id.is_(None), ApprovalBands.effective_from.desc(), ApprovalBands.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else BandTable(row.id, bands_of_json(row.bands), row.expires_after_days)
