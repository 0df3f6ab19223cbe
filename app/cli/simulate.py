"""`voucher simulate BILLS`: what rules would have granted for a file of bills. Offline, nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from app.cli.lanes import draw
from app.cli.output import Failure, progress, say, step
from app.cli.simulated import show, show_comparison
from app.cli.usage import mapping_for, read_file
from app.kernel.clock import FIRST_DAY, LAST_DAY, civil_date, utc_now
from app.kernel.money import parse_yuan
from app.services.rules.facts import Value
from app.services.rules.model import Rules
from app.services.rules.scheme_file import SchemeFileError, load_scheme
from app.services.simulation.bills import SimulatedBill, with_facts
from app.services.simulation.cells import FACT_READERS, CellProblem
from app.services.simulation.columns import is_bill_heading
from app.services.simulation.engine import simulate as run
from app.services.simulation.reading import read_bills
from app.services.simulation.report import Simulation, compare, plain
from app.services.simulation.sheet import csv_heading
from app.services.simulation.usage import bills_of_usage

DEFAULT_SEED = 65
DEFAULT_FIRMS = 50
_BILL_SUFFIXES = frozenset({".json", ".xlsx"})


@dataclass(frozen=True, slots=True)
class Scheme:
    """A rule version and the name of its file."""

    name: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a usage file does not say and the command line does."""

    firms: int
    seed: int
    start: str | None
    category: str | None


def simulate(
    bills: Annotated[
        Path,
        typer.Argument(help="账单（CSV、xlsx、JSON）或用量文件 / Bills, or usage records", exists=True, dir_okay=False),
    ],
    rules: Annotated[
        list[Path],
        typer.Option(
            help="方案文件（TOML）或规则文档（JSON），一至两个 / Scheme or rules, one or two",
            exists=True,
            dir_okay=False,
        ),
    ],
    mapping: Annotated[
        Path | None,
        typer.Option(help="用量文件的列映射 / Mapping of a usage file's columns", exists=True, dir_okay=False),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="预算（元），缺省不限 / Budget in yuan; without it no limit")
    ] = None,
    firms: Annotated[
        int,
        typer.Option(help="用量文件分配给多少家企业 / Firms among which a usage file is shared", min=1, max=100_000),
    ] = DEFAULT_FIRMS,
    seed: Annotated[
        int, typer.Option(help="种子：决定每行的企业 / Decides each row's firm", min=0, max=10**9)
    ] = DEFAULT_SEED,
    start: Annotated[
        str | None, typer.Option(help="无日期用量的起始日，缺省今年1月1日 / First day of a trace without dates")
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="用量文件所属服务类别，缺省取映射 / Category of a usage file, else the mapping's")
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option(help="账单未写明时适用的事实，如 holder.size=small / A fact of all bills that do not state it"),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="将结果另存为 JSON / Write the result as JSON too", dir_okay=False)
    ] = None,
) -> None:
    """测算规则：逐笔账单按时间先后计算补贴 / What rules would have granted for these bills, in order of time.

    离线运行，不连接数据库，不保存数据。给出两个 --rules 时比较两者。
    Offline, without a database; nothing is stored. With two --rules they are compared.
    """
    if len(rules) > 2:
        raise Failure("最多比较两个规则版本。", "at most two --rules are compared")
    schemes = [_scheme(path) for path in rules]
    budget_fen = _budget_fen(budget)
    with step(f"读取 {bills.name}", "reading the whole file"):
        found = _bills(bills, schemes, mapping, Assigned(firms, seed, start, category))
    found = with_facts(found, _facts(fact or [], schemes))
    results = [_run(scheme, found, budget_fen) for scheme in schemes]
    for scheme, result in zip(schemes, results, strict=True):
        show(scheme.name, result)
    comparison = compare(*results) if len(results) == 2 else None
    if comparison is not None:
        show_comparison(schemes[0].name, schemes[1].name, comparison)
    say(
        "仅为测算，未保存任何数据；未考虑券面余额。", "a simulation: nothing was stored, face values were not looked at"
    )
    if json_file is not None:
        document = {
            "versions": [
                {"rules": scheme.name, **plain(result)} for scheme, result in zip(schemes, results, strict=True)
            ],
            "comparison": plain(comparison),
        }
        json_file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        say(f"已写入 {json_file}", "written")


def _scheme(path: Path) -> Scheme:
    """A scheme file's rules, or a rule document by itself. Raises Failure."""
    try:
        if path.suffix.lower() == ".json":
            document = json.loads(path.read_text(encoding="utf-8-sig"))
            if isinstance(document, dict) and "rules" not in document:
                return Scheme(path.stem, Rules.model_validate_json(json.dumps(document)))
        return Scheme(path.stem, load_scheme(path).rules)
    except (SchemeFileError, ValidationError, ValueError) as error:
        raise Failure(f"{path.name} 不是可用的规则文件。", f"no usable rules: {error}") from error


def _budget_fen(budget: str | None) -> int | None:
    try:
        return None if budget is None else parse_yuan(budget)
    except ValueError as error:
        raise Failure("--budget 不是以元为单位的金额。", str(error)) from error


def _bills(path: Path, schemes: Sequence[Scheme], mapping: Path | None, assigned: Assigned) -> list[SimulatedBill]:
    if mapping is None and _holds_bills(path):
        return read_bills(path.read_bytes(), [scheme.rules for scheme in schemes])
    chosen = mapping_for(path, mapping)
    usage = read_file(path, chosen)
    start_on = _start_on(assigned.start)
    firms, seed = assigned.firms, assigned.seed
    width = len(str(firms))
    say(
        f"用量文件：{len(usage.billable)} 行计费，企业由种子 {seed} 分配（{firms} 家），价格来自映射文件，"
        f"视同已全额签约、开票、付款，无日期者自 {start_on} 起算。",
        "usage records: firms by the seed, prices by the mapping, contracted, invoiced and paid as metered, from"
        f" {start_on} where there are no dates",
    )
    return bills_of_usage(
        usage.billable,
        chosen.prices,
        firm_of=lambda row: f"firm-{draw(seed, row, 'voucher', firms) + 1:0{width}d}",
        start_on=start_on,
        category=assigned.category,
    )


def _holds_bills(path: Path) -> bool:
    return path.suffix.lower() in _BILL_SUFFIXES or is_bill_heading(csv_heading(path.read_bytes()))


def _start_on(start: str | None) -> date:
    if start is None:
        return date(civil_date(utc_now()).year, 1, 1)
    try:
        day = date.fromisoformat(start)
    except ValueError as error:
        raise Failure("--start 不是日期，如 2026-01-01。", "--start is no day such as 2026-01-01") from error
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Failure("--start 超出范围。", f"--start must lie between {FIRST_DAY} and {LAST_DAY}")
    return day


def _facts(stated: Sequence[str], schemes: Sequence[Scheme]) -> dict[str, Value]:
    """The facts of --fact, of the types that the rules know. Raises Failure."""
    types = {name: type_ for scheme in schemes for name, type_ in scheme.rules.fact_types.items()}
    found: dict[str, Value] = {}
    for text in stated:
        name, mark, value = text.partition("=")
        if not mark or name not in types or name.startswith("line."):
            raise Failure(
                f"--fact {text} 不是已知事实，应如 holder.size=small。",
                f"no known fact of holder, provider or claim: {text}",
            )
        try:
            found[name] = FACT_READERS[types[name]](value)
        except CellProblem as problem:
            raise Failure(f"--fact {text} 取值无效。", problem.sentence) from problem
    return found


def _run(scheme: Scheme, bills: Sequence[SimulatedBill], budget_fen: int | None) -> Simulation:
    with _per_cent(
        f"测算 {scheme.name}：{len(bills)} 笔账单（%）", f"{len(bills)} bills, per cent", len(bills)
    ) as done:
        return run(scheme.rules, bills, budget_fen=budget_fen, progress=done)


@contextmanager
def _per_cent(zh: str, en: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar of a hundred parts: a hundred thousand moves of it would take longer than what it shows."""
    shown = 0
    with progress(zh, en, 100) as advance:

        def done(count: int) -> None:
            nonlocal shown
            reached = count * 100 // max(total, 1)
            while shown < reached:
                shown += 1
                advance()

        yield done
