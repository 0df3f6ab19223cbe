"""The published schemes as rule files: each is free of errors, and its cases come out as the policy text says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.cli.local import EXAMPLES
from app.services.rules.checks import check
from app.services.rules.scheme_file import Outcome, Scheme, SchemeFileError, load_scheme, read_scheme, run_cases

SCHEMES = sorted((EXAMPLES / "schemes").glob("*.toml"))
DOCS = EXAMPLES.parent / "docs"
GUIDES = (DOCS / "writing-a-scheme.md", DOCS / "writing-a-scheme.zh-CN.md")
TOMLS_OF_A_GUIDE = 30

every_scheme = pytest.mark.parametrize("path", SCHEMES, ids=lambda path: str(path.stem))
every_guide = pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.name))


def outcomes(name: str) -> dict[str, Outcome]:
    return {one.case.name: one for one in run_cases(load_scheme(EXAMPLES / "schemes" / f"{name}.toml"))}


def blocks(guide: Path) -> list[str]:
    """The fenced TOML of a guide."""
    return [part.split("```", 1)[0] for part in guide.read_text(encoding="utf-8").split("```toml\n")[1:]]


def scheme_around(snippet: dict[str, Any]) -> dict[str, Any]:
    """A snippet of rules as a document: what it does not say is the least that a document needs."""
    return {"categories": ["compute"], "rate": {"kind": "flat", "rate": "0.30"}, **snippet.get("rules", {})}


def test_there_is_a_file_for_each_scheme_that_was_promised() -> None:
    promised = {
        "hangzhou-2025",
        "hangzhou-2025-match",
        "beijing-2023",
        "shenzhen-xunli",
        "shenzhen-model",
        "henan-2025",
        "shanghai-2025",
        "qingyang",
        "yangzhou",
        "dongguan-2018",
        "chengdu",
        "enterprise-ireland",
        "singapore-psg",
        "go-digital",
        "access-credits",
    }
    assert promised <= {path.stem for path in SCHEMES}


@every_scheme
def test_the_cases_come_out_as_computed_by_hand(path: Path) -> None:
    wrong = {one.case.name: one.differences for one in run_cases(load_scheme(path)) if not one.passed}
    assert wrong == {}


@every_scheme
def test_a_scheme_contradicts_itself_nowhere(path: Path) -> None:
    assert [one for one in check(load_scheme(path).rules) if one.severity == "error"] == []


@every_scheme
def test_a_scheme_shows_a_refusal_and_a_cut_and_says_what_was_assumed(path: Path) -> None:
    scheme = load_scheme(path)
    amounts = [case.expect_fen for case in scheme.cases]
    cuts = [case for case in scheme.cases if case.expect_fen and case.expect_reasons]
    assert len(amounts) >= 3
    assert 0 in amounts
    assert cuts
    assert scheme.rules.basis.assumptions


@pytest.mark.parametrize(
    ("scheme", "case", "subsidy_fen"),
    [
        ("beijing-2023", "E1 合同与付款 100 万，其中存储 8 万、网络 2 万", 18_000_000),
        ("beijing-2023", "E1 2023-08-31 签订", 0),
        ("beijing-2023", "E2 再申报 100 万，只余 10 万", 10_000_000),
        ("shenzhen-xunli", "E3 初创企业 1200 万", 720_000_000),
        ("shenzhen-xunli", "E3 一般企业 2400 万，达上限", 1_000_000_000),
        ("shenzhen-xunli", "E3 经办核定 40%", 960_000_000),
        ("shenzhen-xunli", "E3 核定 51% 超过最高比例", 0),
        ("hangzhou-2025", "E4 国产 60 万、其他 40 万、存储 5 万", 26_000_000),
        ("hangzhou-2025", "E5 第一张合同 30 万", 15_000_000),
        ("hangzhou-2025", "E5 第二张合同 25 万，累计 55 万", 11_500_000),
        ("hangzhou-2025", "E5 恰为 50 万（含）", 25_000_000),
        ("henan-2025", "E12 2026-10 至 2027-03，每月 200 万", 200_000_000),
        ("henan-2025", "E12 100,000.01 元按 1:1 分担", 10_000_001),
        ("beijing-2023", "E15 关联方", 0),
    ],
)
def test_worked_examples(scheme: str, case: str, subsidy_fen: int) -> None:
    assert outcomes(scheme)[case].assessment.amount_fen == subsidy_fen


@every_guide
def test_every_snippet_of_the_guide_is_understood(guide: Path) -> None:
    snippets = [tomllib.loads(block) for block in blocks(guide)]
    assert len(snippets) >= TOMLS_OF_A_GUIDE
    for snippet in snippets:
        if "scheme" not in snippet and "cases" not in snippet:
            assert set(snippet) == {"rules"}
            rules = read(scheme_around(snippet)).rules
            errors = [one for one in check(rules) if one.severity == "error"]
            assert errors == [], snippet


@every_guide
def test_the_scheme_that_the_guide_works_through_comes_out(guide: Path, tmp_path: Path) -> None:
    [whole] = [block for block in blocks(guide) if "[scheme]" in block]
    path = tmp_path / "riverside.toml"
    path.write_text(whole, encoding="utf-8")
    found = run_cases(load_scheme(path))
    assert len(found) >= 5
    assert [one.case.name for one in found if not one.passed] == []
    assert [one for one in check(load_scheme(path).rules) if one.severity == "error"] == []


def test_both_guides_show_the_same_snippets() -> None:
    english, chinese = ([tomllib.loads(block) for block in blocks(guide)] for guide in GUIDES)
    assert english == chinese


def read(rules: dict[str, Any]) -> Scheme:
    head = {"title_zh": "片段", "title_en": "snippet", "voucher_kind": "compute"}
    return read_scheme({"scheme": head, "rules": rules}, Path("snippet"))


def bands(*ends: int | None) -> dict[str, Any]:
    rate = {"kind": "flat", "rate": "0.30"}
    rows = [{"rate": rate, **({"up_to_fen": end} if end else {})} for end in ends]
    return {"rate": {"kind": "bracket", "method": "marginal", "bands": rows}}


def firm_cap(**fields: Any) -> dict[str, Any]:
    return {"caps": [{"scope": "firm", "name": "yearly", "limit_fen": 10_000, **fields}]}


COLOURED = {"at": "2027-03-01T10:00:00+08:00", "holder": {"colour": "red"}}


@pytest.mark.parametrize(
    ("rules", "facts", "sentence"),
    [
        ({"rate": {"kind": "flat", "rate": 0.30}}, {}, "must be text in quotes; rates, prices and quantities too"),
        ({"rate": {"kind": "flat", "rate": "1.3"}}, {}, "must be a share from 0 to 1 with at most six decimals"),
        (firm_cap(limit=200_000), {}, "there is no field of this name; check its spelling"),
        (bands(50_000_000, 60_000_000), {}, "the last band needs no up_to_fen: above it there would be a gap"),
        (bands(50_000_000, 40_000_000, None), {}, "the bands overlap: each up_to_fen must lie above the one before"),
        (firm_cap(hard_limit_fen=9_999), {}, "hard_limit_fen lies below the limit itself"),
        ({**firm_cap(), "exceptions": [{"cap": "yearly"}]}, {}, "so no exception is possible."),
        (
            {"categories": ["storage"], "excluded_categories": ["storage"]},
            {},
            "“storage” is both covered and excluded.",
        ),
        (
            {"rate": {"kind": "by", "fact": "line.category", "rates": {"trainning": "0.30"}}},
            {},
            "Add it to categories or to category_parents, or correct its spelling.",
        ),
        (
            {"requirements": [{"name": "a", "when": {"kind": "number", "fact": "holder.staf", "below": "9"}}]},
            {},
            "Nobody declares the fact “holder.staf”.",
        ),
        (
            {
                "rate": {
                    "kind": "cases",
                    "cases": [
                        {
                            "when": {"kind": "is", "fact": "line.facility_class", "one_of": ["other"]},
                            "rate": {"kind": "flat", "rate": "0.20"},
                        }
                    ],
                }
            },
            {},
            "“line.facility_class” is a fact of a single line, but here the claim is judged as a whole.",
        ),
        ({}, COLOURED, "holder.colour is no known fact; declare it in rules.facts, or use one of"),
        ({}, {"holder": {}}, "facts.at is missing: a case must come out the same next year"),
    ],
)
def test_a_common_mistake_is_refused_as_the_guide_says(
    rules: dict[str, Any], facts: dict[str, Any], sentence: str
) -> None:
    assert sentence in GUIDES[0].read_text(encoding="utf-8")
    lines = [{"category": "compute", "amount_fen": 10_000}]
    cases = [{"name": "a", "facts": {"lines": lines, **facts}, "expect_fen": 0}] if facts else []
    head = {"title_zh": "错误", "title_en": "mistake", "voucher_kind": "compute"}
    try:
        scheme = read_scheme(
            {"scheme": head, "rules": scheme_around({"rules": rules}), "cases": cases}, Path("mistake.toml")
        )
        told = [one.en for one in check(scheme.rules) if one.severity == "error"]
    except SchemeFileError as error:
        told = [one.detail or "" for one in error.problems]
    assert any(sentence in one for one in told), told


def test_a_case_that_comes_to_nothing_counts_nothing_for_those_after_it() -> None:
    """The desk refuses such a bill. Bands 50 % to 500,000 yuan, then 30 %; at most 150,000 a contract.

    Were the second counted, the third would begin at 500,000 and get 30,000.
    """
    rows = [("A", 30, 15), ("A", 20, 0), ("B", 10, 5)]
    cases = [
        {
            "name": str(place),
            "after": place > 0,
            "facts": {
                "at": "2027-03-01T10:00:00+08:00",
                "claim": {"contract_no": contract},
                "lines": [{"category": "compute", "amount_fen": base * 1_000_000}],
            },
            "expect_fen": subsidy * 1_000_000,
        }
        for place, (contract, base, subsidy) in enumerate(rows)
    ]
    rate = bands(50_000_000, None)["rate"]
    rate["bands"][0]["rate"] = {"kind": "flat", "rate": "0.50"}
    cap = {"scope": "contract", "name": "each", "limit_fen": 15_000_000}
    rules = {"categories": ["compute"], "caps": [cap], "rate": rate}
    head = {"title_zh": "片段", "title_en": "snippet", "voucher_kind": "compute"}
    found = run_cases(read_scheme({"scheme": head, "rules": rules, "cases": cases}, Path("snippet")))
    assert [one.assessment.amount_fen for one in found] == [15_000_000, 0, 5_000_000]
