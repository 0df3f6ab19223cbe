"""`voucher rules`: write a scheme as a file, check it, compute its cases, and see why each came out as it did.

Nothing here needs a running service: what is computed is what the service would compute.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.api.portal.explanation import Explanation, explain_assessment
from app.api.portal.texts import Words
from app.cli.groups import Group
from app.cli.new_scheme import STARTING_FILE
from app.cli.output import Failure, console, say, table, yuan
from app.kernel.places import in_language
from app.kernel.problems import FieldError
from app.services.rules.checks import check
from app.services.rules.differences import differences
from app.services.rules.findings import Severity
from app.services.rules.schema import document_schema
from app.services.rules.scheme_file import Outcome, Scheme, SchemeFileError, load_scheme, run_cases

app = typer.Typer(cls=Group, no_args_is_help=True, help="规则文件 / Scheme files")

SchemePath = Annotated[Path, typer.Argument(help="规则文件 .toml 或 .json / A scheme file", show_default=False)]

ASIDE = {"reasons": "原因代码 reasons", "years": "分年度（分） by year, fen", "sources": "分来源（分） by source, fen"}
"""What a case may state besides its amount."""

SEVERITIES: dict[Severity, str] = {"error": "错误 error", "warning": "提示 warning"}


@app.callback()
def rules() -> None:
    """规则文件：新建、检查、测算、说明、比较 / Scheme files: start, check, compute, explain, compare."""


@app.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(help="规则文件 / Scheme files", show_default=False)],
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="不显示提示 / Leave warnings out")] = False,
) -> None:
    """校验规则文件并测算其案例，有错误或案例不符时返回 1 / Check files and compute their cases.

    逐项显示矛盾（错误）与须斟酌之处（提示），再列出每个案例的应得与计算结果。
    Ends with status 1 where a file has an error or a case came out otherwise than expected.
    """
    if not all([_checked(path, quiet=quiet) for path in files]):  # noqa: C419 - every file is told, not the first wrong one
        raise typer.Exit(1)


@app.command("explain")
def explain_cases(
    file: SchemePath,
    case: Annotated[str | None, typer.Option(help="案例名称，缺省为全部 / Name of a case; else all")] = None,
) -> None:
    """逐步说明案例的计算过程 / Tell step by step how a case came to its amount."""
    scheme = _loaded(file)
    outcomes = [outcome for outcome in run_cases(scheme) if case is None or outcome.case.name == case]
    if not outcomes:
        names = "、".join(one.name for one in scheme.cases) or "-"
        raise Failure(
            f"{file.name} 没有名为“{case}”的案例，现有：{names}。", f"no case of this name; there are: {names}"
        )
    for outcome in outcomes:
        _explain(scheme, outcome)


@app.command("schema")
def write_schema(
    path: Annotated[
        Path | None, typer.Argument(help="写入的文件，缺省为标准输出 / Where to; else standard output")
    ] = None,
) -> None:
    """输出规则文档的 JSON Schema / Write the JSON Schema of a rule document."""
    text = json.dumps(document_schema(), ensure_ascii=False, indent=2) + "\n"
    if path is None:
        typer.echo(text, nl=False)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"无法写入 {path}。", f"cannot be written: {error}") from error
    say(f"已写入 {path}", "written")


@app.command("diff")
def diff_files(before: SchemePath, after: SchemePath) -> None:
    """逐字段比较两份规则文件 / Compare two scheme files field by field."""
    documents = [_loaded(path).rules.model_dump(mode="json") for path in (before, after)]
    changes = differences(documents[0], documents[1])
    if not changes:
        say("两份规则相同。", "the rules are the same")
        return
    table(
        f"{before.name} → {after.name}",
        ["位置 place", "原 before", "现 after", "含义 meaning"],
        [[one.pointer, _shown(one.before), _shown(one.after), f"{one.zh} {one.en}".strip()] for one in changes],
    )


@app.command("json")
def as_json(
    file: SchemePath,
    *,
    into: Annotated[
        Path | None, typer.Option(help="放入该请求体的 rules 字段 / Put them into this request body as its rules")
    ] = None,
) -> None:
    """输出规则文档（JSON），可放入请求体供接口使用 / The rules as JSON, by themselves or within a request body.

    voucher rules json FILE --into programme.json | voucher api POST /v1/programmes --json -
    """
    document = _loaded(file).rules.model_dump(mode="json")
    if into is not None:
        try:
            body = json.loads(into.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Failure(f"无法读取 {into}。", f"not readable as JSON: {error}") from error
        if not isinstance(body, dict):
            raise Failure(f"{into} 不是 JSON 对象。", "no JSON object")
        document = {**body, "rules": document}
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


@app.command("new")
def new_file(file: SchemePath) -> None:
    """新建带注释的规则文件 / Start a scheme file, with comments."""
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(STARTING_FILE)
    except FileExistsError as error:
        raise Failure(f"{file} 已存在，未作改动。", "the file exists already; nothing was changed") from error
    except OSError as error:
        raise Failure(f"无法写入 {file}。", f"cannot be written: {error}") from error
    say(f"已新建 {file}，下一步：voucher rules check {file}", "started; check it next")


def _checked(path: Path, *, quiet: bool) -> bool:
    """Tell everything about one file; whether nothing is wrong with it."""
    try:
        scheme = load_scheme(path)
    except SchemeFileError as error:
        _tell_places(path, "错误 error", error.problems)
        return False
    findings = check(scheme.rules)
    for severity, label in SEVERITIES.items():
        if severity == "error" or not quiet:
            places = [
                FieldError(f"/rules{one.pointer}", one.code, detail=f"{one.en} / {one.zh}")
                for one in findings
                if one.severity == severity
            ]
            _tell_places(path, label, places)
    if any(one.severity == "error" for one in findings):
        return False
    outcomes = run_cases(scheme)
    _tell_cases(path, scheme, outcomes)
    return all(outcome.passed for outcome in outcomes)


def _tell_places(path: Path, label: str, places: Sequence[FieldError]) -> None:
    for place in places:
        sentence = place.detail or place.code
        console.print(f"{path.name} {place.pointer or '/'} [{label}] {_both(sentence)}", markup=False)


def _both(sentence: str) -> str:
    """`English / 中文` the other way round, as the command line speaks."""
    zh, en = in_language(sentence, "zh"), in_language(sentence, "en")
    return sentence if zh == en else f"{zh} / {en}"


def _tell_cases(path: Path, scheme: Scheme, outcomes: Sequence[Outcome]) -> None:
    rows = []
    for outcome in outcomes:
        reasons = dict.fromkeys(str(reduction["code"]) for reduction in outcome.assessment.reductions)
        verdict = "✓" if outcome.passed else "✗ 不符 differs"
        amounts = [yuan(outcome.case.expect_fen), yuan(outcome.assessment.amount_fen)]
        rows.append([verdict, outcome.case.name, ", ".join(reasons) or "-", *amounts])
    passed = sum(outcome.passed for outcome in outcomes)
    table(
        f"{path.name} {scheme.scheme.title_zh} {scheme.scheme.title_en}: {passed}/{len(outcomes)}",
        ["", "案例 case", "原因 reasons", "应得 expected", "计算 computed"],
        rows,
        numbers_from=3,
    )
    for outcome in outcomes:
        for one in outcome.differences:
            if one.of in ASIDE:
                text = f"{outcome.case.name} {ASIDE[one.of]}：应为 {one.expected}，计算为 {one.computed}"
                say(text, f"expected {one.expected}, computed {one.computed}")


def _explain(scheme: Scheme, outcome: Outcome) -> None:
    chinese, english = (_told(scheme, outcome, language) for language in ("zh", "en"))
    console.print(f"■ {outcome.case.name}", markup=False)
    for number, (zh, en) in enumerate(zip(chinese.sentences, english.sentences, strict=True), start=1):
        console.print(f"  {number}. {zh}\n     {en}", markup=False)
    table(
        "",
        ["计算 calculation", "依据 basis", f"{chinese.unit} {english.unit}"],
        [
            [f"{zh.label} {en.label}", zh.basis, yuan(zh.amount_fen)]
            for zh, en in zip(chinese.rows, english.rows, strict=True)
        ],
        numbers_from=2,
    )
    for zh, en in zip(chinese.advice, english.advice, strict=True):
        console.print(f"  → {zh}\n    {en}", markup=False)


def _told(scheme: Scheme, outcome: Outcome, language: str) -> Explanation:
    """The trace in words; a file that is not published yet counts as the first version."""
    assessment = outcome.assessment
    return explain_assessment(
        [{"step": "rule_version", "number": 1}, *assessment.steps],
        assessment.reductions,
        Words(language),
        rules=scheme.rules,
        amount_fen=assessment.amount_fen,
        bill_fen=sum(line.amount_fen for line in outcome.case.facts.lines),
    )


def _loaded(path: Path) -> Scheme:
    try:
        return load_scheme(path)
    except SchemeFileError as error:
        _tell_places(path, "错误 error", error.problems)
        raise typer.Exit(1) from error


def _shown(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
