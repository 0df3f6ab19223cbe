"""Natural persons: writing down that two accounts are one person's. They then count as one where two are needed."""

from __future__ import annotations

from sqlalchemy import Connection, update

from app.kernel.ids import new_id
from app.kernel.problems import AppError, Code
from app.models import User
from app.services import audit
from app.services.identity.accounts import accounts_of
from app.services.identity.incompatible import first_clash
from app.services.identity.principals import Caller
from app.services.identity.roles import live_roles
from app.services.identity.users import user_to_change
from app.sql import now


def join_accounts(tx: Connection, *, caller: Caller, user_id: str, other_id: str) -> None:
    """Write down that two accounts are one natural person's. It only takes powers away, and there is no undoing.

    The caller is a registrar who reaches both. Raises `forbidden`, `not_found`, `roles_incompatible` where the person
    would hold roles that do not go together: one of them has to be taken away first.
    """
    first, second = (user_to_change(tx, caller=caller, user_id=one) for one in sorted((user_id, other_id)))
    if first.id == second.id:
        raise AppError(Code.NOT_FOUND, what="user")
    groups = {one.id: accounts_of(tx, one.id) for one in (first, second)}
    accounts = sorted({account_id for group in groups.values() for account_id in group})
    held = [grant for grants in live_roles(tx, accounts).values() for grant in grants]
    if found := first_clash(held, ()):
        raise AppError(Code.ROLES_INCOMPATIBLE, role=found[0].role, other=found[1].role)
    person_id = first.person_id or second.person_id or new_id("per")
    tx.execute(update(User).where(User.id.in_(accounts)).values(person_id=person_id))
    audit.record(
        tx,
        caller=caller,
        region_code=first.region_code,
        action="user.same_person",
        object_id=user_id,
        at=now(tx),
        details={"accounts": accounts, "person": person_id},
    )
