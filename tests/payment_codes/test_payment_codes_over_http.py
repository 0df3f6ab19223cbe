"""Making, listing and withdrawing payment codes over HTTP, as a firm's own system does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.embedded.databases import Urls
from app.kernel.payment_digits import parse_digits
from app.kernel.vocabulary import Role
from app.services.identity.signing_keys import SigningKeys
from app.services.vouchers.payment_secrets import PaymentSecrets
from app.settings import Settings
from tests.past import end_validity
from tests.payment_codes.codes import age, body_of, make, path_of
from tests.world import World, counter, ok, problem


def test_a_firm_makes_a_code_and_is_told_its_secrets_once(world: World, settings: Settings) -> None:
    desk = counter(world.city())
    answer = desk.manager.post(path_of(desk), body_of(desk, minutes=15))
    made = ok(answer)
    assert answer.status_code == 201
    until = datetime.fromisoformat(made["created_at"]) + timedelta(minutes=15)
    assert datetime.fromisoformat(made["valid_until"]) == until
    assert (made["status"], made["limit_fen"], made["used_by"], made["wrong_digits"]) == ("open", 50_000, None, 0)
    assert made["provider_name"] == desk.mandate["provider_name"]
    assert len(parse_digits(made["digits"])) == 9
    secrets = PaymentSecrets(SigningKeys(settings.state_dir / "keys"), issuer=settings.public_url)
    assert secrets.verified(made["token"]) == made["id"]

    (listed,) = ok(desk.manager.get(path_of(desk)))["data"]
    assert listed == {name: value for name, value in made.items() if name not in {"digits", "token"}}


def test_without_minutes_a_code_lives_for_ten(world: World) -> None:
    made = make(counter(world.city()))
    life = datetime.fromisoformat(made["valid_until"]) - datetime.fromisoformat(made["created_at"])
    assert life == timedelta(minutes=10)


def test_no_code_outlives_its_voucher(world: World) -> None:
    desk = counter(world.city())
    end_validity(world.database, "valid_until = clock_timestamp() + interval '90 seconds'")
    made = make(desk, minutes=60)
    assert made["valid_until"] == ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))["valid_until"]


def test_a_repeated_request_gets_the_same_bytes_and_makes_no_second_code(world: World) -> None:
    desk = counter(world.city())
    first = desk.manager.post(path_of(desk), body_of(desk), key="K")
    again = desk.manager.post(path_of(desk), body_of(desk), key="K")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(ok(desk.manager.get(path_of(desk)))["data"]) == 1
    problem(desk.manager.post(path_of(desk), body_of(desk, minutes=11), key="K"), 422, "idempotency_key_reused")
    ok(desk.manager.http.delete(f"{path_of(desk)}/{first.json()['id']}"))
    assert desk.manager.post(path_of(desk), body_of(desk), key="K").content == first.content


def test_the_secrets_are_nowhere_in_the_database(world: World) -> None:
    desk = counter(world.city())
    made = make(desk)
    digits, signature = parse_digits(made["digits"]), made["token"].rpartition(".")[2]
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"

    def everything(tx: Any) -> str:
        names = tx.execute(text(tables)).scalars().all()
        return "\n".join(
            row for name in names for row in tx.execute(text(f"SELECT to_json(t)::text FROM {name} t")).scalars()
        )

    stored = world.database.transact(everything)
    assert made["id"] in stored
    bodies = "SELECT convert_from(body, 'UTF8') FROM idempotency_keys WHERE body IS NOT NULL"
    stored += "\n".join(world.database.transact(lambda tx: tx.execute(text(bodies)).scalars().all()))
    for secret in (digits, made["digits"], signature, signature.encode().hex(), digits.encode().hex()):
        assert secret not in stored


def test_a_code_is_withdrawn_at_once_and_twice_is_once(world: World) -> None:
    desk = counter(world.city())
    made = make(desk)
    withdrawn = ok(desk.manager.http.delete(f"{path_of(desk)}/{made['id']}"))
    assert withdrawn["status"] == "withdrawn"
    assert ok(desk.manager.http.delete(f"{path_of(desk)}/{made['id']}")) == withdrawn
    actions = "SELECT action FROM audit_events WHERE object_id = :id ORDER BY id"
    written = world.database.transact(lambda tx: tx.execute(text(actions), {"id": made["id"]}).scalars().all())
    assert written == ["payment_code.created", "payment_code.withdrawn"]


def test_a_used_code_is_not_withdrawn_any_more(world: World) -> None:
    desk = counter(world.city())
    made = make(desk)
    redemption = ok(desk.redeem(1_000))
    use = "INSERT INTO payment_code_uses VALUES ('330100', :code, :redemption)"
    asked = {"code": made["id"], "redemption": redemption["id"]}
    world.database.transact(lambda tx: tx.execute(text(use), asked))
    kept = ok(desk.manager.http.delete(f"{path_of(desk)}/{made['id']}"))
    assert (kept["status"], kept["used_by"], kept["withdrawn_at"]) == ("used", redemption["id"], None)


def test_a_code_shows_as_expired_when_its_time_has_run_out(world: World, urls: Urls) -> None:
    desk = counter(world.city())
    made = make(desk)
    age(urls, made["id"])
    (listed,) = ok(desk.manager.get(path_of(desk)))["data"]
    assert listed["status"] == "expired"
    assert ok(desk.manager.http.delete(f"{path_of(desk)}/{made['id']}"))["status"] == "expired"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"minutes": 0}, "/minutes"),
        ({"minutes": 61}, "/minutes"),
        ({"minutes": "10"}, "/minutes"),
        ({"limit_fen": 0}, "/limit_fen"),
        ({"limit_fen": 1_000_001}, "/limit_fen"),
        ({"provider_id": "somebody"}, "/provider_id"),
        ({"voucher_code": "x"}, "/voucher_code"),
    ],
)
def test_what_is_out_of_range_is_named(shared_world: World, changes: dict[str, Any], pointer: str) -> None:
    desk = counter(shared_world.city())
    refused = problem(desk.manager.post(path_of(desk), body_of(desk, **changes)), 422, "validation_failed")
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


def test_the_maximum_is_within_what_is_left_now(world: World) -> None:
    desk = counter(world.city(), face_value_fen=10_000, rate="1.00")
    ok(desk.redeem(4_000))
    refused = problem(desk.manager.post(path_of(desk), body_of(desk, limit_fen=6_001)), 422, "validation_failed")
    assert (refused["errors"][0]["limit"], refused["errors"][0]["actual"]) == (6_000, 6_001)
    assert make(desk, limit_fen=6_000)["limit_fen"] == 6_000


def test_only_a_voucher_that_can_be_drawn_on_has_codes(world: World) -> None:
    city = world.city()
    used_up = counter(city, face_value_fen=100, rate="1.00")
    ok(used_up.redeem(100))
    problem(used_up.manager.post(path_of(used_up), body_of(used_up, limit_fen=1)), 409, "wrong_state")
    frozen = counter(city)
    ok(city.approve(city.maker.post(f"/v1/vouchers/{frozen.voucher['id']}/freeze", {"reason": "核查"})))
    problem(frozen.manager.post(path_of(frozen), body_of(frozen)), 409, "wrong_state")


def test_only_the_firm_makes_codes_and_only_for_admitted_providers(world: World) -> None:
    city = world.city()
    desk, other = counter(city), counter(city)
    made = make(desk)
    problem(other.manager.post(path_of(desk), body_of(desk)), 404, "voucher_not_found")
    problem(other.manager.get(path_of(desk)), 404, "voucher_not_found")
    problem(other.manager.http.delete(f"{path_of(desk)}/{made['id']}"), 404, "voucher_not_found")
    problem(other.manager.http.delete(f"{path_of(other)}/{made['id']}"), 404, "not_found")
    problem(desk.machine.post(path_of(desk), body_of(desk)), 403, "forbidden")
    problem(desk.machine.get(path_of(desk)), 403, "forbidden")
    problem(city.maker.post(path_of(desk), body_of(desk)), 403, "forbidden")
    foreign = body_of(desk, provider_id=world.provider())
    problem(desk.manager.post(path_of(desk), foreign), 422, "provider_not_admitted")
    problem(desk.manager.http.post(path_of(desk), json=body_of(desk)), 400, "idempotency_key_missing")
    problem(world.anonymous().post(path_of(desk), json=body_of(desk)), 401, "unauthenticated")
    colleague = world.person(Role.FIRM, desk.manager.organisation_id)
    problem(colleague.post(path_of(desk).replace(desk.voucher["id"], "vch_x"), body_of(desk)), 422, "validation_failed")
    assert [code["id"] for code in ok(city.auditor.get(path_of(desk)))["data"]] == [made["id"]]


def test_ten_codes_may_be_open_for_a_provider_and_the_rest_waits(world: World, urls: Urls) -> None:
    desk = counter(world.city())
    made = [make(desk, limit_fen=number) for number in range(1, 11)]
    assert len({code["digits"] for code in made}) == 10
    refused = problem(desk.manager.post(path_of(desk), body_of(desk)), 409, "too_many_payment_codes")
    assert "10 open payment codes" in refused["detail"]
    ok(desk.manager.http.delete(f"{path_of(desk)}/{made[0]['id']}"))
    make(desk)
    age(urls, made[1]["id"])
    make(desk)
    problem(desk.manager.post(path_of(desk), body_of(desk)), 409, "too_many_payment_codes")

    page = ok(desk.manager.get(path_of(desk), limit=5))
    rest = ok(desk.manager.get(path_of(desk), limit=200, cursor=page["next_cursor"]))
    assert [code["id"] for code in (page["data"] + rest["data"])][-10:] == [code["id"] for code in reversed(made)]
