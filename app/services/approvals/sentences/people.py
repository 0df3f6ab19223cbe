"""What officials may do, as sentences: roles, resets, bands, delegations."""

from __future__ import annotations

from collections.abc import Mapping

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind
from app.kernel.wording import ROLE_NAMES
from app.services.approvals.sentences.act import Act, InWords, Sentence


def _grant_roles(act: Act) -> InWords:
    effect = act.effect
    roles = [role.split(" ") for role in effect["roles"]]
    zh = "、".join(f"{region} {ROLE_NAMES.get(role, role)}" for role, region in roles)
    return InWords(
        f"授予“{effect['organisation']}”的“{effect['name']}”：{zh}。",
        f"Grant “{effect['name']}” of “{effect['organisation']}”: {', '.join(effect['roles'])}.",
    )


def _reset_password(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"允许登记员在 24 小时内邀请“{effect['name']}”（{effect['login']}）重设密码一次。",
        f"Let the registrar invite “{effect['name']}” ({effect['login']}) once within 24 hours to set a new password.",
    )


def _reset_second_factor(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"取消“{effect['name']}”（{effect['login']}）的二次验证；其下次登录时重新设置。",
        f"Take away the second factor of “{effect['name']}” ({effect['login']}), to be set up anew at the next one.",
    )


def _set_bands(act: Act) -> InWords:
    zh, en = [], []
    for band in act.effect["bands"]:
        limit = None if band["up_to_fen"] is None else format_yuan(band["up_to_fen"])
        zh.append(
            f"{'其余' if limit is None else f'{limit} 元以内'}：{'→'.join(ROLE_NAMES[one] for one in band['steps'])}"
        )
        en.append(f"{'above' if limit is None else f'up to {limit} yuan'}: {' → '.join(band['steps'])}")
    day, kind = act.effect["effective_on"], act.effect["of"]
    few = act.effect.get("too_few", ())
    short_zh = "".join(f"注意：{ROLE_NAMES[one['role']]}须 {one['needed']} 人，现有 {one['there']} 人。" for one in few)
    short_en = "".join(f" Note: it takes {one['needed']} of {one['role']}, there are {one['there']}." for one in few)
    return InWords(
        f"自 {day} 起，{kind} 按金额分级审批：{'；'.join(zh)}。{short_zh}",
        f"From {day} on {kind} is approved by amount: {'; '.join(en)}.{short_en}",
    )


def _delegate(act: Act) -> InWords:
    effect = act.effect
    return InWords(
        f"“{effect['delegator']}”将{ROLE_NAMES[effect['role']]}权限授予“{effect['delegate']}”代行，"
        f"{effect['starts_at']} 至 {effect['ends_at']}。",
        f"“{effect['delegate']}” decides as {effect['role']} in the place of “{effect['delegator']}” from"
        f" {effect['starts_at']} to {effect['ends_at']}.",
    )


SENTENCES: Mapping[ApprovalKind, Sentence] = {
    ApprovalKind.GRANT_ROLES: _grant_roles,
    ApprovalKind.RESET_PASSWORD: _reset_password,
    ApprovalKind.RESET_SECOND_FACTOR: _reset_second_factor,
    ApprovalKind.SET_APPROVAL_BANDS: _set_bands,
    ApprovalKind.DELEGATE_POWER: _delegate,
}
