"""How legal persons are linked: holdings, common control or representatives, and the groups they belong to.

A shared registry like the organisations themselves: a firm of one city is held by one of another, so no region leads
its keys.
"""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.vocabulary import RelationKind
from app.models.base import Base, CivilDate, Id, Instant, Words, one_of


class OrganisationRelation(Base):
    """One fact with its days and its evidence. It is ended, never changed or deleted."""

    __tablename__ = "organisation_relations"

    id: Mapped[Id] = mapped_column(primary_key=True)
    kind: Mapped[Id]
    person: Mapped[Id]
    """Type and value of an identifier. Of a holding the holder; of a link without direction the lesser of the two."""
    name: Mapped[Words]
    """What it was called when this was recorded."""
    other_person: Mapped[Id | None]
    """Of a holding the one that is held. A group has none. One of the two need not be registered."""
    other_name: Mapped[Words | None]
    group_name: Mapped[Words | None]
    share: Mapped[Decimal | None] = mapped_column(Numeric(5, 4))
    """Of a holding, 0.2500 is a quarter."""
    from_on: Mapped[CivilDate]
    until_on: Mapped[CivilDate | None]
    """The last day as it was known from the beginning, included."""
    evidence: Mapped[Words]
    recorded_at: Mapped[Instant]
    recorded_by: Mapped[Id]
    ended_on: Mapped[CivilDate | None]
    """The last day as it turned out; the day before the first says that it never was."""
    ended_at: Mapped[Instant | None]
    ended_by: Mapped[Id | None]
    end_reason: Mapped[Words | None]

    __table_args__ = (
        Index(None, "person"),
        Index(None, "other_person", postgresql_where="other_person IS NOT NULL"),
        one_of("kind", RelationKind),
        CheckConstraint(
            "(kind = 'group') = (group_name IS NOT NULL) AND (kind = 'group') = (other_person IS NULL)"
            " AND (other_person IS NULL) = (other_name IS NULL)",
            name="group_or_other",
        ),
        CheckConstraint(
            "(kind = 'holding') = (share IS NOT NULL) AND (share IS NULL OR (share > 0 AND share <= 1))",
            name="share_of_holdings",
        ),
        CheckConstraint("person <> other_person", name="two_parties"),
        CheckConstraint("kind = 'holding' OR person < other_person", name="lesser_first"),
        CheckConstraint("from_on <= until_on", name="days_in_order"),
        CheckConstraint("num_nonnulls(ended_on, ended_at, ended_by, end_reason) IN (0, 4)", name="end_complete"),
        CheckConstraint("ended_on >= from_on - 1", name="ended_in_order"),
    )
