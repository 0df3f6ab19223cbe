"""What a public notice keeps from going on: everything while its period runs, one item while an objection stands.

Whoever takes the next step (issues, pays, admits, unfreezes) asks here, under the lock of the notice, so that an
objection that came in time is seen. Reads tables and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Row, cast, func, or_, select, text
from sqlalchemy.orm import aliased

from app.kernel.problems import AppError, Code
from app.kernel.vocabulary import NoticeItemStatus, NoticeState, NoticeSubject
from app.models import IssuanceBatch, IssuanceRow, NoticeItem, PublicNotice
from app.sql import now

_SHOWN = (NoticeState.PUBLISHED, NoticeState.WITHDRAWN)
"""What an objection removed stays removed, whatever becomes of the notice."""

_NOT_SHOWN = text(
    "SELECT r.row_no, r.reference_no FROM issuance_rows r"
    " WHERE r.region_code = :region_code AND r.batch_id = :batch_id AND r.rejected_at IS NULL"
    " AND (r.reference_no, r.firm_id, r.face_value_fen) NOT IN ("
    "SELECT s.reference_no, s.firm_id, s.face_value_fen FROM public_notices n"
    " JOIN issuance_batches b ON b.region_code = n.region_code AND b.id = :batch_id AND b.programme_id = n.programme_id"
    " JOIN notice_items i ON i.region_code = n.region_code AND i.notice_id = n.id AND i.status = 'listed'"
    " JOIN issuance_rows s ON s.region_code = n.region_code AND s.batch_id = n.batch_id"
    " AND s.row_no = CAST(split_part(i.subject_id, '#', 2) AS integer)"
    " WHERE n.region_code = :region_code AND n.subject_kind = 'batch' AND n.state = 'published'"
    " AND n.ends_at <= clock_timestamp() AND n.working_days >= :days) ORDER BY r.row_no"
)


def batch_subject(batch_id: str, row_no: int) -> str:
    """What names a row of a batch in a notice."""
    return f"{batch_id}#{row_no}"


def admission_subject(programme_id: str, provider_id: str) -> str:
    """What names a provider's admission in a notice."""
    return f"{programme_id}/{provider_id}"


def rows_left_out(tx: Connection, *, region_code: str, batch_id: str) -> dict[int, Any]:
    """The rows of a batch that must not be issued, by number, each with the item that blocks it.

    Raises `notice_running` before its notice has ended, or that of another batch which shows one of its reference
    numbers. An objection follows its reference number too: to submit a row in another batch is no way around either.
    """
    shown = [batch_id, *_batches_shown_with(tx, region_code, batch_id)]
    _require_ended(tx, _locked_notices(tx, region_code, PublicNotice.batch_id.in_(shown)))
    blocked = {item.subject_id: item for item in blocking(_items_by_reference(tx, region_code, batch_id))}
    if not blocked:
        return {}
    rows = tx.execute(
        select(IssuanceRow.row_no, IssuanceRow.reference_no).where(
            IssuanceRow.region_code == region_code,
            IssuanceRow.batch_id == batch_id,
            IssuanceRow.reference_no.in_(list(blocked)),
        )
    )
    return {row.row_no: blocked[row.reference_no] for row in rows}


def rows_not_shown(tx: Connection, *, region_code: str, batch_id: str, working_days: int) -> list[Any]:
    """The rows of a batch, by number, that no notice of so many working days has shown to its end without objection.

    A row counts as shown where any batch of the programme showed it as it is: reference number, firm and amount. What
    an objection has frozen or removed does not, nor what a withdrawn notice showed.
    """
    return list(tx.execute(_NOT_SHOWN, {"region_code": region_code, "batch_id": batch_id, "days": working_days}))


def require_clear(tx: Connection, *, region_code: str, subject_ids: Collection[str]) -> None:
    """Raise `notice_running` where one of them is being shown, `under_objection` where one is frozen or removed."""
    items = _items_of(tx, region_code, subject_ids)
    notice_ids = sorted({item.notice_id for item in items})
    _require_ended(tx, _locked_notices(tx, region_code, PublicNotice.id.in_(notice_ids)) if notice_ids else [])
    require_no_objection(tx, region_code=region_code, subject_ids=subject_ids)


def require_no_objection(tx: Connection, *, region_code: str, subject_ids: Collection[str]) -> None:
    """Raise `under_objection` where one of them is frozen or removed, whether or not the period runs."""
    for item in blocking(_items_of(tx, region_code, subject_ids)):
        raise objected(item)


def objected(item: Any) -> AppError:
    """The refusal that names what is shown and where."""
    named = {"subject_id": item.subject_id, "notice_id": item.notice_id, "item_no": item.item_no}
    return AppError(Code.UNDER_OBJECTION, **named, extra=named)


def blocking(items: Iterable[Any]) -> list[Any]:
    """Of what several notices show: what is frozen in any of them, or was removed from the latest that shows it. Pure.

    What was removed may be shown anew, and goes on where nobody objects to that.
    """
    by_subject: dict[str, list[Any]] = defaultdict(list)
    for item in sorted(items, key=lambda item: (item.notice_id, item.item_no)):
        by_subject[item.subject_id].append(item)
    found = []
    for shown in by_subject.values():
        frozen = [item for item in shown if item.status == NoticeItemStatus.FROZEN]
        found += frozen[:1] or [item for item in shown[-1:] if item.status == NoticeItemStatus.REMOVED]
    return sorted(found, key=lambda item: (item.notice_id, item.item_no))


def _batches_shown_with(tx: Connection, region_code: str, batch_id: str) -> list[str]:
    """Other batches that are being shown to the public and have a reference number of this one.

    Mostly none is being shown, and then no row is looked at.
    """
    batch = IssuanceBatch.__table__.alias("batch")
    running = tx.execute(
        select(PublicNotice.batch_id)
        .join(batch, (batch.c.region_code == PublicNotice.region_code) & (batch.c.id == batch_id))
        .where(
            PublicNotice.region_code == region_code,
            PublicNotice.programme_id == batch.c.programme_id,
            PublicNotice.subject_kind == NoticeSubject.BATCH,
            PublicNotice.state == NoticeState.PUBLISHED,
            PublicNotice.ends_at > func.clock_timestamp(),
            PublicNotice.batch_id != batch_id,
        )
    ).scalars()
    others = sorted(other for other in set(running) if other is not None)
    if not others:
        return []
    own = aliased(IssuanceRow)
    return list(
        tx.execute(
            select(IssuanceRow.batch_id)
            .distinct()
            .join(own, (own.region_code == IssuanceRow.region_code) & (own.reference_no == IssuanceRow.reference_no))
            .where(IssuanceRow.region_code == region_code, IssuanceRow.batch_id.in_(others), own.batch_id == batch_id)
        ).scalars()
    )


def _items_by_reference(tx: Connection, region_code: str, batch_id: str) -> Sequence[Row[*tuple[Any, ...]]]:
    """What was objected to of any batch of the programme, and all that is shown of this one, by reference number."""
    programme_id = select(IssuanceBatch.programme_id).where(
        IssuanceBatch.region_code == region_code, IssuanceBatch.id == batch_id
    )
    return tx.execute(
        select(
            NoticeItem.notice_id, NoticeItem.item_no, IssuanceRow.reference_no.label("subject_id"), NoticeItem.status
        )
        .join(
            PublicNotice,
            (PublicNotice.region_code == NoticeItem.region_code) & (PublicNotice.id == NoticeItem.notice_id),
        )
        .join(
            IssuanceRow,
            (IssuanceRow.region_code == PublicNotice.region_code)
            & (IssuanceRow.batch_id == PublicNotice.batch_id)
            & (IssuanceRow.row_no == cast(func.split_part(NoticeItem.subject_id, "#", 2), Integer)),
        )
        .where(
            PublicNotice.region_code == region_code,
            PublicNotice.programme_id == programme_id.scalar_subquery(),
            PublicNotice.subject_kind == NoticeSubject.BATCH,
            PublicNotice.state.in_(_SHOWN),
            or_(NoticeItem.status != NoticeItemStatus.LISTED, PublicNotice.batch_id == batch_id),
        )
    ).all()


def _items_of(tx: Connection, region_code: str, subject_ids: Collection[str]) -> Sequence[Row[*tuple[Any, ...]]]:
    return tx.execute(
        select(NoticeItem.notice_id, NoticeItem.item_no, NoticeItem.subject_id, NoticeItem.status)
        .join(
            PublicNotice,
            (PublicNotice.region_code == NoticeItem.region_code) & (PublicNotice.id == NoticeItem.notice_id),
        )
        .where(
            NoticeItem.region_code == region_code,
            NoticeItem.subject_id.in_(sorted(subject_ids)),
            PublicNotice.state.in_(_SHOWN),
        )
        .order_by(NoticeItem.notice_id, NoticeItem.item_no)
    ).all()


def _locked_notices(tx: Connection, region_code: str, which: Any) -> Sequence[Row[*tuple[Any, ...]]]:
    return tx.execute(
        select(PublicNotice.id, PublicNotice.state, PublicNotice.ends_on, PublicNotice.ends_at)
        .where(PublicNotice.region_code == region_code, which, PublicNotice.state.in_(_SHOWN))
        .order_by(PublicNotice.id)
        .with_for_update(read=True)
    ).all()


def _require_ended(tx: Connection, notices: Sequence[Row[*tuple[Any, ...]]]) -> None:
    at = now(tx)
    for notice in notices:
        if notice.state == NoticeState.PUBLISHED and at < notice.ends_at:
            raise AppError(
                Code.NOTICE_RUNNING,
                notice_id=notice.id,
                limit=notice.ends_on.isoformat(),
                extra={"notice_id": notice.id, "ends_on": notice.ends_on.isoformat()},
            )
