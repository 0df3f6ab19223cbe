"""A refusal's Chinese sentence holds no word of the code where the word is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.kernel import wording
from app.kernel.problems import Code
from app.kernel.wording import detail

_TOLD = re.compile(r'(?:NOT_FOUND|require_region\([^\n]+), what="([^"{]+)"')


@pytest.mark.parametrize(
    ("actual", "expected", "sentence"),
    [
        ("accepted", "reviewed / waitlisted", "当前状态为 已受理，此操作要求 已核定、候补。"),
        ("apl_330100_1: withdrawn", "reviewed", "当前状态为 apl_330100_1: 已撤回，此操作要求 已核定。"),
        ("dismissed", "open", "当前状态为 不成立，此操作要求 进行中。"),
        ("2026-11-26", "2026-01-01 – 2026-06-30", "当前状态为 2026-11-26，此操作要求 2026-01-01 – 2026-06-30。"),
    ],
)
def test_states_are_told_in_chinese(actual: str, expected: str, sentence: str) -> None:
    assert detail(Code.WRONG_STATE, "zh", {"actual": actual, "expected": expected}) == sentence


def test_in_english_they_stand_as_they_are() -> None:
    told = detail(Code.WRONG_STATE, "en", {"actual": "accepted", "expected": "reviewed / waitlisted"})
    assert told == "It is accepted; this needs reviewed / waitlisted."


def test_roles_are_told_in_chinese() -> None:
    assert "“审核、财政”" in detail(Code.FORBIDDEN, "zh", {"role": "checker / finance"})


def test_whatever_is_not_found_has_a_chinese_name() -> None:
    """Read from the source: each `what="…"` that is told as not found is a word of a Chinese sentence (没有该…)."""
    root = Path(wording.__file__).parents[1]
    told = {what for path in root.rglob("*.py") for what in _TOLD.findall(path.read_text())}
    assert len(told) > 30
    assert {what for what in told if what not in wording.WORDS} == set()
