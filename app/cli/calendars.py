"""`voucher calendar load FILE`: a year's table of holidays (节假日安排), from the State Council's notice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import Refused
from app.cli.groups import Group
from app.cli.login import signed_in
from app.cli.output import Failure, say, table
from app.kernel.vocabulary import DayKind
from app.services.calendar_files import CalendarFile, read_calendar_file

app = typer.Typer(
    cls=Group,
    name="calendar",
    help="节假日安排与工作日 / Holidays and working days",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """节假日安排与工作日 / Holidays and working days."""


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="节假日安排 .xlsx 或 .csv / The table", exists=True, dir_okay=False)],
    document: Annotated[
        str | None, typer.Option(help="通知文号（文件无“文号”列时） / Number of the notice, where the file has none")
    ] = None,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="替换已导入的该年安排 / Replace what is there")] = False,
) -> None:
    """导入一年的节假日安排，供计算工作日 / Load a year's holidays, by which working days are counted.

    列：日期、类型（放假或上班）、名称、文号；样例见 examples/calendars。
    重复导入无效果；已有不同安排时须加 --replace，旧版保留。
    Columns as in examples/calendars. The same table again does nothing; another one needs --replace, and the old stays.
    """
    read = read_calendar_file(file.read_bytes())
    document_no = document or read.document_no
    if document_no is None:
        raise Failure("请用 --document 注明通知文号。", "say with --document which notice it is taken from")
    path = f"/v1/calendars/{read.year}"
    body = {
        "document_no": document_no,
        "days": [{"day": day.day.isoformat(), "kind": day.kind, "name": day.name} for day in read.days],
    }
    with signed_in() as api:
        known = _known(api.get, path)
        if known is not None and not replace and _says(known) != _says({"year": read.year} | body):
            raise Failure(
                f"{read.year} 年安排已导入（{known['document_no']}，第 {known['version']} 版），且与文件不同；"
                "确需替换请加 --replace。",
                f"{read.year} is there as version {known['version']} and differs; --replace replaces it",
            )
        loaded = api.send("PUT", path, json=body, if_match=f'"{known["version"]}"' if known else None)
    _tell(read, loaded, is_new=known is None or known["version"] != loaded["version"])


@app.command()
def show(
    year: Annotated[int | None, typer.Argument(help="年份，缺省为全部 / The year, all where missing")] = None,
) -> None:
    """列出已导入的节假日安排 / Show the tables that are loaded."""
    with signed_in() as api:
        tables = api.get("/v1/calendars")["data"] if year is None else [api.get(f"/v1/calendars/{year}")]
    for known in tables:
        rows = [
            (day["day"], "放假 off" if day["kind"] == DayKind.HOLIDAY else "上班 worked", day["name"])
            for day in known["days"]
        ]
        table(f"{known['year']} {known['document_no']}（第 {known['version']} 版）", ("日期", "类型", "名称"), rows)
    if not tables:
        say("尚未导入任何年份。", "no year is loaded")


def _known(get: Any, path: str) -> dict[str, Any] | None:
    try:
        known: dict[str, Any] = get(path)
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return None
    return known


def _says(table_: dict[str, Any]) -> tuple[str, list[tuple[str, str, str]]]:
    days = sorted((day["day"], str(day["kind"]), day["name"]) for day in table_["days"])
    return table_["document_no"], days


def _tell(read: CalendarFile, loaded: dict[str, Any], *, is_new: bool) -> None:
    off = sum(day.kind is DayKind.HOLIDAY for day in read.days)
    counted = f"放假 {off} 天，调休上班 {len(read.days) - off} 天"
    if is_new:
        say(
            f"已导入 {read.year} 年节假日安排（{loaded['document_no']}，第 {loaded['version']} 版）：{counted}",
            f"loaded: {off} days off, {len(read.days) - off} worked at weekends",
        )
    else:
        say(f"{read.year} 年安排此前已导入，未作更改：{counted}", "it was there already; nothing was changed")
