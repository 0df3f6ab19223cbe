"""Both languages say the same things, and nothing is asked for that neither says."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest
from jinja2 import Environment, nodes

import app.api.portal
from app.api.portal.calculator_form import READERS
from app.api.portal.pages import NOTICES
from app.api.portal.presentation import PARTS
from app.api.portal.telling import TOGETHER
from app.api.portal.texts import LANGUAGES, en, zh
from app.kernel.vocabulary import (
    ApplicationAct,
    ApplicationStatus,
    EntryKind,
    ExtensionGround,
    HoldStatus,
    PaymentCodeStatus,
    Reason,
    RedemptionStatus,
    Sign,
    VoucherKind,
    VoucherStatus,
)
from app.services.applications.eligibility import Outcome
from app.services.rules.base import Amount

CLOSED = (
    "word.",
    "rounding.",
    "problem.",
    "openid.not_proven.",
    "openid.refused.",
    "openid.away.",
    "reason.",
    "because.",
    "advice.",
    "flag.",
    "why.marginal",
    "why.cliff_",
    "floor.",
    "bracket.",
    "checkpoint.",
    "field.",
)
"""Texts whose keys are put together: of words of a closed list, or of one that programmes add to."""

PORTAL = Path(app.api.portal.__file__).parent
TEMPLATES = sorted((PORTAL / "templates").glob("*.html"))
SOURCES = sorted(path for path in PORTAL.glob("*.py"))


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(zh.TEXTS) == list(en.TEXTS)


def test_a_text_has_the_same_placeholders_in_both_languages() -> None:
    assert {key: _placeholders(text) for key, text in zh.TEXTS.items()} == {
        key: _placeholders(text) for key, text in en.TEXTS.items()
    }


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_asks_for_no_unknown_text(path: Path) -> None:
    for key, is_whole in _asked_for(path):
        known = key in zh.TEXTS if is_whole else any(text.startswith(key) for text in zh.TEXTS)
        assert known, f"{path.name} asks for {key}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_holds_no_script_no_style_and_no_words_of_its_own(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?! src=)|\| *safe", text)
    assert not re.search("[\u4e00-\u9fff]", text)


def test_no_text_is_left_over() -> None:
    asked = [found for path in TEMPLATES for found in _asked_for(path)]
    source = "\n".join(path.read_text() for path in SOURCES)
    unused = [
        key
        for key in zh.TEXTS
        if f'"{key}"' not in source
        and key not in TOGETHER.values()
        and not key.startswith(CLOSED)
        and not any(key == given if is_whole else key.startswith(given) for given, is_whole in asked)
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("status", VoucherStatus),
        ("kind", VoucherKind),
        ("application.status", ApplicationStatus),
        ("application.act", ApplicationAct),
        ("application.condition", Outcome),
        ("entry", EntryKind),
        ("settlement", RedemptionStatus),
        ("payment_code_status", PaymentCodeStatus),
        ("payment_code.closed", ("used", "expired", "withdrawn")),
        ("hold.status", HoldStatus),
        ("part", PARTS),
        ("validity.extended", ExtensionGround),
        ("notice", sorted(NOTICES)),
        ("mandate", ("live", "used_up", "ended", "withdrawn")),
        ("rounding", ("half_up", "floor")),
        ("reason", Reason),
        ("because", Reason),
        ("advice", Reason),
        ("flag", Sign),
        ("why", ("marginal", "cliff_prospective", "cliff_recalc")),
        ("floor", ("base", "contract", "subsidy")),
        ("bracket", ("firm", "group")),
        ("checkpoint", ("apply", "issue", "redeem", "pay")),
        ("field", tuple(f"{kind}.unreadable" for kind in READERS)),
        ("word.fact.amounts", get_args(Amount)),
    ],
)
def test_every_word_of_a_closed_list_has_its_text(prefix: str, words: type[StrEnum] | tuple[str, ...]) -> None:
    for language, texts in LANGUAGES.items():
        missing = [str(word) for word in words if f"{prefix}.{word}" not in texts]
        assert missing == [], language


def test_a_sentence_about_one_bill_and_the_one_about_several_are_both_there() -> None:
    for language, texts in LANGUAGES.items():
        assert [key for both in TOGETHER.items() for key in both if key not in texts] == [], language


def _asked_for(path: Path) -> Iterator[tuple[str, bool]]:
    """Each key given to `t(...)` in a template, and whether it is whole or only the beginning of one."""
    for call in Environment(autoescape=True).parse(path.read_text()).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "t":
            key = call.args[0]
            if isinstance(key, nodes.Const):
                yield str(key.value), True
            else:
                assert isinstance(key, nodes.Concat), (
                    f"{path.name}:{call.lineno} asks for something that cannot be checked"
                )
                beginning = key.nodes[0]
                assert isinstance(beginning, nodes.Const)
                yield str(beginning.value), False


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
