"""Which applications exist for whom, and on whose desk one lies."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from app.kernel.ids import region_of
from app.kernel.problems import AppError, Code
from app.kernel.regions import city_of
from app.kernel.vocabulary import ApplicationLevel, ApplicationStatus, ApprovalKind, ApprovalStatus, Role
from app.models import Application, Approval
from app.reach import enter
from app.services.applications.records import ApplicationRecord, load, record_of, records
from app.services.identity.principals import Caller
from app.services.reach import within_reach

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
    if not on_desk_of(caller, found):
        desk = found.district_code if found.level == ApplicationLevel.COUNTY else found.region_code
        raise AppError(Code.FORBIDDEN, role=f"maker {desk}")
    require_undecided(tx, found.region_code, [found.id])
    return found


def require_undecided(tx: Connection, region_code: str, application_ids: Sequence[str]) -> None:
    """Raise `approval_pending` while a checker is asked to reject one of these, or to let it wait."""
    asked = tx.execute(
        select(Approval.id)
        .where(
            Approval.region_code == region_code,
            Approval.kind.in_([ApprovalKind.REJECT_APPLICATION, ApprovalKind.WAITLIST_APPLICATION]),
            Approval.subject_id.in_(application_ids),
            Approval.status == ApprovalStatus.PENDING,
        )
        .limit(1)
    ).scalar_one_or_none()
    if asked is not None:
        raise AppError(Code.APPROVAL_PENDING, extra={"approval_id": asked})


def on_desk_of(caller: Caller, application: ApplicationRecord) -> bool:
    """Whether the caller is a maker of the county, or of the authority, that has it now."""
    if application.level == ApplicationLevel.COUNTY:
        return any(grant.region_code == application.district_code for grant in caller.regions(Role.MAKER))
    return caller.holds_in(Role.MAKER, application.region_code, application.authority_id)
