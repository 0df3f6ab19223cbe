"""Sheets at an official's own machine: a template written, and an annotated copy beside what was sent."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from app.cli.office.counter import Column, Office
from app.cli.output import Failure
from app.client import Invalid

Force = Annotated[bool, typer.Option("--force", help="覆盖已有文件 / Write over a file that is there")]
Total = Annotated[
    str, typer.Option("--total-yuan", "--total", help="申报总额（元），如 1234.50 / Declared total in yuan")
]


def save_template(office: Office, path: Path, content: bytes, *, force: bool) -> None:
    """Write a template and say where."""
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise Failure(f"{path} 已存在，覆盖请加 --force。", "it is there already: --force writes over it") from error
    except OSError as error:
        raise Failure(f"无法写入 {path}。", str(error)) from error
    office.answer({"file": str(path)}, [Column("模板", "template", lambda one: one["file"])])


@contextmanager
def annotating(office: Office, sheet: Path, annotated: Callable[[], bytes]) -> Iterator[None]:
    """Where rows are wrong an annotated copy is written beside the sheet."""
    try:
        yield
    except Invalid as refused:
        if any(place.row for place in refused.errors):
            copy = save_copy(sheet, annotated())
            office.say(
                f"逐行批注的副本（更正后可直接提交）：{copy}", f"annotated copy, to be corrected and submitted: {copy}"
            )
        raise


def save_copy(sheet: Path, content: bytes) -> Path:
    """Write the annotated copy of a sheet beside it, under a name that is free, and return where."""
    for number in itertools.count(1):
        path = sheet.with_name(f"{sheet.stem}-校验结果{number if number > 1 else ''}.xlsx")
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        except OSError as error:
            raise Failure(f"无法写入 {path}。", str(error)) from error
        return path
    raise AssertionError("some name is free")
