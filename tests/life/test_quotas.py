"""A city shares its pool out to a county, whose officials issue from that and from nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from app.database import Database
from app.kernel.vocabulary import Role
from app.models import Organisation
from app.services.export.export import Request, export
from app.services.sealing.keys import LogKeys
from app.services.sealing.seal import seal
from app.settings import Settings
from app.verifier.verify import Options, verify
from tests.issuance.sheets import row_of, workbook
from tests.issuance.test_batches import upload
from tests.notices.showing import Showing, load_years
from tests.world import CIXI, HANGZHOU, NINGBO, Actor, City, World, ok, problem, redemption_body, rules_body

TWO_SOURCES = [{"source": "province", "share": 1}, {"source": "city", "share": 1}]


def move(city: City, programme_id: str, fen: int, *, by: Actor | None = None, **more: Any) -> httpx.Response:
    body = {"county_code": CIXI, "amount_fen": fen, "document_no": "甬财〔2026〕5号", **more}
    return (by or city.maker).post(f"/v1/programmes/{programme_id}/quotas", body)


def share_out(city: City, programme_id: str, fen: int, **more: Any) -> None:
    ok(city.approve(move(city, programme_id, fen, **more), by=city.finance))


def pools(who: Actor, programme_id: str) -> dict[str, tuple[int, int, int]]:
    """By place: appropriation, available, committed."""
    found = ok(who.get(f"/v1/programmes/{programme_id}/budget"))["pools"]
    return {one["county_code"]: (one["appropriation_fen"], one["available_fen"], one["committed_fen"]) for one in found}


def batch(programme_id: str, firm_id: str, fen: int, number: str = "C1") -> dict[str, Any]:
    row = {"reference_no": number, "firm_id": firm_id, "face_value_fen": fen}
    return {"programme_id": programme_id, "declared_count": 1, "declared_total_fen": fen, "rows": [row]}


def test_shared_out_issued_and_taken_back(world: World, sealing: Database, settings: Settings, tmp_path: Path) -> None:
    """10,000.00 of the city's; 3,000.00 to the county, which promises 1,200.00; of 1,800.00 left 800.00 come back."""
    city, county = world.city(NINGBO), world.city(CIXI)
    programme_id = city.programme(appropriation_fen=1_000_000)
    asked = move(city, programme_id, 300_000)
    assert ok(asked)["effect"] == {
        "programme": "AI算力券",
        "county": "慈溪市",
        "fund_source": "local",
        "available_before_fen": 1_000_000,
        "available_after_fen": 700_000,
        "county_available_before_fen": 0,
        "county_available_after_fen": 300_000,
    }
    problem(city.checker.post(f"/v1/approvals/{ok(asked)['id']}/approve"), 403, "forbidden")
    ok(city.approve(asked, by=city.finance))
    assert pools(city.finance, programme_id) == {NINGBO: (700_000, 700_000, 0), CIXI: (300_000, 300_000, 0)}
    assert pools(county.maker, programme_id) == {CIXI: (300_000, 300_000, 0)}

    firm = world.firm(CIXI)
    submitted = county.maker.post("/v1/issuance-batches", batch(programme_id, firm, 120_000))
    assert ok(submitted)["pools"][0]["available_after_fen"] == 180_000
    approval_id = ok(submitted)["approval_id"]
    assert ok(county.checker.get(f"/v1/approvals/{approval_id}"))["county_code"] == CIXI
    problem(city.checker.post(f"/v1/approvals/{approval_id}/approve"), 404, "not_found")
    ok(county.approve(submitted))
    assert pools(city.finance, programme_id) == {NINGBO: (700_000, 700_000, 0), CIXI: (300_000, 180_000, 120_000)}

    refused = problem(move(city, programme_id, -180_001), 409, "quota_exceeds_available")
    assert "慈溪市" in refused["detail"]
    ok(city.approve(move(city, programme_id, -80_000), by=city.finance))
    assert pools(city.finance, programme_id) == {NINGBO: (780_000, 780_000, 0), CIXI: (220_000, 100_000, 120_000)}
    assert world.differences() == []

    keys = LogKeys.from_settings(settings)
    while sealing.transact(lambda tx: seal(tx, region_code=NINGBO, keys=keys)):
        pass
    vkeys = [one.verifier.vkey for one in keys.signers(keys.origin(NINGBO))]
    export(world.database, Request(tmp_path / "pack", vkeys=lambda _origin: vkeys))
    report = verify(tmp_path / "pack", Options())
    assert report.is_right, report.to_text()


def test_a_county_issues_from_its_own_pool_to_its_own_firms_and_looks_after_what_it_issued(world: World) -> None:
    city, county = world.city(NINGBO), world.city(CIXI)
    programme_id = city.programme(appropriation_fen=1_000_000)
    provider = world.provider(NINGBO)
    city.admit(programme_id, provider)
    own, elsewhere = world.firm(CIXI), world.firm(NINGBO)
    issue = "/v1/issuance-batches"
    problem(county.maker.post(issue, batch(programme_id, own, 100)), 404, "not_found")
    share_out(city, programme_id, 50_000)
    problem(county.maker.post(issue, batch(programme_id, own, 50_001)), 409, "budget_exhausted")
    refused = problem(county.maker.post(issue, batch(programme_id, elsewhere, 100)), 422, "validation_failed")
    assert "330200" in refused["errors"][0]["detail"]
    ok(county.approve(county.maker.post(issue, batch(programme_id, own, 50_000))))
    of_city = city.issue(programme_id, elsewhere, 10_000)
    (voucher,) = ok(county.maker.get("/v1/vouchers"))["data"]
    assert {one["id"] for one in ok(city.maker.get("/v1/vouchers"))["data"]} == {voucher["id"], of_city["id"]}
    assert len(ok(county.maker.get(issue))["data"]) == 1
    problem(county.maker.get(f"/v1/vouchers/{of_city['id']}"), 404, "voucher_not_found")
    problem(county.maker.post(f"/v1/vouchers/{of_city['id']}/void", {"reason": "越权"}), 404, "voucher_not_found")
    other = world.city("330281")
    problem(other.maker.get(f"/v1/vouchers/{voucher['id']}"), 404, "voucher_not_found")

    manager, machine = world.person(Role.FIRM, own, CIXI), world.machine(provider, NINGBO)
    mandate = {"provider_id": provider, "limit_fen": 50_000}
    ok(manager.post(f"/v1/vouchers/{voucher['id']}/mandates", mandate))
    ok(machine.post("/v1/redemptions", redemption_body(voucher["code"], 10_000)))
    ok(county.approve(county.maker.post(f"/v1/vouchers/{voucher['id']}/void", {"reason": "企业注销"})))
    assert pools(county.finance, programme_id) == {CIXI: (50_000, 47_000, 0)}
    assert world.differences() == []


def test_a_county_is_told_of_no_batch_but_its_own(world: World) -> None:
    city, county, neighbour = world.city(NINGBO), world.city(CIXI), world.city(CIXI)
    programme_id = city.programme(appropriation_fen=1_000_000)
    share_out(city, programme_id, 50_000)
    firm = world.firm(CIXI)
    issue = "/v1/issuance-batches"
    of_city = ok(city.maker.post(issue, batch(programme_id, firm, 100, "N1")))["batch_id"]
    of_county = ok(county.maker.post(issue, batch(programme_id, firm, 100, "C1")))["batch_id"]
    assert county.maker.get(f"{issue}/{of_city}").status_code == 404
    for who, number, told in (
        (county, "N1", None),
        (county, "C1", of_county),
        (neighbour, "C1", None),  # another authority of the county, which may not see it either
        (city, "N1", of_city),
        (city, "C1", of_county),
    ):
        answer = who.maker.post(issue, batch(programme_id, firm, 100, number))
        refused = problem(answer, 409, "reference_already_used")
        (error,) = refused["errors"]
        assert (error["actual"], error.get("limit")) == (number, told)
        assert ("bat_" in answer.text) is (told is not None)

    asked = select(Organisation.identifier_value, Organisation.name).where(Organisation.id == firm)
    uscc, name = world.database.transact(lambda tx: tx.execute(asked).one())
    row = {"申领编号": "S1", "统一社会信用代码": uscc, "企业名称": name, "面值": 1}
    data = workbook([row_of(**row)])
    sheet = ok(upload(city.maker, programme_id, data, fen=100))["batch_id"]
    assert problem(upload(city.maker, programme_id, data, fen=100), 409, "file_already_submitted")["batch_id"] == sheet
    again = upload(county.maker, programme_id, data, fen=100)
    problem(again, 409, "reference_already_used")
    assert "bat_" not in again.text


def test_each_source_is_shared_out_by_itself(world: World) -> None:
    city, county = world.city(NINGBO), world.city(CIXI)
    programme_id = city.programme(appropriation_fen=100_000, rules=rules_body(fund_sources=TWO_SOURCES))
    problem(move(city, programme_id, 1), 422, "fund_source_unknown")
    share_out(city, programme_id, 30_000, fund_source="province")
    firm = world.firm(CIXI)
    problem(county.maker.post("/v1/issuance-batches", batch(programme_id, firm, 100)), 409, "budget_exhausted")
    share_out(city, programme_id, 20_000, fund_source="city")
    ok(county.approve(county.maker.post("/v1/issuance-batches", batch(programme_id, firm, 40_000))))
    assert world.differences() == []


def test_a_county_shows_a_batch_of_its_own_and_answers_who_objects(world: World) -> None:
    load_years(world)
    city, county, other = world.city(NINGBO), world.city(CIXI), world.city(HANGZHOU)
    programme_id = city.programme(appropriation_fen=1_000_000)
    share_out(city, programme_id, 300_000)
    firms = [world.firm(CIXI, name=f"慈溪{n}号公司") for n in (1, 2)]
    rows = [{"reference_no": f"S{n}", "firm_id": firm, "face_value_fen": 100 * (n + 1)} for n, firm in enumerate(firms)]
    body = {"programme_id": programme_id, "declared_count": 2, "declared_total_fen": 300, "rows": rows}
    asked = ok(county.maker.post("/v1/issuance-batches", body))
    own = Showing(county, programme_id)
    subject = {"kind": "batch", "batch_id": asked["batch_id"]}
    problem(Showing(other, programme_id).draw_up(subject), 404, "not_found")
    problem(own.draw_up({"kind": "admissions"}), 404, "not_found")
    of_city = ok(city.maker.post("/v1/issuance-batches", batch(programme_id, world.firm(NINGBO), 500)))["batch_id"]
    problem(own.draw_up({"kind": "batch", "batch_id": of_city}), 404, "not_found")

    notice = ok(own.draw_up(subject))
    path = f"/v1/public-notices/{notice['id']}"
    assert ok(city.maker.get(path))["authority_id"] == county.authority_id
    problem(other.maker.get(path), 404, "not_found")
    problem(city.maker.http.post(f"{path}/submit"), 404, "not_found")
    publishing = county.maker.http.post(f"{path}/submit")
    problem(city.approve(publishing), 404, "not_found")
    ok(county.approve(publishing))
    approve = f"/v1/approvals/{asked['approval_id']}/approve"
    problem(county.checker.post(approve), 409, "notice_running")
    objection = ok(own.object_to(notice["id"], 1))["objection_id"]
    assert [one["id"] for one in ok(county.maker.get(f"{path}/objections"))["data"]] == [objection]
    answer = {"outcome": "dismissed", "reason": "越权"}
    problem(city.maker.post(f"{path}/objections/{objection}/decide", answer), 404, "not_found")
    ok(own.decide(notice["id"], objection, "upheld"))
    own.end(notice["id"])
    ok(county.checker.post(approve))
    assert pools(county.finance, programme_id) == {CIXI: (300_000, 299_800, 200)}
    assert world.differences() == []


def test_who_may_not_and_what_is_no_county(world: World) -> None:
    city, county = world.city(NINGBO), world.city(CIXI)
    programme_id = city.programme(appropriation_fen=100_000)
    problem(move(city, programme_id, 1, by=city.checker), 403, "forbidden")
    problem(move(city, programme_id, 1, by=county.maker), 404, "not_found")
    problem(move(city, programme_id, 1, by=world.city(HANGZHOU).finance), 404, "not_found")
    for wrong in ({"county_code": NINGBO}, {"county_code": "330106"}, {"county_code": "999999"}, {"amount_fen": 0}):
        body = {"county_code": CIXI, "amount_fen": 1, "document_no": "1"} | wrong
        problem(city.maker.post(f"/v1/programmes/{programme_id}/quotas", body), 422, "validation_failed")
    problem(move(city, programme_id, 100_001), 409, "quota_exceeds_available")
    asked = move(city, programme_id, 1, by=city.finance)
    problem(city.finance.post(f"/v1/approvals/{ok(asked)['id']}/approve"), 422, "same_person")
    ok(city.approve(asked, by=city.second_finance))


def test_the_last_yuan_is_issued_or_shared_out_and_not_both(world: World) -> None:
    """Eight issues of 20,000 race six moves of 20,000 for 200,000: ten go through."""
    city = world.city(NINGBO)
    programme_id = city.programme(appropriation_fen=200_000)
    firm = world.firm(NINGBO)
    issues = [
        city.maker.post("/v1/issuance-batches", batch(programme_id, firm, 20_000, f"N{number}")) for number in range(8)
    ]
    counties = [f"3302{number:02d}" for number in (81, 82, 3, 5, 6, 11)]
    moves = [move(city, programme_id, 20_000, county_code=code) for code in counties]

    def approve(asked: httpx.Response, by: Actor) -> bool:
        return bool(city.approve(asked, by=by).is_success)

    with ThreadPoolExecutor(8) as pool:
        done = list(
            pool.map(
                lambda pair: approve(*pair),
                [*((one, city.checker) for one in issues), *((one, city.finance) for one in moves)],
            )
        )
    assert done.count(True) == 10
    left_fen = sum(available_fen for _, available_fen, _ in pools(city.finance, programme_id).values())
    assert left_fen == 200_000 - 20_000 * done[:8].count(True)
    assert world.differences() == []
