"""Which applications exist for whom, and on whose desk one lies."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, or_, select, text

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code, FieldError
from app.kernel.regions import city_of
from app.kernel.vocabulary import ApplicationLevel, ApplicationStatus, Role
from app.models import Application
from app.reach import enter
from app.services.applications.records import ApplicationRecord, load, record_of, records
from app.services.identity.principals import Caller
from app.services.reach import within_reach

_ASKED = text(
    "WITH pending AS MATERIALIZED (SELECT id, subject_id, CAST(command AS jsonb) AS command FROM approvals"
    " WHERE region_code = :region_code AND status = 'pending'"
    " AND kind IN ('reject_application', 'waitlist_application'))"
    " SELECT subject_id AS application_id, id AS approval_id FROM pending WHERE subject_id = ANY(CAST(:ids AS text[]))"
    " UNION ALL"
    " SELECT one ->> 'application_id', id FROM pending"
    " CROSS JOIN LATERAL jsonb_array_elements(command -> 'applications') AS one"
    " WHERE one ->> 'application_id' = ANY(CAST(:ids AS text[]))"
)
"""Of many at once the command names each; those that wait for a decision are few."""

OFFICIALS = (Role.MAKER, Role.CHECKER, Role.FINANCE, Role.AUDITOR)


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """A firm sees its own; officials what was submitted to their authority, or by firms of their county to the city or
    province above it; finance and audit by region. Raises `forbidden` where no role of the caller sees any.
    """
    reached = within_reach(
        caller,
        region=Application.region_code,
        authority=Application.authority_id,
        own={Role.FIRM: Application.firm_id},
        always=_of_county(caller),
    )
    own_draft = Application.firm_id == caller.organisation_id
    return and_(reached, or_(Application.status != ApplicationStatus.DRAFT, own_draft))


def _of_county(caller: Caller) -> ColumnElement[bool] | None:
    counties = {
        grant.region_code for grant in caller.regions(Role.MAKER, Role.CHECKER) if not grant.region_code.endswith("00")
    }
    if not counties:
        return None
    return or_(
        *(
            and_(Application.region_code.in_(_above(county)), Application.district_code == county)
            for county in sorted(counties)
        )
    )


def _above(county: str) -> list[str]:
    return [city_of(county), f"{county[:2]}0000"]


def read(tx: Connection, *, caller: Caller, application_id: str) -> ApplicationRecord:
    """One application within the caller's reach. Raises `not_found`, `forbidden`."""
    row = tx.execute(
        records().where(
            Application.region_code == region_of(application_id),
            Application.id == application_id,
            visible_to(caller),
        )
    ).one_or_none()
    if row is None:
        raise AppError(Code.NOT_FOUND, what="application")
    return record_of(row)


def lock_own(tx: Connection, *, caller: Caller, application_id: str) -> ApplicationRecord:
    """A firm's own application, locked. Raises `forbidden` for who is no firm, `not_found` for another's."""
    caller.require(Role.FIRM)
    enter(tx, [region_of(application_id)])
    found = load(tx, region_of(application_id), application_id, lock=True)
    if found is None or found.firm_id != caller.organisation_id:
        raise AppError(Code.NOT_FOUND, what="application")
    return found


def lock_as_official(tx: Connection, *, caller: Caller, application_id: str) -> ApplicationRecord:
    """An application on the desk of a maker, locked: his county's, or his authority's.

    Raises `forbidden` for who is no maker, and for a maker who sees it on another desk; `not_found`; `approval_pending`
    while its rejection or its waiting waits for a checker.
    """
    caller.require(Role.MAKER)
    read(tx, caller=caller, application_id=application_id)
    found = load(tx, region_of(application_id), application_id, lock=True)
    assert found is not None, "applications are never deleted"
    _require_on_desk(caller, found)
    require_undecided(tx, found.region_code, [found.id])
    return found


def lock_many_as_official(tx: Connection, *, caller: Caller, application_ids: Sequence[str]) -> list[ApplicationRecord]:
    """Applications of one region on the desk of a maker, in the order asked for, locked in sorted order.

    Raises `forbidden`; `not_found` with each that is not within the caller's reach or of another region than the first.
    """
    caller.require(Role.MAKER)
    of_region = and_(Application.region_code == region_of(application_ids[0]), Application.id.in_(application_ids))
    seen = set(tx.execute(select(Application.id).where(of_region, visible_to(caller))).scalars())
    missing = [
        FieldError(f"/applications/{place}/application_id", Code.NOT_FOUND, actual=one)
        for place, one in enumerate(application_ids)
        if one not in seen
    ]
    if missing:
        raise AppError(Code.NOT_FOUND, what="application", errors=missing)
    rows = tx.execute(
        records().where(of_region).order_by(Application.id).with_for_update(key_share=True, of=Application)
    )
    found = {row.id: record_of(row) for row in rows}
    for one in found.values():
        _require_on_desk(caller, one)
    return [found[one] for one in application_ids]


def _require_on_desk(caller: Caller, application: ApplicationRecord) -> None:
    if not on_desk_of(caller, application):
        is_county = application.level == ApplicationLevel.COUNTY
        desk = application.district_code if is_county else application.region_code
        raise AppError(Code.FORBIDDEN, role=f"maker {desk}")


def require_undecided(tx: Connection, region_code: str, application_ids: Sequence[str]) -> None:
    """Raise `approval_pending` while a checker is asked to reject one of these, or to let it wait."""
    asked = asked_already(tx, region_code, application_ids)
    if asked:
        raise AppError(Code.APPROVAL_PENDING, extra={"approval_id": min(asked.values())})


def asked_already(tx: Connection, region_code: str, application_ids: Sequence[str]) -> dict[str, str]:
    """Of these the ones that a checker is asked to reject or to let wait, alone or with others: by which approval.

    The caller holds their locks, so that nobody asks meanwhile.
    """
    asked = {"region_code": region_code, "ids": list(application_ids)}
    return {row.application_id: row.approval_id for row in tx.execute(_ASKED, asked)}


def on_desk_of(caller: Caller, application: ApplicationRecord) -> bool:
    """Whether the caller is a maker of the county, or of the authority, that has it now."""
    if application.level == ApplicationLevel.COUNTY:
        return any(grant.region_code == application.district_code for grant in caller.regions(Role.MAKER))
    return caller.holds_in(Role.MAKER, application.region_code, application.authority_id)
