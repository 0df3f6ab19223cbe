"""Accounts of one natural person: they count as one wherever two persons are needed."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, or_, select

from app.models import User


def persons_of(tx: Connection, account_ids: Collection[str]) -> dict[str, str]:
    """Account → natural person; an account that is the person's only one, or no user's, stands for itself."""
    known = tx.execute(select(User.id, User.person_id).where(User.id.in_(account_ids), User.person_id.is_not(None)))
    return {account_id: account_id for account_id in account_ids} | {row.id: row.person_id for row in known}


def accounts_of(tx: Connection, account_id: str) -> list[str]:
    """All accounts of the natural person behind one, itself among them."""
    person_id = select(User.person_id).where(User.id == account_id).scalar_subquery()
    found = tx.execute(select(User.id).where(or_(User.id == account_id, User.person_id == person_id))).scalars().all()
    return list(found) or [account_id]
