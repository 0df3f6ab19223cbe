"""Scheme files: a published scheme as rules, with worked cases that an official computed by hand. TOML or JSON.

`load_scheme` reads and validates one, `run_cases` computes its cases. Nothing is stored and nothing is sent.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from app.kernel.places import field_errors
from app.kernel.problems import FieldError
from app.kernel.regions import is_region
from app.kernel.vocabulary import Reason, VoucherKind
from app.services.rules.assess import Assessment, assess, split_by_source
from app.services.rules.model import Rules
from app.services.rules.parts import Fen, Part, Sentence, Slug, said
from app.services.rules.position import Bucket, Counter, Position
from app.services.rules.stated import StatedFacts, fact_problems

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
MAX_BYTES = 1_048_576


def _known_region(code: str) -> str:
    if not is_region(code):
        raise ValueError("is no region of GB/T 2260 in use / 不是现行行政区划代码")
    return code


RegionCode = Annotated[str, AfterValidator(_known_region)]


class SchemeHead(Part):
    """Which scheme it is."""

    title_zh: Annotated[Name, said("Title in Chinese.", "中文名称")]
    title_en: Annotated[Name, said("Title in English.", "英文名称")]
    voucher_kind: Annotated[VoucherKind, said("What the voucher buys.", "券种", strict=False)]
    region_code: Annotated[RegionCode | None, said("Issuing region, GB/T 2260.", "发放地行政区划代码")] = None
    fiscal_year: Annotated[int | None, said("Budget year.", "预算年度", ge=2000, le=2999)] = None
    sources: Annotated[
        tuple[Sentence, ...], said("The texts it was written from.", "依据文本", max_length=20, strict=False)
    ] = ()


class Case(Part):
    """A worked case: what one claim earns, computed by hand from the policy text."""

    name: Annotated[Name, said("Its name; other cases refer to it.", "名称")]
    facts: Annotated[StatedFacts, said("The facts of the claim; `at` must be stated.", "申报事实，须填写 at")]
    after: Annotated[
        bool | Annotated[tuple[Name, ...], Field(strict=False)],
        said(
            "true: after the case above, and all that one follows; or the names of earlier cases that came before.",
            "true：承接上一案例及其所承接的案例；或列出在先案例的名称",
        ),
    ] = False
    firm: Annotated[
        Name, said("Whose claim it is, where a case follows another firm's.", "申报企业，仅多企业案例填写")
    ] = "A"
    voucher: Annotated[Name, said("Which voucher it draws on.", "所用的券")] = "1"
    expect_fen: Annotated[Fen, said("The subsidy that is due, in fen.", "应得补贴（分）")]
    expect_reasons: Annotated[
        Annotated[tuple[Annotated[Reason, Field(strict=False)], ...], Field(strict=False)] | None,
        said("Exactly these reason codes; left out: not looked at.", "应出现的原因代码；不填则不核对"),
    ] = None
    expect_years_fen: Annotated[
        dict[str, Fen] | None, said("The entitlement by year.", "各年度应得（分）；不填则不核对")
    ] = None
    expect_sources_fen: Annotated[
        dict[Slug, Fen] | None, said("The subsidy by fund source.", "各资金来源应付（分）；不填则不核对")
    ] = None

    @model_validator(mode="after")
    def _is_dated(self) -> Case:
        if self.facts.at is None:
            raise ValueError(
                "facts.at is missing: a case must come out the same next year / 缺少 facts.at，案例须写明申报时刻"
            )
        return self


class Scheme(Part):
    """A scheme file."""

    scheme: Annotated[SchemeHead, said("Which scheme it is.", "方案信息")]
    rules: Annotated[Rules, said("What it grants.", "补贴规则")]
    cases: Annotated[tuple[Case, ...], said("Worked cases.", "测算案例", max_length=500, strict=False)] = ()


class SchemeFileError(Exception):
    """A scheme file that cannot be used: which file, and every place of it with what is wrong there.

    `problems` have a JSON pointer, empty where the file cannot be read at all, and a sentence `English / 中文`.
    """

    def __init__(self, path: Path, problems: Sequence[FieldError]) -> None:
        self.path, self.problems = path, tuple(problems)
        super().__init__("\n".join(f"{path.name} {one.pointer or '/'}: {one.detail or one.code}" for one in problems))


@dataclass(frozen=True, slots=True)
class Difference:
    """Something about a case that did not come out as expected."""

    of: Literal["amount", "reasons", "years", "sources"]
    expected: str
    computed: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case with what was computed for it."""

    case: Case
    assessment: Assessment
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came out as expected."""
        return not self.differences


def load_scheme(path: Path) -> Scheme:
    """Read a scheme file, `.json` as JSON and anything else as TOML.

    Days may be written without quotes; an instant needs its offset, a window's minute none. Raises SchemeFileError
    for what cannot be read, is no scheme, or states a fact that neither every programme nor its rules know.
    """
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise _unreadable(path, "the file is larger than 1 MiB / 文件超过 1 MiB")
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, f"cannot be opened: {error.strerror or error} / 无法打开该文件") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, _NO_TEXT) from error
    try:
        described = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, _no_document(text, error)) from error
    return read_scheme(described, path)


_NO_TEXT = (
    "is no text in UTF-8: a scheme is a .toml or .json file, no Excel or Word document; save it as UTF-8"
    " / 不是 UTF-8 文本：规则文件须为 .toml 或 .json（不是 Excel 或 Word 文件），请另存为 UTF-8"
)
_LINE = re.compile(r"line (\d+)")


def _no_document(text: str, error: Exception) -> str:
    """What the parser says, the line that it means, and what it mostly is."""
    found = _LINE.search(str(error))
    line = (
        text.splitlines()[int(found[1]) - 1].strip()[:80] if found and int(found[1]) <= len(text.splitlines()) else ""
    )
    shown = f" «{line}»" if line else ""
    number = found[1] if found else "?"
    hint_en = "check for full-width signs (，“”), commas in numbers, months and days of two digits, names given twice"
    hint_zh = "请检查全角标点（，“”）、数字中的千位逗号、月日是否两位、名称是否重复"
    return f"cannot be read: {error}{shown}; {hint_en} / 第 {number} 行无法读取{shown}：{hint_zh}"


def read_scheme(described: Any, path: Path) -> Scheme:
    """A scheme from the plain values of its file; `path` only names it in errors. Raises SchemeFileError."""
    plain = _plain(described)
    try:
        scheme = Scheme.model_validate(plain)
    except ValidationError as error:
        raise SchemeFileError(path, field_errors(error.errors(), plain)) from error
    problems = [*_case_problems(scheme)]
    if problems:
        raise SchemeFileError(path, problems)
    return scheme


def run_cases(scheme: Scheme) -> list[Outcome]:
    """Compute every case in its order, each with the position that the cases before it left behind. Pure."""
    before = _followed(scheme.cases)
    done: dict[str, Assessment] = {}
    outcomes = []
    for case in scheme.cases:
        position = Position()
        for earlier in scheme.cases:
            if earlier.name in before[case.name]:
                position.add(_seen_from(case, earlier, done[earlier.name]))
        assert case.facts.at is not None, "a case without an instant is refused when it is read"
        assessment = assess(scheme.rules, case.facts.facts(at=case.facts.at), position)
        done[case.name] = assessment
        outcomes.append(Outcome(case, assessment, tuple(_differences(scheme.rules, case, assessment))))
    return outcomes


def _followed(cases: Sequence[Case]) -> dict[str, set[str]]:
    """For each case the names of all that came before it, also indirectly."""
    found: dict[str, set[str]] = {}
    above: str | None = None
    for case in cases:
        direct = ([above] if case.after and above else []) if isinstance(case.after, bool) else case.after
        found[case.name] = {name for one in direct for name in (one, *found[one])}
        above = case.name
    return found


def _seen_from(case: Case, earlier: Case, assessment: Assessment) -> Iterator[tuple[Bucket, Counter]]:
    """What an earlier case counted, as far as it is of the same firm, group, contract or voucher.

    One that came to nothing counted nothing: the desk refuses such a bill, and so no later one hears of it.
    """
    if not assessment.amount_fen:
        return
    one_firm = case.firm == earlier.firm
    one_group = case.facts.holder.get("group") == earlier.facts.holder.get("group") is not None
    shared = {
        "firm": one_firm,
        "group": one_firm or one_group,
        "voucher": one_firm and case.voucher == earlier.voucher,
        "contract": one_firm and case.facts.claim.get("contract_no") == earlier.facts.claim.get("contract_no"),
    }
    yield from ((bucket, counter) for bucket, counter in assessment.counted if shared[bucket.holder])


def _differences(rules: Rules, case: Case, assessment: Assessment) -> Iterator[Difference]:
    if case.expect_fen != assessment.amount_fen:
        yield Difference("amount", str(case.expect_fen), str(assessment.amount_fen))
    if case.expect_reasons is not None:
        expected = sorted({str(code) for code in case.expect_reasons})
        computed = sorted({str(reduction["code"]) for reduction in assessment.reductions})
        if expected != computed:
            yield Difference("reasons", ", ".join(expected) or "-", ", ".join(computed) or "-")
    by_source = dict(split_by_source(rules, assessment.amount_fen))
    parts: tuple[tuple[Literal["years", "sources"], dict[str, int] | None, dict[str, int]], ...] = (
        ("years", case.expect_years_fen, assessment.years_fen),
        ("sources", case.expect_sources_fen, by_source),
    )
    for of, wanted, found in parts:
        if wanted is not None and wanted != found:
            yield Difference(of, _listed(wanted), _listed(found))


def _listed(amounts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {fen}" for name, fen in sorted(amounts.items())) or "-"


def _unreadable(path: Path, sentence: str) -> SchemeFileError:
    return SchemeFileError(path, [FieldError("", "unreadable", detail=sentence)])


def _case_problems(scheme: Scheme) -> Iterator[FieldError]:
    """Cases of one name, cases that follow none above them, facts that nobody knows."""
    seen: set[str] = set()
    for place, case in enumerate(scheme.cases):
        where = f"/cases/{place}"
        if case.name in seen:
            sentence = "another case has this name / 案例名称重复"
            yield FieldError(f"{where}/name", "named_twice", detail=sentence, actual=case.name)
        if case.after is True and place == 0:
            yield FieldError(f"{where}/after", "no_such_case", detail="no case stands above this one / 此前没有案例")
        for at, name in enumerate(() if isinstance(case.after, bool) else case.after):
            if name not in seen:
                sentence = f"no case above is named “{name}” / 此前没有名为“{name}”的案例"
                yield FieldError(f"{where}/after/{at}", "no_such_case", detail=sentence, actual=name)
        seen.add(case.name)
        for problem in fact_problems(scheme.rules, case.facts):
            yield replace(problem, pointer=f"{where}/facts{problem.pointer}", detail=_about_fact(problem))


def _about_fact(problem: FieldError) -> str:
    if problem.code == "unknown_fact":
        return (
            f"{problem.actual} is no known fact; declare it in rules.facts, or use one of {problem.limit}"
            f" / 未知事实 {problem.actual}，请在 rules.facts 中声明，或改用：{problem.limit}"
        )
    if problem.code == "unknown_value":
        return f"“{problem.actual}” is none of {problem.limit} / “{problem.actual}”不是可选值，可选：{problem.limit}"
    en, zh = _TYPE_SHOWN[str(problem.limit)]
    return f"“{problem.actual}” must be {en} / “{problem.actual}”须为{zh}"


_TYPE_SHOWN = {
    "words": ("a word in quotes, or a list of them", "带引号的文字，或其列表"),
    "number": ('a number such as 12 or "12.5"', "数值，如 12 或 “12.5”"),
    "date": ("a day such as 2020-01-01", "日期，如 2020-01-01"),
    "yes_no": ("true or false", "true 或 false"),
}


def _plain(value: Any) -> Any:
    """TOML's days and times as the strings that JSON would have; a local time keeps its minutes."""
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case datetime() if value.tzinfo is None and not value.second and not value.microsecond:
            return value.isoformat(timespec="minutes")
        case date():
            return value.isoformat()
        case _:
            return value
