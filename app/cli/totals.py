"""The figures at the end: what became of the bills, what the budget accounts hold, whether the books are right."""

from __future__ import annotations

from collections import defaultdict

from app.cli.cast import caller
from app.cli.lanes import Usage
from app.cli.output import console, say, table, yuan
from app.cli.province import Province
from app.cli.sending import Tally
from app.database import Database
from app.kernel.vocabulary import Account, Role
from app.services.ledger.accounts import account_balances
from app.services.programmes.programmes import list_programmes
from app.services.reconciliation.checking import Report

SHOWN_ACCOUNTS = {
    Account.APPROPRIATION: "预算指标 appropriation",
    Account.AVAILABLE: "可用额度 available",
    Account.COMMITTED: "已发放占用 committed",
    Account.OBLIGATED: "应付 obligated",
}
"""Those that this version of the service moves money between."""
SHOWN_FAILURES = 20
MORE_THAN_ALL = 10_000


def show_usage(usage: Usage, tally: Tally) -> None:
    """The rows of a usage file and what became of them."""
    rows = [
        ["读取行数", "rows read", f"{len(usage.billable) + sum(usage.skipped.values()):,}"],
        *([f"跳过：{reason}", "skipped", f"{count:,}"] for reason, count in sorted(usage.skipped.items())),
        ["应出账单", "billable rows", f"{len(usage.billable):,}"],
        ["卡时", "card-hours", f"{float(usage.card_hours):,.2f}"],
    ]
    table(f"用量文件 / Usage {usage.name}", ["", "", ""], rows, numbers_from=2)
    show_tally(tally)


def show_tally(tally: Tally) -> None:
    """What became of the bills, in 元 and per second."""
    rows = [
        ["已核销账单", "bills redeemed", f"{tally.billed:,}"],
        ["其中此前已答复", "of these answered before", f"{tally.answered_before:,}"],
        *([f"按规则拒绝：{code}", "refused by rule", f"{count:,}"] for code, count in sorted(tally.refused.items())),
        ["账单总额（元）", "bill total", yuan(tally.bill_fen)],
        ["补贴（元）", "subsidy", yuan(tally.subsidy_fen)],
        ["企业自付（元）", "firms pay", yuan(tally.firm_pays_fen)],
        ["每秒核销", "redemptions per second", f"{tally.per_second:,.0f}"],
        ["延迟 p50 / p99（毫秒）", "latency, ms", f"{tally.percentile_ms(0.5):.1f} / {tally.percentile_ms(0.99):.1f}"],
    ]
    if not tally.is_final:
        rows.append(["未得到答复", "without a final answer", f"{len(tally.failed) + tally.unsent:,}"])
    table("核销 / Redemptions", ["", "", ""], rows, numbers_from=2)
    for failure in tally.failed[:SHOWN_FAILURES]:
        console.print(f"  {failure}", markup=False)
    if not tally.is_final:
        say("重新运行本命令即可接续，不会重复核销。", "run the command again: it continues and does nothing twice")


def show_budgets(database: Database, province: Province) -> None:
    """The accounts of every programme in 元, as the auditor sees them."""
    auditor = database.transact(lambda tx: caller(tx, province.person_with(Role.AUDITOR).login))
    programmes = database.transact(lambda tx: list_programmes(tx, caller=auditor, limit=MORE_THAN_ALL))
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for balance in database.transact(lambda tx: account_balances(tx, caller=auditor)):
        # A source is negative in the ledger: what it gave. People read it as what was granted.
        sign = -1 if balance.account == Account.APPROPRIATION else 1
        sums[balance.programme_id][balance.account] += sign * balance.balance_fen
    rows = [
        [programme.title, *(yuan(sums[programme.id][account]) for account in SHOWN_ACCOUNTS)]
        for programme in reversed(programmes)
    ]
    table(
        "预算账户（元） / Budget accounts in yuan", ["项目 programme", *SHOWN_ACCOUNTS.values()], rows, numbers_from=1
    )


def show_report(report: Report) -> None:
    """Every invariant with what breaks it."""
    rows = [
        [str(finding.number), finding.title_zh, finding.title_en, "✓" if not finding.count else f"{finding.count} ✗"]
        for finding in report.findings
    ]
    table("账目核对 / Invariants", [""] * 4, rows)
    for finding in report.findings:
        for difference in finding.differences:
            console.print(
                f"  {finding.name} {difference.region_code} {difference.subject}:"
                f" {difference.expected} ≠ {difference.actual}",
                markup=False,
            )
    if report.difference_count:
        say(f"发现 {report.difference_count} 处差异。", f"{report.difference_count} differences")
    else:
        say(f"{len(report.findings)} 项核对全部成立。", f"all {len(report.findings)} invariants hold")
