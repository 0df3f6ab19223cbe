"""A firm gives its voucher back: what is left returns to the pool, what was redeemed stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from app.database import Database
from app.services.export.export import Request, export
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from app.verifier.verify import Options, verify
from tests.world import HANGZHOU, Counter, World, bill_body, counter, ok, problem

WHY = {"reason": "项目取消，不再使用"}


def surrender(desk: Counter, key: str | None = None, **changes: Any) -> httpx.Response:
    return desk.manager.post(f"/v1/vouchers/{desk.voucher['id']}/surrender", WHY | changes, key=key)


def voucher(desk: Counter) -> dict[str, Any]:
    shown: dict[str, Any] = ok(desk.manager.get(f"/v1/vouchers/{desk.voucher['id']}"))
    return shown


def available_fen(desk: Counter) -> int:
    budget = ok(desk.city.finance.get(f"/v1/programmes/{desk.programme_id}/budget"))
    fen: int = budget["pools"][0]["available_fen"]
    return fen


def test_what_is_left_returns_to_the_pool_and_what_was_redeemed_stays(world: World) -> None:
    desk = counter(world.city(), face_value_fen=1_000_000)
    redemption_id = ok(desk.redeem(10_000))["id"]
    done = surrender(desk, "K")
    shown = ok(done)
    assert (done.status_code, shown["status"]) == (200, "surrendered")
    assert (shown["balance_fen"], shown["redeemed_fen"], shown["surrendered_fen"]) == (0, 3_000, 997_000)
    assert available_fen(desk) == 100_000_000 - 3_000
    (last,) = [
        one for one in ok(desk.manager.get(f"/v1/vouchers/{shown['id']}/movements")) if one["amount_fen"] == 997_000
    ]
    assert last["kind"] == "surrender"

    assert surrender(desk, "K").content == done.content
    assert "surrendered" in problem(surrender(desk), 409, "wrong_state")["detail"]
    problem(desk.redeem(10_000), 409, "voucher_surrendered")
    asked = desk.city.maker.post(f"/v1/vouchers/{shown['id']}/void", {"reason": "核查"})
    problem(asked, 409, "wrong_state")

    ok(desk.machine.post(f"/v1/redemptions/{redemption_id}/refunds", {"amount_fen": 10_000, "reason": "客户退单"}))
    assert (voucher(desk)["redeemed_fen"], voucher(desk)["surrendered_fen"]) == (0, 1_000_000)
    assert available_fen(desk) == 100_000_000
    assert world.differences() == []


def test_a_voucher_is_not_given_back_while_part_of_it_is_held(world: World) -> None:
    desk = counter(world.city())

    def hold(hold_no: str) -> dict[str, Any]:
        body = {"voucher_code": desk.voucher["code"], "hold_no": hold_no, "bill": bill_body(100_000)}
        held: dict[str, Any] = ok(desk.machine.post("/v1/holds", body))
        return held

    held = hold("H1")
    refused = problem(surrender(desk), 409, "holds_open")
    assert "300.00" in refused["detail"]
    assert voucher(desk)["status"] == "active"
    ok(desk.machine.post(f"/v1/holds/{held['id']}/release", {}))
    hold("H2")  # its time is over, and nobody has swept it yet
    world.database.transact(
        lambda tx: tx.execute(text("UPDATE holds SET expires_at = clock_timestamp() WHERE status = 'open'"))
    )
    assert ok(surrender(desk))["surrendered_fen"] == 1_000_000
    assert world.differences() == []


def test_a_frozen_voucher_waits_for_the_authority(world: World) -> None:
    desk = counter(world.city())
    body = {"voucher_code": desk.voucher["code"], "hold_no": "H1", "bill": bill_body(100_000)}
    held = ok(desk.machine.post("/v1/holds", body))
    ok(desk.city.approve(desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/freeze", {"reason": "核查"})))
    refused = problem(surrender(desk), 409, "voucher_frozen")
    assert "frozen since" in refused["detail"]
    shown = voucher(desk)
    assert (shown["status"], shown["balance_fen"], shown["held_fen"]) == ("frozen", 970_000, 30_000)
    assert available_fen(desk) == 100_000_000 - 1_000_000

    ok(desk.city.approve(desk.city.maker.post(f"/v1/vouchers/{desk.voucher['id']}/unfreeze", {"reason": "查清"})))
    problem(surrender(desk), 409, "holds_open")
    ok(desk.machine.post(f"/v1/holds/{held['id']}/release", {}))
    assert ok(surrender(desk))["surrendered_fen"] == 1_000_000
    assert world.differences() == []


def test_only_the_firm_gives_it_back_and_says_why(world: World) -> None:
    desk = counter(world.city())
    path = f"/v1/vouchers/{desk.voucher['id']}/surrender"
    for other in (desk.machine, desk.city.maker, desk.city.finance):
        problem(other.post(path, WHY), 403, "forbidden")
    problem(counter(desk.city).manager.post(path, WHY), 404, "voucher_not_found")
    (error,) = problem(surrender(desk, reason=" "), 422, "validation_failed")["errors"]
    assert error["pointer"] == "/reason"
    assert voucher(desk)["status"] == "active"


def test_bills_that_race_it_are_drawn_before_or_refused(world: World) -> None:
    desk = counter(world.city())
    with ThreadPoolExecutor(7) as threads:
        bills = [threads.submit(desk.redeem, 10_000) for _ in range(6)]
        shown = ok(threads.submit(surrender, desk).result())
    answers = [bill.result() for bill in bills]
    drawn = [one for one in answers if one.status_code == 201]
    for one in answers:
        if one not in drawn:
            problem(one, 409, "voucher_surrendered")
    assert (shown["redeemed_fen"], shown["surrendered_fen"]) == (3_000 * len(drawn), 1_000_000 - 3_000 * len(drawn))
    assert world.differences() == []


def test_an_auditor_verifies_it(world: World, sealing: Database, settings: Settings, tmp_path: Path) -> None:
    desk = counter(world.city())
    ok(desk.redeem(10_000))
    ok(surrender(desk))
    keys = LogKeys.from_settings(settings)
    while sealing.transact(lambda tx: seal(tx, region_code=HANGZHOU, keys=keys)):
        pass
    vkeys = [one.verifier.vkey for one in keys.signers(keys.origin(HANGZHOU))]
    export(world.database, Request(tmp_path / "pack", HANGZHOU, vkeys=lambda _: vkeys))
    report = verify(tmp_path / "pack", Options(tuple(vkeys)))
    assert report.is_right, report.to_text()
