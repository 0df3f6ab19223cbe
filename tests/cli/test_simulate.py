"""`voucher simulate`: offline, on bills or usage records, one scheme or two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli.commands import app
from app.cli.local import EXAMPLES
from app.cli.output import Failure

SCHEME = """
[scheme]
title_zh = "试点"
title_en = "Pilot"
voucher_kind = "compute"

[rules]
categories = ["compute"]
category_parents = { training_inference = "compute" }
rate = { kind = "flat", rate = "%s" }
"""
CSV = "at,firm,category,amount_yuan\n2026-02-01,A,compute,1000\n2026-03-01,B,compute,3000\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bills.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "thirty.toml").write_text(SCHEME % "0.30", encoding="utf-8")
    (tmp_path / "ten.toml").write_text(SCHEME % "0.10", encoding="utf-8")
    return tmp_path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, words)])


def report(folder: Path, *words: str | Path) -> Any:
    result = run(*words, "--json", folder / "out.json")
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads((folder / "out.json").read_text(encoding="utf-8"))


def test_bills_under_a_scheme_with_a_budget(folder: Path) -> None:
    found = report(folder, folder / "bills.csv", "--rules", folder / "thirty.toml", "--budget", "1,000")
    (version,) = found["versions"]
    assert (version["rules"], version["subsidy_fen"], version["unmet_fen"]) == ("thirty", 100_000, 20_000)
    assert (version["runs_out_on"], found["comparison"]) == ("2026-03-01", None)


def test_two_schemes_are_compared(folder: Path) -> None:
    words = (folder / "bills.csv", "--rules", folder / "thirty.toml", "--rules", folder / "ten.toml")
    found = report(folder, *words)
    assert found["comparison"]["difference_fen"] == -80_000
    assert [one["difference_fen"] for one in found["comparison"]["months"]] == [-20_000, -60_000]


def test_a_rule_document_in_json_is_as_good_as_a_scheme(folder: Path) -> None:
    document = {"categories": ["compute"], "rate": {"kind": "flat", "rate": "0.30"}}
    (folder / "rules.json").write_text(json.dumps(document), encoding="utf-8")
    assert (
        report(folder, folder / "bills.csv", "--rules", folder / "rules.json")["versions"][0]["subsidy_fen"] == 120_000
    )


def test_tables_speak_both_languages(folder: Path) -> None:
    result = run(folder / "bills.csv", "--rules", folder / "thirty.toml")
    assert result.exit_code == 0
    for words in ("补贴 / subsidy", "按月 / per month", "2026-03", "1,200.00", "未保存任何数据"):
        assert words in result.output


def test_usage_records_are_shared_among_firms_by_the_seed(folder: Path) -> None:
    words = (EXAMPLES / "usage.csv", "--rules", folder / "thirty.toml", "--firms", "7", "--start", "2026-05-01")
    one, again = report(folder, *words), report(folder, *words)
    other = report(folder, *words, "--seed", "66")
    assert one == again
    (first,), (second,) = one["versions"], other["versions"]
    assert (first["bills"], first["firms"]) == (358, 7)  # 400 jobs, 16 never scheduled, 26 without a GPU
    assert first["subsidy_fen"] == second["subsidy_fen"]
    assert first["largest"] != second["largest"]
    assert first["months"][0]["month"] >= "2026-05"


def test_facts_given_on_the_command_line_hold_for_all_bills(folder: Path) -> None:
    small = (
        "\n[[rules.requirements]]\nname = 'small'\nwhen = { kind = 'is', fact = 'holder.size', one_of = ['small'] }\n"
    )
    (folder / "small.toml").write_text(SCHEME % "0.30" + small, encoding="utf-8")
    words = (folder / "bills.csv", "--rules", folder / "small.toml")
    (without,) = report(folder, *words)["versions"]
    assert [(cut["code"], cut["missing"]) for cut in without["cuts"]] == [("FACT_MISSING", ["holder.size"])]
    assert report(folder, *words, "--fact", "holder.size=small")["versions"][0]["subsidy_fen"] == 120_000


@pytest.mark.parametrize(
    "words",
    [
        ("--fact", "holder.shoe_size=43"),
        ("--fact", "holder.size"),
        ("--fact", "holder.registered_on=soon"),
        ("--budget", "a lot"),
        ("--rules", "ten.toml", "--rules", "ten.toml"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(folder: Path, words: tuple[str, ...]) -> None:
    words = tuple(str(folder / word) if word.endswith(".toml") else word for word in words)
    result = run(folder / "bills.csv", "--rules", folder / "thirty.toml", *words)
    assert isinstance(result.exception, Failure)


def test_a_start_that_is_no_day_is_refused(folder: Path) -> None:
    result = run(EXAMPLES / "usage.csv", "--rules", folder / "thirty.toml", "--start", "soon")
    assert isinstance(result.exception, Failure)


def test_a_file_that_is_no_scheme_is_named(folder: Path) -> None:
    (folder / "wrong.toml").write_text(SCHEME % "1.30", encoding="utf-8")
    result = run(folder / "bills.csv", "--rules", folder / "wrong.toml")
    assert isinstance(result.exception, Failure)
    assert "wrong.toml" in str(result.exception)
