"""`voucher rules`: what it says about a file, and the status with which it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.commands import app
from app.cli.local import EXAMPLES
from app.cli.output import Failure
from app.services.rules.model import Rules
from app.services.rules.scheme_file import SchemeFileError, load_scheme, run_cases

runner = CliRunner()
SCHEMES = EXAMPLES / "schemes"

HEAD = """
[scheme]
title_zh = "测试"
title_en = "test"
voucher_kind = "compute"
"""
FLAT = """
[rules]
categories = ["compute"]
rate = { kind = "flat", rate = "0.30" }
"""
CASE = """
[[cases]]
name = "{name}"
facts.at = 2027-03-01T10:00:00+08:00
facts.lines = [{{ category = "compute", amount_fen = {bill_fen} }}]
expect_fen = {expect_fen}
"""


def case(name: str, bill_fen: int, expect_fen: int, *more: str) -> str:
    return CASE.format(name=name, bill_fen=bill_fen, expect_fen=expect_fen) + "\n".join(more) + "\n"


def written(folder: Path, *parts: str) -> Path:
    path = folder / "scheme.toml"
    path.write_text("".join(parts), encoding="utf-8")
    return path


def rules(*arguments: str | Path, status: int = 0) -> str:
    result = runner.invoke(app, ["rules", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def problems(path: Path) -> dict[str, str]:
    with pytest.raises(SchemeFileError) as failed:
        load_scheme(path)
    assert str(failed.value).startswith(f"{path.name} ")
    return {one.pointer: one.detail or "" for one in failed.value.problems}


def test_check_of_the_examples_succeeds() -> None:
    said = rules("check", SCHEMES / "beijing-2023.toml", SCHEMES / "henan-2025.toml")
    assert "8/8" in said
    assert "4/4" in said
    assert "180,000.00" in said


def test_a_case_that_comes_out_otherwise_is_shown_with_both_amounts_and_ends_with_status_1(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, FLAT, case("a", 10_000, 3_000), case("b", 10_000, 4_000))
    said = rules("check", path, status=1)
    assert "1/2" in said
    assert "40.00" in said
    assert "30.00" in said


def test_reasons_that_differ_fail_a_case_whose_amount_is_right(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, FLAT, case("a", 10_000, 3_000, 'expect_reasons = ["CAP_CLAIM"]'))
    assert "CAP_CLAIM" in rules("check", path, status=1)


def test_one_wrong_file_does_not_hide_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD)
    said = rules("check", path, SCHEMES / "go-digital.toml", status=1)
    assert "/rules" in said
    assert "5/5" in said


def test_a_contradiction_is_told_in_both_languages_at_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, FLAT, 'excluded_categories = ["compute"]\n')
    said = rules("check", path, status=1)
    assert "/rules/excluded_categories/0" in said
    assert "请只保留其一" in said
    assert "Decide for one list" in said


def test_warnings_can_be_left_out() -> None:
    assert "warning" in rules("check", SCHEMES / "beijing-2023.toml")
    assert "warning" not in rules("check", "--quiet", SCHEMES / "beijing-2023.toml")


def test_explain_tells_the_steps_of_one_case_in_both_languages() -> None:
    said = rules("explain", SCHEMES / "beijing-2023.toml", "--case", "E2 再申报 100 万，只余 10 万")
    assert "100,000.00" in said
    assert "20%" in said
    assert "账单共 1,000,000.00 元" in said
    assert "The bill is 1,000,000.00 yuan" in said
    assert "E1" not in said


def test_explain_names_the_cases_where_there_is_none_of_that_name() -> None:
    with pytest.raises(Failure, match="20 days at 1,000"):
        rules("explain", SCHEMES / "go-digital.toml", "--case", "nothing")


@pytest.mark.parametrize("path", sorted(SCHEMES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_case_of_the_examples_can_be_explained(path: Path) -> None:
    said = rules("explain", path)
    assert all(one.name in said for one in load_scheme(path).cases)


def test_a_new_file_passes_its_check_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    rules("new", path)
    assert "3/3" in rules("check", path)
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(Failure, match="nothing was changed"):
        rules("new", path)
    assert path.read_text(encoding="utf-8") == "mine"


def test_the_schema_is_written_to_a_file_or_shown(tmp_path: Path) -> None:
    rules("schema", tmp_path / "rules.json")
    to_file = json.loads((tmp_path / "rules.json").read_text(encoding="utf-8"))
    assert to_file == json.loads(rules("schema"))
    assert to_file["properties"]["categories"]["description"]


def test_diff_names_place_and_both_values(tmp_path: Path) -> None:
    before = written(tmp_path, HEAD, FLAT)
    after = tmp_path / "after.toml"
    after.write_text(before.read_text(encoding="utf-8").replace("0.30", "0.25"), encoding="utf-8")
    said = rules("diff", before, after)
    assert "/rate/rate" in said
    assert "0.30" in said
    assert "0.25" in said
    assert "the rules are the same" in rules("diff", before, before)


def test_the_rules_can_be_put_into_a_request_body(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD, FLAT)
    body = tmp_path / "body.json"
    body.write_text('{"title": "测试"}', encoding="utf-8")
    document = json.loads(rules("json", path))
    assert Rules.model_validate(document) == load_scheme(path).rules
    assert json.loads(rules("json", path, "--into", body)) == {"title": "测试", "rules": document}
    body.write_text("[]", encoding="utf-8")
    with pytest.raises(Failure, match="no JSON object"):
        rules("json", path, "--into", body)


def test_help_is_in_both_languages() -> None:
    for command in ("check", "explain", "schema", "diff", "json", "new"):
        said = rules(command, "--help")
        assert any("\u4e00" <= letter <= "\u9fff" for letter in said)
        assert " / " in said


@pytest.mark.parametrize(
    ("text", "pointer", "sentence"),
    [
        (HEAD + FLAT + "cap_s = 1\n", "/rules/cap_s", "no field of this name"),
        (HEAD + FLAT.replace('"0.30"', "0.30"), "/rules/rate/rate", "text in quotes"),
        (HEAD + FLAT.replace('"0.30"', '"1.3"'), "/rules/rate/rate", "share from 0 to 1"),
        (HEAD.replace("compute", "computer") + FLAT, "/scheme/voucher_kind", "must be"),
        (HEAD + 'region_code = "999999"\n' + FLAT, "/scheme/region_code", "no region"),
        (HEAD + FLAT + case("a", 1, 0) + case("a", 1, 0), "/cases/1/name", "another case has this name"),
        (HEAD + FLAT + case("a", 1, 0, 'after = ["b"]'), "/cases/0/after/0", "no case above"),
        (HEAD + FLAT + case("a", 1, 0, "after = true"), "/cases/0/after", "no case stands above"),
        (HEAD + FLAT + case("a", 1, 0, 'expect_reasons = ["CAP"]'), "/cases/0/expect_reasons/0", "must be"),
        (HEAD + FLAT + case("a", 1, 0, "facts.holder.colour = 'red'"), "/cases/0/facts/holder/colour", "no known fact"),
        (
            HEAD + FLAT + case("a", 1, 0, "facts.holder.size = 3"),
            "/cases/0/facts/holder/size",
            "must be a word in quotes",
        ),
        (HEAD + FLAT + case("a", 0, 0), "/cases/0/facts/lines/0/amount_fen", "more than 0"),
        (HEAD + FLAT + case("a", 1, 0).replace("+08:00", ""), "/cases/0/facts/at", "must have an offset"),
        ("[scheme", "", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_sentence(
    tmp_path: Path, text: str, pointer: str, sentence: str
) -> None:
    assert sentence in problems(written(tmp_path, text))[pointer]


def test_a_case_without_an_instant_is_refused(tmp_path: Path) -> None:
    dated = case("a", 1, 0)
    undated = "\n".join(line for line in dated.splitlines() if not line.startswith("facts.at"))
    assert "facts.at" in problems(written(tmp_path, HEAD, FLAT, undated))["/cases/0"]


def test_a_file_that_is_not_there_or_too_large_is_told(tmp_path: Path) -> None:
    assert "cannot be opened" in problems(tmp_path / "nowhere.toml")[""]
    assert "1 MiB" in problems(written(tmp_path, "#" * 1_048_577))[""]


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    path = tmp_path / "scheme.json"
    described: dict[str, Any] = {
        "scheme": {"title_zh": "测试", "title_en": "test", "voucher_kind": "compute"},
        "rules": {"categories": ["compute"], "rate": {"kind": "flat", "rate": "0.30"}},
        "cases": [
            {
                "name": "a",
                "facts": {"at": "2027-03-01T02:00:00Z", "lines": [{"category": "compute", "amount_fen": 10_000}]},
                "expect_fen": 3_000,
            }
        ],
    }
    path.write_text(json.dumps(described), encoding="utf-8")
    assert load_scheme(path) == load_scheme(written(tmp_path, HEAD, FLAT, case("a", 10_000, 3_000)))
    assert [one.passed for one in run_cases(load_scheme(path))] == [True]


def test_days_and_local_minutes_may_be_written_without_quotes(tmp_path: Path) -> None:
    window = '\n[[rules.windows]]\nof = "claim"\nopens_at = 2027-01-01T09:00:00\ncloses_at = 2027-03-01T17:00:00\n'
    dated = '\n[rules.validity]\nkind = "date"\nuntil = 2027-12-31\n'
    signed = "facts.claim.contract_signed_on = 2027-01-02"
    late = case("late", 10_000, 0).replace("T10:00", "T17:01")
    path = written(tmp_path, HEAD, FLAT, window, dated, case("in time", 10_000, 3_000, signed), late)
    assert [one.passed for one in run_cases(load_scheme(path))] == [True, True]


CAPS = """
[[rules.caps]]
scope = "firm"
name = "firm"
limit_fen = 1_000
[[rules.caps]]
scope = "group"
name = "group"
limit_fen = 1_500
[[rules.caps]]
scope = "contract"
name = "contract"
limit_fen = 600
"""


def of_contract(number: str, firm: str = "A", group: str = "g") -> tuple[str, ...]:
    return f'firm = "{firm}"', f'facts.holder.group = "{group}"', f'facts.claim.contract_no = "{number}"'


def test_a_case_after_others_sees_what_they_used_of_the_same_firm_group_and_contract(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEAD,
        FLAT,
        CAPS,
        case("first", 2_000, 600, *of_contract("c1")),
        case("same contract", 2_000, 0, *of_contract("c1"), "after = true"),
        case("other contract", 2_000, 400, *of_contract("c2"), "after = true"),
        case("sister firm", 2_000, 500, *of_contract("c1", "B"), "after = true"),
        case("sister firm again", 2_000, 0, *of_contract("c9", "B"), "after = true"),
        case("firm of another group", 2_000, 600, *of_contract("c1", "C", "h"), "after = true"),
        case("by itself", 2_000, 600, *of_contract("c1")),
        case("after the first only", 2_000, 400, *of_contract("c2"), 'after = ["first"]'),
    )
    outcomes = run_cases(load_scheme(path))
    assert {one.case.name: one.assessment.amount_fen for one in outcomes if not one.passed} == {}
