"""Two persons for every kind of act: not by a second account, a machine, a lent power, nor a second role.

One waiting request per kind there is, the same but for its kind: no kind has a door of its own. What each act then
does is tested where it is done; here nothing may be done at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, TextClause, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.kernel.vocabulary import ApprovalKind, OrganisationKind, Role
from app.models import Approval, ApprovalDecision, Delegation, RoleGrant, User
from tests.world import HANGZHOU, LONG_AGO, Actor, City, World, counter, ok


@dataclass(frozen=True)
class Waiting:
    """A city in which one request of every kind waits, all by its maker."""

    city: City
    second: Actor
    approvals: dict[ApprovalKind, str]

    @property
    def world(self) -> World:
        return self.city.world

    def transact(self, statement: Any) -> Any:
        return self.world.database.transact(lambda tx: tx.execute(statement))

    def grant(self, actor: Actor, role: Role, **changes: Any) -> None:
        row = {
            "id": new_id("grn"),
            "user_id": actor.id,
            "role": role,
            "region_code": HANGZHOU,
            "authority_id": self.city.authority_id,
            "granted_at": LONG_AGO,
            "granted_by": "test",
        }
        self.transact(insert(RoleGrant).values(row | changes))

    def same_person(self, *actors: Actor) -> None:
        person_id = new_id("per")
        self.transact(update(User).where(User.id.in_([actor.id for actor in actors])).values(person_id=person_id))

    def lend(self, to: Actor) -> None:
        """The second checker's power, lent by two persons some time ago."""
        approval_id = next(iter(self.approvals.values()))
        at = utc_now()
        row = {
            "region_code": HANGZHOU,
            "id": new_id("dlg", HANGZHOU),
            "role": Role.CHECKER,
            "authority_id": self.city.authority_id,
            "delegator_id": self.second.id,
            "delegate_id": to.id,
            "starts_at": at - timedelta(hours=1),
            "ends_at": at + timedelta(hours=1),
            "reason": "出差",
            "approval_id": approval_id,
            "granted_at": at,
        }
        self.transact(insert(Delegation).values(row))

    def refused(self, by: Actor) -> set[tuple[int, str]]:
        """What he is answered who tries to approve each."""
        answers = [by.post(f"/v1/approvals/{approval_id}/approve") for approval_id in self.approvals.values()]
        return {(answer.status_code, answer.json()["code"]) for answer in answers}

    def untouched(self) -> bool:
        waiting = select(func.count()).where(Approval.id.in_(self.approvals.values()), Approval.status == "pending")
        steps = select(func.count()).where(ApprovalDecision.approval_id.in_(self.approvals.values()))
        return bool(
            self.transact(waiting).scalar_one() == len(self.approvals) and self.transact(steps).scalar_one() == 0
        )


def _execute(tx: Connection, *, statement: TextClause, values: dict[str, str]) -> None:
    tx.execute(statement, values)


@pytest.fixture
def waiting(shared_world: World) -> Waiting:
    city = shared_world.city()
    desk = counter(city)
    asked = ok(city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/freeze", {"reason": "核查"}))
    approvals = {ApprovalKind.FREEZE_VOUCHER: asked["id"]}
    columns = ", ".join(column.name for column in Approval.__table__.c)
    for kind in set(ApprovalKind) - set(approvals):
        approvals[kind] = new_id("apv", HANGZHOU)
        named = [{"id": ":id", "kind": ":kind"}.get(name, name) for name in columns.split(", ")]
        statement = text(f"INSERT INTO approvals ({columns}) SELECT {', '.join(named)} FROM approvals WHERE id = :of")
        values = {"id": approvals[kind], "kind": str(kind), "of": asked["id"]}
        shared_world.database.transact(partial(_execute, statement=statement, values=values))
    return Waiting(city, shared_world.person(Role.CHECKER, city.authority_id), approvals)


def the_maker_himself(waiting: Waiting) -> Actor:
    return waiting.city.maker


def the_maker_who_came_to_the_checkers_role(waiting: Waiting) -> Actor:
    waiting.grant(waiting.city.maker, Role.CHECKER)
    # With another token: what the service remembers of the first one is a second old.
    return waiting.world._actor(waiting.city.maker.id, waiting.city.authority_id)


def his_second_account(waiting: Waiting) -> Actor:
    waiting.same_person(waiting.city.maker, waiting.second)
    return waiting.second


def his_second_account_with_a_lent_power(waiting: Waiting) -> Actor:
    other = waiting.world.person(Role.REGISTRAR, waiting.city.authority_id)
    waiting.same_person(waiting.city.maker, other)
    waiting.lend(other)
    return other


def the_maker_with_a_lent_power(waiting: Waiting) -> Actor:
    waiting.lend(waiting.city.maker)
    return waiting.city.maker


def a_colleague_to_whom_his_second_account_lent_its_power(waiting: Waiting) -> Actor:
    other = waiting.world.person(Role.REGISTRAR, waiting.city.authority_id)
    waiting.lend(other)
    waiting.same_person(waiting.city.maker, waiting.second)
    return other


def a_machine_of_his_office(waiting: Waiting) -> Actor:
    machine = waiting.world.machine(waiting.city.authority_id)
    with pytest.raises(DBAPIError, match="officials_are_persons"):
        waiting.grant(machine, Role.CHECKER, user_id=None, client_id=machine.id)
    return machine


def a_checker_who_is_a_maker_too(waiting: Waiting) -> Actor:
    waiting.grant(waiting.second, Role.MAKER)
    return waiting.second


def the_checker_of_another_authority(waiting: Waiting) -> Actor:
    authority = waiting.world.organisation(OrganisationKind.AUTHORITY)
    return waiting.world.person(Role.CHECKER, authority)


WAYS: dict[Callable[[Waiting], Actor], set[tuple[int, str]]] = {
    the_maker_himself: {(403, "forbidden")},
    the_maker_who_came_to_the_checkers_role: {(422, "same_person")},
    his_second_account: {(422, "same_person")},
    his_second_account_with_a_lent_power: {(422, "same_person")},
    the_maker_with_a_lent_power: {(422, "same_person")},
    a_colleague_to_whom_his_second_account_lent_its_power: {(422, "same_person")},
    a_machine_of_his_office: {(403, "forbidden")},
    a_checker_who_is_a_maker_too: {(422, "roles_incompatible")},
    the_checker_of_another_authority: {(404, "not_found")},
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_kind_of_act_is_done_by_one_person(waiting: Waiting, way: Callable[[Waiting], Actor]) -> None:
    by = way(waiting)
    assert set(waiting.approvals) == set(ApprovalKind)
    assert waiting.refused(by) == WAYS[way]
    assert waiting.untouched()


def test_the_database_itself_keeps_one_person_from_both_sides(waiting: Waiting) -> None:
    """Below the code: a step by the maker, or by another account of the same person, is no row that can be written."""
    step = {
        "region_code": HANGZHOU,
        "approval_id": waiting.approvals[ApprovalKind.FREEZE_VOUCHER],
        "step": 1,
        "outcome": "approved",
        "role": "checker",
        "decided_at": utc_now(),
        "decided_by": waiting.city.maker.id,
        "person_id": waiting.city.maker.id,
        "made_by": waiting.city.maker.id,
        "maker_person_id": waiting.city.maker.id,
    }
    for change in ({}, {"decided_by": waiting.second.id}):
        with pytest.raises(DBAPIError, match="violates check constraint"):
            waiting.transact(insert(ApprovalDecision).values(step | change))
