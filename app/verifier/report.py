"""The report of a verification, as JSON and as text in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from app.verifier.findings import Finding, Findings
from app.verifier.heads import Summary
from app.verifier.words import CHECKS, WARNINGS

SHOWN = 20


@dataclass(slots=True)
class Report:
    """`findings` is empty where everything is right. `seconds` counts this run, `leaves` those it read."""

    pack: str
    taken_at: str
    regions: list[Summary]
    findings: Findings
    warnings: list[tuple[str, str]] = field(default_factory=list)
    """Names of `words.WARNINGS`, each with what it is about."""
    receipts: dict[str, int] = field(default_factory=dict)
    resumed_at: tuple[str, int] | None = None
    leaves: int = 0
    seconds: float = 0
    replay: Mapping[str, Any] | None = None

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return len(self.findings) == 0

    @property
    def first_wrong_leaf(self) -> Finding | None:
        """Where to look first."""
        return self.findings.first_wrong_leaf([one.region for one in self.regions])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        first = self.first_wrong_leaf
        return {
            "result": "right" if self.is_right else "wrong",
            "pack": self.pack,
            "taken_at": self.taken_at,
            "first_wrong_leaf": None if first is None else asdict(first),
            "finding_count": len(self.findings),
            "counts": self.findings.counts,
            "findings": [
                {**asdict(one), "zh": CHECKS[one.check][0], "en": CHECKS[one.check][1]} for one in self.findings.kept
            ],
            "warnings": [
                {"warning": name, "subject": subject, "zh": WARNINGS[name][0], "en": WARNINGS[name][1]}
                for name, subject in self.warnings
            ],
            "regions": [asdict(one) for one in self.regions],
            "receipts": self.receipts,
            "replay": self.replay,
            "resumed_at": self.resumed_at,
            "leaves": self.leaves,
            "seconds": round(self.seconds, 3),
            "leaves_per_s": round(self.leaves / self.seconds) if self.seconds else None,
        }

    def to_text(self) -> str:
        """For people."""
        lines = [f"审计包 / pack  {self.pack}", f"取于 / taken at  {self.taken_at}"]
        if self.resumed_at is not None:
            lines.append(f"自断点继续 / resumed at  {self.resumed_at[0]} #{self.resumed_at[1]}")
        for one in self.regions:
            cosigned = " ".join(f"{witness}@{size}" for witness, size in one.cosigned.items()) or "–"
            lines += [
                "",
                f"{one.region}  {one.origin}",
                f"  叶子 / leaves {one.leaves}（分录 / entries {one.entries}，未封存 / unsealed {one.unsealed}）",
                f"  树根 / root {one.root}",
                f"  树头 / heads {one.heads}，签名有效 / signed {one.heads_signed}，见证 / cosigned {cosigned}",
                f"  此前树头相符 / earlier heads that fit {one.earlier_heads}",
                f"  事实与过程 / facts and traces {one.texts}",
                f"  规则版本 / rule versions {one.rule_versions}（日志所封存 / sealed in the log {one.rules_bound}）",
                f"  存量记录 / stored rows {sum(one.rows.values())}",
            ]
        if self.receipts:
            told = "，".join(f"{name} {count}" for name, count in self.receipts.items())
            lines += ["", f"回执 / receipts  {told}"]
        if self.replay is not None:
            seed = f"种子 / seed {self.replay['seed']}"
            lines += ["", f"重新计算 / replayed  {self.replay['replayed']}（{seed}）"]
        if self.warnings:
            lines += ["", "注意 / note"]
            lines += [_told(WARNINGS[name], subjects) for name, subjects in self._warned().items()]
        lines.append("")
        if self.is_right:
            lines.append("✓ 一致 / right")
        else:
            lines += self._wrong()
        if self.seconds:
            speed = f"{self.leaves / self.seconds:,.0f}"
            lines.append(f"{self.leaves} 叶子 / leaves，{self.seconds:.1f} s，{speed} 叶子每秒 / leaves per second")
        return "\n".join(lines)

    def _warned(self) -> dict[str, list[str]]:
        """Each warning once, with all that it is about."""
        about: dict[str, list[str]] = {}
        for name, subject in self.warnings:
            about.setdefault(name, []).append(subject)
        return about

    def _wrong(self) -> list[str]:
        lines = [f"✗ 不一致 / wrong：{len(self.findings)} 处 / findings"]
        first = self.first_wrong_leaf
        if first is not None:
            lines.append(f"  第一个出错的叶子 / first wrong leaf: {_line(first)}")
        lines += [f"  {_line(one)}" for one in self.findings.kept[:SHOWN]]
        if len(self.findings) > SHOWN:
            lines.append(f"  … {len(self.findings) - SHOWN} 处未列出，见 --json / more, see --json")
        return lines


def _line(found: Finding) -> str:
    zh, en = CHECKS[found.check]
    place = found.region or ""
    if found.index is not None:
        place += f" #{found.index}" if found.until is None else f" #{found.index}–#{found.until - 1}"
    if found.entry is not None and found.entry != found.subject:
        place += f" {found.entry}"
    values = f"：应为 / expected {found.expected}，实为 / found {found.actual}" if found.expected else ""
    if not values and found.actual:
        values = f"：{found.actual}"
    return f"{place} [{found.check}] {zh} / {en}：{found.subject}{values}"


def _told(words: tuple[str, str], subjects: list[str]) -> str:
    about = "、".join(filter(None, subjects))
    about = f"{about}：" if about else ""
    return f"  {about}{words[0]} / {words[1]}"
