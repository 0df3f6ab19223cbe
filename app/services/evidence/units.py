"""The published list of units: what lines of bills are usually counted in. Documentation, and a guard against typos.

Which units a category knows is for each programme's rules to say (`category_units`).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.services.evidence.accelerators import CARD_HOUR, PFLOPS_HOUR


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a bill's line, and what kind of service is counted in it."""

    code: str
    en: str
    zh: str
    counts: str
    """`compute`, `tokens`, `storage`, `network`, `assessment` or `service`."""


UNITS: tuple[Unit, ...] = (
    Unit(CARD_HOUR, "one accelerator card for an hour", "卡时：一张加速卡使用一小时", "compute"),
    Unit(
        PFLOPS_HOUR, "one PFLOPS (FP16, dense) for an hour", "PFLOPS·时：FP16 稠密算力 1 PFLOPS 使用一小时", "compute"
    ),
    Unit("node_hour", "one server for an hour", "节点时：一台服务器使用一小时", "compute"),
    Unit("core_hour", "one CPU core for an hour", "核时：一个 CPU 核使用一小时", "compute"),
    Unit("hour", "an hour", "小时", "service"),
    Unit("day", "a day of work", "工作日", "service"),
    Unit("thousand_tokens", "a thousand tokens", "千词元", "tokens"),
    Unit("million_token", "a million tokens", "百万词元", "tokens"),
    Unit("token", "a token", "词元", "tokens"),
    Unit("gigabyte_month", "a gigabyte stored for a month", "GB·月", "storage"),
    Unit("terabyte_month", "a terabyte stored for a month", "TB·月", "storage"),
    Unit("gigabyte", "a gigabyte transferred", "GB（传输）", "network"),
    Unit("report", "a report", "份（报告）", "assessment"),
    Unit("piece", "a piece", "件", "service"),
    Unit("month", "a month", "月", "service"),
    Unit("package", "a package of services", "套", "service"),
)
"""In this order they are published."""

CODES = frozenset(unit.code for unit in UNITS)
