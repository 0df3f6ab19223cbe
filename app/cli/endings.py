"""How a command ends that cannot do what was asked: what is told on standard error, and the status.

0 done · 1 refused, or not possible · 2 wrong usage · 3 the service cannot be reached, or gave no answer ·
4 nobody is signed in, or no longer · 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.cli.output import PLAIN_WIDTH, Failure
from app.client import (
    ClientError,
    NotAPath,
    NotSignedIn,
    Problem,
    Unauthenticated,
    Undecided,
    Unreachable,
    Unreadable,
)
from app.client.problems import MOST_PLACES, Failed
from app.client.wire import STEP_UP_NEEDED

DONE, REFUSED, USAGE, NO_ANSWER, SIGN_IN, INTERRUPTED = 0, 1, 2, 3, 4, 130


_CHINESE: Mapping[type[ClientError], str] = {
    NotAPath: "路径或其中的编号格式不正确。",
    NotSignedIn: "登录失败。",
    Unreachable: "无法连接服务。",
    Undecided: "未收到答复，可能已经执行，也可能没有。",
    Unreadable: "服务的答复不符合接口契约。",
}


class Interrupted(Failure):
    """Ctrl-C."""


class NobodySignedIn(Failure):
    """No token is kept on this machine, or it has run out."""

    def __init__(self) -> None:
        super().__init__(
            "尚未登录或登录已过期，请先运行 voucher login。",
            "nobody is signed in, or no longer: run voucher login first",
            status=SIGN_IN,
        )


def status_of(error: Failure | ClientError) -> int:
    """The status with which a command ends that raised this."""
    if isinstance(error, Interrupted):
        return INTERRUPTED
    if isinstance(error, Failure):
        return error.status
    if isinstance(error, (Unauthenticated, NotSignedIn)):
        return SIGN_IN
    if isinstance(error, NotAPath):
        return USAGE
    if isinstance(error, Problem):
        return NO_ANSWER if error.is_transient or isinstance(error, Failed) else REFUSED
    return NO_ANSWER


def tell(error: Failure | ClientError) -> None:
    """Say on standard error what was wrong; what is wrong in the rows of a sheet as a table."""
    if isinstance(error, Problem) and any(place.row for place in error.errors):
        console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PLAIN_WIDTH)
        console.print(escape(f"{error.status} {error.code}: {error.detail}"))
        console.print(_rows(error))
        if (more := len(error.errors) - MOST_PLACES) > 0:
            console.print(f"… +{more}")
        return
    chinese = next((zh for kind, zh in _CHINESE.items() if isinstance(error, kind)), None)
    print(f"{chinese} / {error}" if chinese else error, file=sys.stderr)
    if isinstance(error, Unauthenticated) and error.code == STEP_UP_NEEDED:
        print("请先运行 voucher step-up。 / run voucher step-up first", file=sys.stderr)
    elif isinstance(error, Unauthenticated):
        print("请先运行 voucher login。 / run voucher login first", file=sys.stderr)
    if isinstance(error, Undecided):
        again = (
            "重新运行同一命令即可接续，不会重复执行。 / run the same command again: it goes on and does nothing twice"
            if error.key
            else "请先查询是否已执行。 / look whether it was done before you try again"
        )
        print(again, file=sys.stderr)


def _rows(error: Problem) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("行 row", justify="right")
    table.add_column("列 column")
    table.add_column("问题 what is wrong", overflow="fold")
    for place in error.errors[:MOST_PLACES]:
        row = str(place.row) if place.row else place.pointer
        table.add_row(row, escape(place.column or ""), escape(place.detail or place.code))
    return table
