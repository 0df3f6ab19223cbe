"""The demonstration's files fit together, and the generated ones are what their generator writes."""

from __future__ import annotations

import csv
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from app.kernel.money import parse_yuan
from app.kernel.regions import covers, is_region
from app.kernel.uscc import parse_uscc
from app.kernel.vocabulary import OrganisationKind, Role, VoucherKind
from app.services.rules.assess import assess
from app.services.rules.facts import Facts, Line
from app.services.rules.model import Rules
from app.services.usage.billing import bill_line
from app.services.usage.mapping import load_mapping
from app.services.usage.reading import SkippedRow, SkipReason, UsageRow, read_usage
from examples.generate import EXAMPLES, ISSUANCE_HEADINGS, ISSUANCE_TEMPLATE, PROGRAMMES, main

PROVINCE: dict[str, Any] = tomllib.loads((EXAMPLES / "province.toml").read_text(encoding="utf-8"))
ORGANISATIONS = {organisation["key"]: organisation for organisation in PROVINCE["organisations"]}

with (EXAMPLES / "firms.csv").open(encoding="utf-8", newline="") as file:
    FIRMS = {row["uscc"]: row for row in csv.DictReader(file)}

every_programme = pytest.mark.parametrize(
    "programme", PROVINCE["programmes"], ids=lambda programme: str(programme["key"])
)


def cells(path: Path) -> dict[str, list[list[Any]]]:
    workbook = CalamineWorkbook.from_path(path)
    return {name: workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names}


def issuance(programme: dict[str, Any]) -> list[list[Any]]:
    return cells(EXAMPLES / programme["issuance_file"])["发放清单"][1:]


def test_the_generated_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    main(tmp_path)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in {".csv", ".xlsx"})
    for name in written:
        if name.endswith(".csv"):
            assert (tmp_path / name).read_bytes() == (EXAMPLES / name).read_bytes()
        else:
            assert cells(tmp_path / name) == cells(EXAMPLES / name)


def test_forty_firms_have_valid_codes_of_their_districts() -> None:
    assert len(FIRMS) == 40
    assert len({firm["name"] for firm in FIRMS.values()}) == 40
    for code, firm in FIRMS.items():
        assert parse_uscc(code) == code
        assert code[2:8] == firm["region_code"]
        assert is_region(firm["region_code"])


def test_organisations_have_valid_codes_of_their_regions() -> None:
    codes = [organisation["identifier"]["value"] for organisation in ORGANISATIONS.values()]
    assert len(set(codes) | set(FIRMS)) == len(codes) + len(FIRMS)
    for organisation in ORGANISATIONS.values():
        code = organisation["identifier"]["value"]
        assert parse_uscc(code) == code
        assert code[2:8] == organisation["region_code"]
        assert is_region(organisation["region_code"])
        assert OrganisationKind(organisation["kind"])


def test_people_and_clients_belong_to_organisations_that_may_have_their_roles() -> None:
    of_role = {"maker": "authority", "checker": "authority", "finance": "finance", "provider": "provider"}
    logins = [person["login"] for person in PROVINCE["people"]]
    assert len(set(logins)) == len(logins)
    for principal in PROVINCE["people"] + PROVINCE["clients"]:
        organisation = ORGANISATIONS[principal["organisation"]]
        assert all(is_region(region) for region in principal["regions"])
        for role in principal["roles"]:
            assert Role(role)
            assert of_role.get(role, organisation["kind"]) == organisation["kind"]


@every_programme
def test_every_programme_has_a_maker_a_checker_and_two_of_finance(programme: dict[str, Any]) -> None:
    region = programme["region_code"]
    roles = Counter(role for person in PROVINCE["people"] if region in person["regions"] for role in person["roles"])
    assert (roles["maker"], roles["checker"], roles["finance"]) == (1, 1, 2)
    assert ORGANISATIONS[programme["authority"]]["region_code"] == region


@every_programme
def test_every_programme_has_rules_that_its_providers_and_money_fit(programme: dict[str, Any]) -> None:
    rules = Rules.model_validate(programme["rules"])
    assert VoucherKind(programme["voucher_kind"])
    assert {price["category"] for price in PROVINCE["price_lists"][programme["price_list"]]} >= set(rules.categories)
    for admitted in programme["providers"]:
        assert ORGANISATIONS[admitted["organisation"]]["kind"] == "provider"
        assert set(admitted["categories"]) <= set(rules.categories)
    granted = {granted["source"]: parse_yuan(granted["amount"]) for granted in programme["appropriations"]}
    assert set(granted) == {fund.source for fund in rules.fund_sources}
    issued_fen = sum(
        parse_yuan(f"{row[3]:.2f}" if isinstance(row[3], float) else row[3]) for row in issuance(programme)
    )
    shares = sum(fund.share for fund in rules.fund_sources)
    for fund in rules.fund_sources:
        assert issued_fen * fund.share <= granted[fund.source] * shares


@every_programme
def test_every_issuance_sheet_follows_the_template_and_names_firms_of_its_region(programme: dict[str, Any]) -> None:
    sheets = cells(EXAMPLES / programme["issuance_file"])
    assert sheets["发放清单"][0] == list(ISSUANCE_HEADINGS)
    assert ["模板版本", ISSUANCE_TEMPLATE] in sheets["说明"]
    rows = issuance(programme)
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == len(rows)
    for reference, code, name, *_ in rows:
        assert isinstance(reference, str)
        assert FIRMS[code]["name"] == name
        assert covers(programme["region_code"], FIRMS[code]["region_code"])


def test_every_firm_gets_one_compute_voucher() -> None:
    assert {programme["key"] for programme in PROVINCE["programmes"]} == {programme.key for programme in PROGRAMMES}
    compute = [programme for programme in PROVINCE["programmes"] if programme["voucher_kind"] == "compute"]
    assert sorted(row[1] for programme in compute for row in issuance(programme)) == sorted(FIRMS)


def test_a_few_hundred_jobs_are_billed_and_each_earns_a_subsidy_everywhere() -> None:
    mapping = load_mapping(EXAMPLES / "mappings" / "usage.toml")
    rows = list(read_usage(EXAMPLES / "usage.csv", mapping))
    lines = [bill_line(row, mapping.prices) for row in rows if isinstance(row, UsageRow)]
    assert len(rows) == 400
    assert len(lines) > 300
    assert {row.reason for row in rows if isinstance(row, SkippedRow)} == {
        SkipReason.NEVER_SCHEDULED,
        SkipReason.NO_GPU,
    }
    cheapest = min(lines, key=lambda line: line.amount_fen)
    for programme in PROVINCE["programmes"]:
        if programme["voucher_kind"] == "compute":
            rules = Rules.model_validate(programme["rules"])
            facts = Facts([Line(cheapest.category, cheapest.amount_fen)], at=datetime(2026, 6, 1, tzinfo=UTC))
            assert assess(rules, facts).amount_fen >= 1


def test_the_usage_mapping_charges_the_published_prices() -> None:
    published = {
        price["gpu_model"]: price["unit_price"]
        for price in PROVINCE["price_lists"]["compute"]
        if price["category"] == "training_inference"
    }
    assert load_mapping(EXAMPLES / "mappings" / "usage.toml").prices.by_gpu_model == published


def test_the_mapping_of_the_public_trace_bills_its_shortest_task_three_fen(tmp_path: Path) -> None:
    mapping = load_mapping(EXAMPLES / "mappings" / "openb.toml")
    trace = tmp_path / "trace.csv"
    trace.write_text(
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
        "short,100,100,1,590,,BE,Failed,10,14,10\n"
        "unscheduled,100,100,1,1000,,LS,Pending,20,30,\n"
        "no-gpu,100,100,0,0,,LS,Running,20,30,20\n"
    )
    short, *skipped = read_usage(trace, mapping)
    assert isinstance(short, UsageRow)
    assert bill_line(short, mapping.prices).amount_fen == 3
    assert [row.reason for row in skipped if isinstance(row, SkippedRow)] == [
        SkipReason.NEVER_SCHEDULED,
        SkipReason.NO_GPU,
    ]
