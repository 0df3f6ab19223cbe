"""`voucher replay-assessment`: an auditor computes a stored amount again, on his own machine."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import Api
from app.cli.output import Failure, say, table, yuan
from app.client.signing_in import current_session
from app.kernel.canonical import canonical
from app.services.redemption.replaying import StoredAssessment, replay


def replay_assessment(
    subject: Annotated[
        str, typer.Argument(help="核销、预占或退款编号（rdm_… / hld_… / rfd_…） / id of a redemption, hold or refund")
    ],
    file: Annotated[
        Path | None, typer.Option(help="从文件读取（离线），而非通过接口 / read it from a file instead of the API")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="保存所读取的依据 / save what was read, to replay it offline")
    ] = None,
) -> None:
    """按存档的事实与规则重新计算补贴，须与存档逐字节一致 / Compute a stored subsidy again; it must agree to the byte.

    不一致时以状态 1 结束。需审计或经办人员先登录（voucher login）。
    Status 1 where anything differs. An auditor or an official signs in first (voucher login).
    """
    document = json.loads(file.read_text(encoding="utf-8")) if file is not None else _fetched(subject)
    if save is not None:
        save.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    stored = _stored(document)
    if stored.subject_id != subject:
        raise Failure(f"文件中是 {stored.subject_id}，而非 {subject}。", f"the file holds {stored.subject_id}")
    found = replay(stored)
    table(
        subject,
        ("", "存档 / stored", "重算 / computed"),
        [
            ("补贴（元） / subsidy (yuan)", yuan(stored.amount_fen), yuan(found.amount_fen)),
            ("规则版本 / rule version", f"{stored.rule_version_number} {stored.rules_sha256[:16]}…", ""),
            ("计算过程 / trace", f"{len(stored.trace)} B", f"{len(found.trace)} B"),
        ],
        numbers_from=1,
    )
    if found.differences:
        raise Failure(f"不一致：{'；'.join(found.differences)}。", f"differs: {'; '.join(found.differences)}")
    say(
        "一致：事实、规则与账簿所载哈希相符，重算结果相同。", "agrees: facts, rules and trace match the ledger's hashes"
    )


def _fetched(subject: str) -> dict[str, Any]:
    session = current_session()
    if session is None:
        raise Failure("请先登录：voucher login。", "sign in first: voucher login")
    with Api(session.url, session.token) as api:
        document: dict[str, Any] = api.get(f"/v1/redemptions/{subject}/assessment")
    return document


def _stored(document: dict[str, Any]) -> StoredAssessment:
    """The answer of the API as it is stored: its documents written canonically again."""
    texts = {
        name: canonical(document[name]).decode() if document[name] is not None else None
        for name in ("facts", "refund_facts", "trace", "rules")
    }
    others = {other_id: canonical(facts).decode() for other_id, facts in document["others"].items()}
    judged_at = datetime.fromisoformat(document["judged_at"])
    return StoredAssessment(**document | texts | {"judged_at": judged_at, "others": others})
