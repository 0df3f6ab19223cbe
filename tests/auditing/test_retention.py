"""What is erased when: who objected after its time, ended sessions, spent tokens; and who sets for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from app.database import Database
from app.kernel.ids import new_id
from app.kernel.vocabulary import OrganisationKind, RetentionKind, Role
from app.models import PortalSession, SpentToken
from app.services.auditing.erasing import erase_due
from app.services.auditing.retention import Retention, days_for
from tests.notices.showing import showing
from tests.past import superuser_url
from tests.world import HANGZHOU, NINGBO, World, ok, problem

CONTACTS = RetentionKind.OBJECTION_CONTACTS
AT = datetime(2026, 1, 1, tzinfo=UTC)
PATH = "/v1/retention-settings"
KEEP = timedelta(days=90)


def setting(region_code: str, days: int) -> Retention:
    return Retention(region_code, CONTACTS, days, "留存规定", AT, "usr_1")


@pytest.mark.parametrize(
    ("region_code", "days"), [("330282", 40), ("330281", 50), ("330106", 60), ("330100", 60), ("320100", 365)]
)
def test_the_nearest_region_that_covers_says_how_long(region_code: str, days: int) -> None:
    settings = [setting("330000", 60), setting(NINGBO, 50), setting("330282", 40)]
    assert days_for(region_code, CONTACTS, settings) == days


def test_only_a_regions_audit_administrator_sets_it_and_it_is_told(shared_world: World) -> None:
    world, city = shared_world, shared_world.city()
    admin = world.person(Role.AUDIT_ADMIN, world.organisation(OrganisationKind.AUTHORITY), HANGZHOU)
    body = {"region_code": HANGZHOU, "kind": "objection_contacts", "keep_days": 30, "reason": "留存规定"}
    assert ok(admin.http.put(PATH, json=body))["keep_days"] == 30
    assert ok(admin.http.put(PATH, json=body | {"keep_days": 45}))["set_by"] == admin.id
    assert [one["keep_days"] for one in ok(admin.get(PATH))] == [45]
    assert [one["keep_days"] for one in ok(city.auditor.get(PATH))] == [45]
    assert ok(world.city(NINGBO).auditor.get(PATH)) == []
    told = ok(city.auditor.get("/v1/audit-events", action="retention.set"))["data"][0]
    assert told["details"] == {"before_days": 30, "keep_days": 45, "reason": "留存规定"}
    problem(admin.http.put(PATH, json=body | {"keep_days": 29}), 422, "validation_failed")
    problem(admin.http.put(PATH, json=body | {"region_code": NINGBO}), 404, "not_found")
    problem(city.auditor.http.put(PATH, json=body), 403, "forbidden")
    problem(city.finance.get(PATH), 403, "forbidden")


def test_who_objected_is_erased_after_its_time_and_the_leaves_stay(world: World) -> None:
    desk = showing(world)
    batch_id, _ = desk.submitted_batch(100_00)
    notice_id = desk.publish({"kind": "batch", "batch_id": batch_id})
    objection_id = ok(desk.object_to(notice_id, 1, name="张三丰", contact="13800138000"))["objection_id"]
    ok(desk.decide(notice_id, objection_id, "dismissed"))

    def contacts() -> int:
        count = text("SELECT count(*) FROM objection_contacts")
        return world.database.transact(lambda tx: int(tx.execute(count).scalar_one()))

    age(world, 364)
    assert (erase_due(world.database, keep_sessions=KEEP), contacts()) == (0, 1)
    age(world, 366)
    assert (erase_due(world.database, keep_sessions=KEEP), contacts()) == (1, 0)
    told = ok(desk.city.auditor.get("/v1/audit-events", action="personal_data.erased"))["data"]
    assert [(one["principal_id"], one["details"]) for one in told] == [
        ("clock", {"keep_days": 365, "objects": [objection_id]})
    ]
    assert world.differences() == []


def age(world: World, days: int) -> None:
    """Let the answer, and the end of the notice, lie so far back."""
    name = world.database.engine.url.database
    assert name is not None
    superuser = Database(superuser_url(name), pool_size=1)

    def work(tx: Any) -> None:
        tx.execute(text("SET LOCAL session_replication_role = replica"))
        then = {"then": datetime.now(UTC) - timedelta(days=days), "before": datetime.now(UTC) - timedelta(days=500)}
        tx.execute(text("UPDATE objections SET decided_at = :then"), then)
        tx.execute(text("UPDATE public_notices SET published_at = :before, ends_at = :then, shown_until = :then"), then)

    superuser.transact(work)
    superuser.dispose()


def test_ended_sessions_and_tokens_that_ran_out_are_forgotten(world: World) -> None:
    user_id = world.city().maker.id
    at = datetime.now(UTC)

    def session(ended_days: int | None, expires_days: int) -> dict[str, Any]:
        ended = None if ended_days is None else at - timedelta(days=ended_days)
        times = {"created_at": at, "seen_at": at, "ended_at": ended, "expires_at": at + timedelta(days=expires_days)}
        key = new_id("ses")
        return {
            "id": key,
            "user_id": user_id,
            "secret_sha256": key.encode(),
            "csrf_secret": b"",
            "stage": "full",
            "source": "",
            "browser": "",
            **times,
        }

    rows = [session(91, 0), session(None, -91), session(89, 0), session(None, -89), session(None, 1)]
    spent = [
        {"subject_id": user_id, "kind": "access", "jti_sha256": bytes([n]), "expires_at": at + timedelta(hours=hours)}
        for n, hours in enumerate((-1, 1))
    ]
    world.database.transact(lambda tx: (tx.execute(insert(PortalSession), rows), tx.execute(insert(SpentToken), spent)))
    assert erase_due(world.database, keep_sessions=KEEP) == 3
    count = text("SELECT (SELECT count(*) FROM portal_sessions), (SELECT count(*) FROM spent_tokens)")
    assert tuple(world.database.transact(lambda tx: tx.execute(count).one())) == (3, 1)
