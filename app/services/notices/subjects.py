"""What can be shown to the public, kind by kind: which items there are, and what an objection does to one.

A further kind (approved applications, the awards of a round) adds one row to `SUBJECTS`, and its next step asks
`blocks` before it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from app.kernel.clock import end_of_day, start_of_day
from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import AdmissionStatus, BatchStatus, NoticeSubject, RedemptionStatus
from app.models import Admission, IssuanceBatch, IssuanceRow, Organisation, Redemption, Voucher
from app.services.approvals.requests import Decision
from app.services.notices.blocks import admission_subject, batch_subject
from app.services.notices.masking import shown_identifier, shown_name
from app.services.vouchers.objected import freeze_under_objection, unfreeze_after_objection, void_after_objection

MAX_ITEMS = 10_000
"""Items of one notice."""

_Provider = Organisation.__table__.alias("provider")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which items a maker wants shown: those of a batch, or of days (Asia/Shanghai, both included)."""

    kind: NoticeSubject
    batch_id: str | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One line as it will be shown. The amount is fen, None where there is none."""

    subject_id: str
    organisation_id: str
    name: str
    identifier: str
    project: str
    amount_fen: int | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ProgrammeShown:
    """The programme whose items are shown."""

    region_code: str
    id: str
    title: str


def _nothing(tx: Connection, *, subject_id: str, decision: Decision) -> None:
    """Nothing has to be undone."""


def _removed(tx: Connection, *, subject_id: str, reason: str, decision: Decision) -> None:
    """It stays left out of the next step."""


@dataclass(frozen=True, slots=True)
class Subject:
    """How one kind is chosen, and what an objection does to it: freeze it, release it, or remove it for good."""

    choose: Callable[[Connection, ProgrammeShown, Chosen], list[Item]]
    needs: frozenset[str] = field(default_factory=frozenset)
    """Which fields of `Chosen` must be given; no other may be."""
    freeze: Callable[..., bool] | None = None
    """Says whether it was this that froze it; None where what has not happened yet is only left out."""
    release: Callable[..., None] = _nothing
    remove: Callable[..., None] = _removed


def _item(row: Row[Any], subject_id: str, project: str, amount_fen: int | None, note: str | None = None) -> Item:
    name = shown_name(row.identifier_type, row.name)
    identifier = shown_identifier(row.identifier_type, row.identifier_value)
    return Item(subject_id, row.organisation_id, name, identifier, project, amount_fen, note)


def _query(*columns: Any) -> Select[Any]:
    return select(
        *columns,
        Organisation.id.label("organisation_id"),
        Organisation.name,
        Organisation.identifier_type,
        Organisation.identifier_value,
    ).limit(MAX_ITEMS + 1)


def _within(column: Any, chosen: Chosen) -> ColumnElement[bool]:
    assert chosen.first is not None and chosen.last is not None, "the kind needs days"
    within: ColumnElement[bool] = (column >= start_of_day(chosen.first)) & (column < end_of_day(chosen.last))
    return within


def _rows_of_batch(tx: Connection, programme: ProgrammeShown, chosen: Chosen) -> list[Item]:
    batch = tx.execute(
        select(IssuanceBatch.status).where(
            IssuanceBatch.region_code == programme.region_code,
            IssuanceBatch.id == chosen.batch_id,
            IssuanceBatch.programme_id == programme.id,
        )
    ).one_or_none()
    if batch is None or chosen.batch_id is None:
        raise AppError(Code.NOT_FOUND, what="batch")
    if batch.status != BatchStatus.SUBMITTED:
        raise AppError(Code.WRONG_STATE, actual=batch.status, expected=BatchStatus.SUBMITTED)
    rows = tx.execute(
        _query(IssuanceRow.row_no, IssuanceRow.face_value_fen)
        .join(Organisation, Organisation.id == IssuanceRow.firm_id)
        .where(IssuanceRow.region_code == programme.region_code, IssuanceRow.batch_id == chosen.batch_id)
        .order_by(IssuanceRow.row_no)
    )
    return [_item(row, batch_subject(chosen.batch_id, row.row_no), programme.title, row.face_value_fen) for row in rows]


def _issued_vouchers(tx: Connection, programme: ProgrammeShown, chosen: Chosen) -> list[Item]:
    rows = tx.execute(
        _query(Voucher.id, Voucher.face_fen)
        .join(Organisation, Organisation.id == Voucher.firm_id)
        .where(
            Voucher.region_code == programme.region_code,
            Voucher.programme_id == programme.id,
            Voucher.ended_as.is_(None),
            _within(Voucher.issued_at, chosen),
        )
        .order_by(Voucher.id)
    )
    return [_item(row, row.id, programme.title, row.face_fen) for row in rows]


def _proposed_admissions(tx: Connection, programme: ProgrammeShown, _chosen: Chosen) -> list[Item]:
    rows = tx.execute(
        _query(Admission.categories)
        .join(Organisation, Organisation.id == Admission.provider_id)
        .where(
            Admission.region_code == programme.region_code,
            Admission.programme_id == programme.id,
            Admission.status == AdmissionStatus.PROPOSED,
        )
        .order_by(Admission.provider_id)
    )
    return [
        _item(
            row, admission_subject(programme.id, row.organisation_id), programme.title, None, "、".join(row.categories)
        )
        for row in rows
    ]


def _redemptions_to_pay(tx: Connection, programme: ProgrammeShown, chosen: Chosen) -> list[Item]:
    net_fen = Redemption.subsidy_fen - Redemption.refunded_fen - Redemption.recovered_fen
    rows = tx.execute(
        _query(Redemption.id, net_fen.label("net_fen"), _Provider.c.name.label("provider_name"))
        .join(Organisation, Organisation.id == Redemption.firm_id)
        .join(_Provider, _Provider.c.id == Redemption.provider_id)
        .where(
            Redemption.region_code == programme.region_code,
            Redemption.programme_id == programme.id,
            Redemption.status == RedemptionStatus.POSTED,
            net_fen > 0,
            _within(Redemption.redeemed_at, chosen),
        )
        .order_by(Redemption.id)
    )
    return [_item(row, row.id, programme.title, row.net_fen, row.provider_name) for row in rows]


_DAYS = frozenset({"first", "last"})

SUBJECTS: Mapping[NoticeSubject, Subject] = {
    NoticeSubject.BATCH: Subject(_rows_of_batch, frozenset({"batch_id"})),
    NoticeSubject.VOUCHERS: Subject(
        _issued_vouchers,
        _DAYS,
        freeze=freeze_under_objection,
        release=unfreeze_after_objection,
        remove=void_after_objection,
    ),
    NoticeSubject.ADMISSIONS: Subject(_proposed_admissions),
    NoticeSubject.REDEMPTIONS: Subject(_redemptions_to_pay, _DAYS),
}
assert set(SUBJECTS) == set(NoticeSubject), "every kind can be shown"


def missing_fields(chosen: Chosen) -> Iterator[tuple[str, str]]:
    """What has to be said and is not, and what must not be said and is: field and code."""
    for name in ("batch_id", "first", "last"):
        given = getattr(chosen, name) is not None
        if (name in SUBJECTS[chosen.kind].needs) != given:
            yield name, "not_for_this_kind" if given else "missing"
