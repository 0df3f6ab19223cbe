"""Hundreds of attempts to sign in at once: most are refused without hashing, memory is flat, others go on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from app.kernel.vocabulary import Role
from app.services.identity.throttling import LOCK_AT
from tests.identity.authenticator import PASSWORD, with_password
from tests.world import World, ok

MIB = 1024 * 1024
ATTEMPTS, AT_ONCE = 800, 16


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def counts(world: World) -> int:
    with world.database.engine.connect() as tx:
        return int(tx.execute(text("SELECT count(*) FROM sign_in_failures")).scalar_one())


def test_a_flood_at_one_person_is_refused_in_flat_time_and_others_go_on(shared_world: World) -> None:
    world = shared_world
    victim, other = (world.person(Role.FIRM, world.firm()) for _ in range(2))
    login, others = with_password(world, victim), with_password(world, other)
    anybody = world.anonymous()
    anybody.post("/v1/personal-tokens", json={"login": login, "password": "a first guess"})
    before, rows = resident_bytes(), counts(world)
    taken_s: list[float] = []

    def guess(number: int) -> int:
        began = time.monotonic()
        answer = anybody.post("/v1/personal-tokens", json={"login": login, "password": f"guess {number}"})
        taken_s.append(time.monotonic() - began)
        return answer.status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        half = [pool.submit(guess, number) for number in range(ATTEMPTS // 2)]
        ok(world.machine(world.provider()).get("/v1/redemptions"))
        ok(anybody.post("/v1/personal-tokens", json={"login": others, "password": PASSWORD}))
        half += [pool.submit(guess, number) for number in range(ATTEMPTS // 2, ATTEMPTS)]
        answers = [one.result() for one in half]
    # Counted before it is judged: at once buys no further guess. Who found no place in line is told to come again.
    assert answers.count(401) < LOCK_AT
    assert answers.count(401) + answers.count(429) + answers.count(503) == ATTEMPTS
    assert answers.count(429) > ATTEMPTS // 2
    assert counts(world) - rows <= 3
    assert resident_bytes() - before < 200 * MIB
    last = sorted(taken_s[-ATTEMPTS // 4 :])
    assert last[len(last) // 2] < 2, "the last are refused as fast as the first"
