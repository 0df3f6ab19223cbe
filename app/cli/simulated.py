"""A simulation's result as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from app.cli.output import say, table, yuan
from app.services.simulation.report import Comparison, Cut, FirmDifference, Simulation

NONE = "—"


def show(name: str, result: Simulation) -> None:
    """Totals, months, what was refused and cut, the largest beneficiaries. Units in kind have two decimals."""
    unit = "元 / yuan" if result.unit == "cny" else result.unit
    table(
        f"{name}：合计（{unit}） / totals",
        ("", ""),
        [
            ("账单 / bills", f"{result.paid_bills} / {result.bills}"),
            ("受益企业 / firms reached", f"{result.firms_reached} / {result.firms}"),
            ("账单金额 / billed", yuan(result.billed_fen)),
            ("可补贴金额 / eligible", yuan(result.eligible_fen)),
            ("补贴 / subsidy", yuan(result.subsidy_fen)),
            ("平均比例 / average rate", result.average_rate or NONE),
            ("预算 / budget", _amount(result.budget_fen)),
            ("预算结余 / left", _amount(result.left_fen)),
            (f"未满足（{result.on_exhaustion}） / unmet", yuan(result.unmet_fen)),
            ("预算用尽日 / budget runs out on", str(result.runs_out_on or NONE)),
        ],
        numbers_from=1,
    )
    table(
        "按月 / per month",
        (
            "月份 / month",
            "账单 / bills",
            "企业 / firms",
            "账单金额 / billed",
            "可补贴 / eligible",
            "补贴 / subsidy",
            "未满足 / unmet",
        ),
        [
            (
                month.month,
                str(month.bills),
                str(month.firms_reached),
                yuan(month.billed_fen),
                yuan(month.eligible_fen),
                yuan(month.subsidy_fen),
                yuan(month.unmet_fen),
            )
            for month in result.months
        ],
        numbers_from=1,
    )
    if result.largest:
        table(
            "补贴最多的企业 / largest beneficiaries",
            ("企业 / firm", "账单 / bills", "补贴 / subsidy", "占比 / share"),
            [(one.firm, str(one.bills), yuan(one.subsidy_fen), one.share or NONE) for one in result.largest],
            numbers_from=1,
        )
    if result.refused:
        table(
            "未获补贴的账单 / bills that got nothing",
            ("原因 / reason", "账单 / bills", "账单金额 / billed"),
            [(one.reason, str(one.bills), yuan(one.billed_fen)) for one in result.refused],
            numbers_from=1,
        )
    if result.cuts:
        table(
            "扣减：基数与补贴分列 / cuts, of the base and of the subsidy",
            ("原因 / reason", "说明 / about", "账单 / bills", "基数 / base", "补贴 / subsidy"),
            [(one.code, _about(one), str(one.bills), yuan(one.base_fen), yuan(one.subsidy_fen)) for one in result.cuts],
            numbers_from=2,
        )


def show_comparison(first: str, second: str, comparison: Comparison) -> None:
    """How the second version differs from the first."""
    table(
        f"{second} 比 {first} / the second less the first",
        ("月份 / month", first, second, "差额 / difference"),
        [
            (month.month, yuan(month.first_fen), yuan(month.second_fen), yuan(month.difference_fen))
            for month in comparison.months
        ],
        numbers_from=1,
    )
    say(f"补贴合计相差 {yuan(comparison.difference_fen)}", "difference in all")
    _firms(f"增加最多（共 {comparison.firms_gaining} 家） / gain most", first, second, comparison.gain_most)
    _firms(f"减少最多（共 {comparison.firms_losing} 家） / lose most", first, second, comparison.lose_most)


def _firms(title: str, first: str, second: str, firms: Sequence[FirmDifference]) -> None:
    if firms:
        table(
            title,
            ("企业 / firm", first, second, "差额 / difference"),
            [(one.firm, yuan(one.first_fen), yuan(one.second_fen), yuan(one.difference_fen)) for one in firms],
            numbers_from=1,
        )


def _about(cut: Cut) -> str:
    """The cap, the requirement, the facts that nobody stated."""
    return " ".join((cut.cap or cut.requirement or "", *cut.missing)).strip()


def _amount(fen: int | None) -> str:
    return NONE if fen is None else yuan(fen)
