"""What approving does, in a sentence: made from the command and its effect, in Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.kernel.money import format_yuan
from app.kernel.vocabulary import ApprovalKind

ROLE_NAMES = {
    "registrar": "登记员",
    "maker": "经办",
    "checker": "审核",
    "finance": "财政",
    "auditor": "审计",
    "provider": "服务机构",
    "firm": "企业",
    "system_admin": "系统管理员",
    "security_admin": "安全管理员",
    "audit_admin": "审计管理员",
}


@dataclass(frozen=True, slots=True)
class InWords:
    """The same sentence twice."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class _Act:
    """What a sentence is made of."""

    subject_id: str
    amount_fen: int | None
    command: Mapping[str, Any]
    effect: Mapping[str, Any]

    def yuan(self) -> str:
        return "-" if self.amount_fen is None else format_yuan(abs(self.amount_fen))


def in_words(
    kind: str, *, subject_id: str, amount_fen: int | None, command: Mapping[str, Any], effect: Mapping[str, Any]
) -> InWords:
    """What approving the last step does. A kind without a sentence of its own is named with subject and amount."""
    act = _Act(subject_id, amount_fen, command, effect)
    try:
        told = _SENTENCES[ApprovalKind(kind)](act)
    except KeyError:  # an act without a sentence, or one whose effect was written before there were sentences
        told = _plain(kind, act)
    if splitting := effect.get("splitting"):
        told = _with_splitting(told, splitting)
    return told


def has_sentence(kind: ApprovalKind) -> bool:
    """Whether a kind of act has a sentence of its own."""
    return kind in _SENTENCES


def _plain(kind: str, act: _Act) -> InWords:
    zh_amount = "" if act.amount_fen is None else f"，金额 {act.yuan()} 元"
    en_amount = "" if act.amount_fen is None else f", {act.yuan()} yuan"
    return InWords(f"办理 {kind}：{act.subject_id}{zh_amount}。", f"Do {kind} on {act.subject_id}{en_amount}.")


def _with_splitting(told: InWords, splitting: Mapping[str, Any]) -> InWords:
    count, yuan, steps = splitting["count"], format_yuan(splitting["total_fen"]), len(splitting["steps_for_total"])
    return InWords(
        f"{told.zh}注意：同一经办人当日同类提请 {count} 件，合计 {yuan} 元，合并须经 {steps} 步，疑为拆分。",
        f"{told.en} Note: the same maker has asked for {count} such acts today, {yuan} yuan together, which as one"
        f" would take {steps} steps: they may have been split.",
    )


def _publish_programme(act: _Act) -> InWords:
    title, year, warnings = act.effect["title"], act.effect["fiscal_year"], len(act.effect.get("warnings", ()))
    digest = str(act.command["rules_sha256"])[:12]
    return InWords(
        f"发布 {year} 年度项目“{title}”及其规则（摘要 {digest}），规则提示 {warnings} 条。",
        f"Publish the programme “{title}” of {year} with its rules (hash {digest}); {warnings} warning(s).",
    )


def _publish_rules(act: _Act) -> InWords:
    effect, changes = act.effect, len(act.effect.get("changes", ()))
    return InWords(
        f"自 {effect['effective_on']} 起，项目“{effect['title']}”改用第 {effect['number']} 版规则，"
        f"与现行第 {effect['compared_with']} 版相比有 {changes} 处变化。",
        f"From {effect['effective_on']} on the programme “{effect['title']}” follows version {effect['number']} of its"
        f" rules, which differs from version {effect['compared_with']} in {changes} place(s).",
    )


def _resume(act: _Act) -> InWords:
    title = act.effect["title"]
    return InWords(
        f"恢复已暂停的项目“{title}”，重新允许发放与核销。",
        f"Let the paused programme “{title}” go on: issuing and redeeming are possible again.",
    )


def _admit(act: _Act) -> InWords:
    effect = act.effect
    categories, prices = effect["categories"], len(effect.get("prices") or ())
    return InWords(
        f"将“{effect['provider']}”列入项目“{effect['programme']}”，"
        f"类别：{'、'.join(categories) or '无'}；价目 {prices} 行。",
        f"Admit “{effect['provider']}” to “{effect['programme']}” for {', '.join(categories) or 'no category'},"
        f" with {prices} listed price(s).",
    )


def _appropriate(act: _Act) -> InWords:
    effect, takes = act.effect, (act.amount_fen or 0) < 0
    before, after = format_yuan(effect["available_before_fen"]), format_yuan(effect["available_after_fen"])
    zh, en = ("收回", "Take back") if takes else ("下达", "Grant")
    return InWords(
        f"向项目“{effect['programme']}”（{effect['fund_source']}）{zh}预算 {act.yuan()} 元，"
        f"文号 {act.command['document_no']}；"
        f"可用额度由 {before} 元变为 {after} 元。",
        f"{en} {act.yuan()} yuan {'from' if takes else 'to'} “{effect['programme']}” ({effect['fund_source']}),"
        f" document {act.command['document_no']}; available goes from {before} to {after} yuan.",
    )


def _issue(act: _Act) -> InWords:
    effect, days = act.effect, act.effect.get("notice_working_days")
    pools = effect.get("pools", ())
    zh = "；".join(f"{one['fund_source']} 发放后可用 {format_yuan(one['available_after_fen'])} 元" for one in pools)
    en = "; ".join(f"{one['fund_source']} has {format_yuan(one['available_after_fen'])} yuan left" for one in pools)
    return InWords(
        f"按项目“{effect['programme']}”向 {effect['firms']} 家企业发放 {effect['count']} 张券，"
        f"面值合计 {act.yuan()} 元；{zh}。{'' if days is None else f'须先公示满 {days} 个工作日。'}",
        f"Issue {effect['count']} voucher(s) to {effect['firms']} firm(s) under “{effect['programme']}”,"
        f" {act.yuan()} yuan in all; {en}."
        f"{'' if days is None else f' It has to be shown to the public for {days} working days first.'}",
    )


def _voucher(zh: str, en: str) -> Callable[[_Act], InWords]:
    def told(act: _Act) -> InWords:
        effect = act.effect
        balance, held = format_yuan(effect["balance_fen"]), format_yuan(effect["held_fen"])
        more_zh, more_en = _frees_or_extends(effect)
        if "vouchers" in effect:
            which_zh, which_en = f"{effect['count']} 张券", f"{effect['count']} voucher(s)"
        else:
            which_zh = f"“{effect['firm']}”的券 {act.subject_id}"
            which_en = f"the voucher {act.subject_id} of “{effect['firm']}”"
        return InWords(
            f"{zh}{which_zh}（余额 {balance} 元，预占 {held} 元）{more_zh}。",
            f"{en} {which_en} (balance {balance}, held {held} yuan){more_en}.",
        )

    return told


def _void(act: _Act) -> InWords:
    told = _voucher("作废", "Void")(act)
    effect = act.effect
    if "related_to" not in effect:
        return told
    found = [one["related"] for one in effect.get("vouchers", [effect])]
    links = "、".join(sorted({link for one in found for link in one["relation_ids"]})) or "-"
    count, redeemed = sum(len(one["redemption_ids"]) for one in found), sum(one["redeemed_fen"] for one in found)
    signs = sorted({sign for one in found for sign in one["signs"]})
    digest, by_rules = str(effect["evidence_sha256"])[:12], all(one["signs"] for one in found)
    zh = "" if by_rules else "注意：按现行规则并不都视为关联。"
    en = "" if by_rules else " Note: by the rules in force not all of it counts as related."
    return InWords(
        f"{told.zh}事由：与服务机构“{effect['related_name']}”存在关联关系"
        f"（{'、'.join(signs) or '-'}；登记编号 {links}），"
        f"其间核销 {count} 笔、净额 {format_yuan(redeemed)} 元；依据 {effect['evidence']}（SHA-256 {digest}…）。{zh}",
        f"{told.en} Ground: related to the provider “{effect['related_name']}” ({', '.join(signs) or '-'}; on record as"
        f" {links.replace('、', ', ')}), {count} redemption(s) of {format_yuan(redeemed)} yuan net meanwhile; evidence"
        f" {effect['evidence']} (SHA-256 {digest}…).{en}",
    )


def _frees_or_extends(effect: Mapping[str, Any]) -> tuple[str, str]:
    if freed_fen := effect.get("released_fen"):
        freed = format_yuan(freed_fen)
        return f"，{freed} 元退回资金池", f"; {freed} yuan go back to the pools"
    if "last_day" in effect:
        before, after = effect["last_day_before"], effect["last_day"]
        return f"，有效期由 {before} 延至 {after}", f"; its last day is {after} instead of {before}"
    return "", ""


def _close_programme(act: _Act) -> InWords:
    effect = act.effect
    promised = format_yuan(effect["promised_fen"])
    return InWords(
        f"关闭项目“{effect['title']}”，不再发放且不可恢复；"
        f"在外 {effect['vouchers']} 张券（{promised} 元）照常使用，"
        f"待审批次 {effect['waiting_batches']} 个不再发放。",
        f"Close the programme “{effect['title']}” for good: nothing more is issued, {effect['waiting_batches']} waiting"
        f" batch(es) neither; {effect['vouchers']} voucher(s) with {promised} yuan live on.",
    )


def _provider(zh: str, en: str) -> Callable[[_Act], InWords]:
    def told(act: _Act) -> InWords:
        effect = act.effect
        held, owed = format_yuan(effect["held_fen"]), format_yuan(effect["owed_fen"])
        return InWords(
            f"{zh}“{effect['provider']}”在项目“{effect['programme']}”中的入围资格；"
            f"未结预占 {held} 元，应付 {owed} 元。",
            f"{en} “{effect['provider']}” in “{effect['programme']}”: {held} yuan held, {owed} yuan owed.",
        )

    return told


def _move_quota(act: _Act) -> InWords:
    effect = act.effect
    before, after = (format_yuan(effect[f"county_available_{when}_fen"]) for when in ("before", "after"))
    takes = (act.amount_fen or 0) < 0
    return InWords(
        f"项目“{effect['programme']}”（{effect['fund_source']}）向{effect['county']}{'收回' if takes else '分配'}额度"
        f" {act.yuan()} 元；其可用额度由 {before} 元变为 {after} 元。",
        f"{'Take back from' if takes else 'Share out to'} {effect['county']} {act.yuan()} yuan of"
        f" “{effect['programme']}” ({effect['fund_source']}); available there goes from {before} to {after} yuan.",
    )


def _order_payment(act: _Act) -> InWords:
    effect, account = act.effect, act.effect.get("account")
    zh = f"账户 {account['account_no']}（{account['bank_name']}）" if account else "未登记收款账户"
    en = f"account {account['account_no']} at {account['bank_name']}" if account else "no account is on file"
    return InWords(
        f"向“{effect['payee']}”支付 {effect['count']} 笔核销，合计 {act.yuan()} 元；{zh}。",
        f"Pay “{effect['payee']}” {act.yuan()} yuan for {effect['count']} redemption(s); {en}.",
    )


def _reverse(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"冲正分录 {act.subject_id}（{effect['kind']}），金额 {act.yuan()} 元。",
        f"Reverse the entry {act.subject_id} ({effect['kind']}), {act.yuan()} yuan.",
    )


def _close_year(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"关闭项目“{effect['programme']}”{effect['fiscal_year']} 年度的 {len(effect['pools'])} 个资金池，"
        f"收回结余 {act.yuan()} 元。",
        f"Close {effect['fiscal_year']} of “{effect['programme']}”: {len(effect['pools'])} pool(s),"
        f" {act.yuan()} yuan lapse.",
    )


def _grant_roles(act: _Act) -> InWords:
    effect = act.effect
    roles = [role.split(" ") for role in effect["roles"]]
    zh = "、".join(f"{region} {ROLE_NAMES.get(role, role)}" for role, region in roles)
    return InWords(
        f"授予“{effect['organisation']}”的“{effect['name']}”：{zh}。",
        f"Grant “{effect['name']}” of “{effect['organisation']}”: {', '.join(effect['roles'])}.",
    )


def _reset_password(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"允许登记员在 24 小时内邀请“{effect['name']}”（{effect['login']}）重设密码一次。",
        f"Let the registrar invite “{effect['name']}” ({effect['login']}) once within 24 hours to set a new password.",
    )


def _reset_second_factor(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"取消“{effect['name']}”（{effect['login']}）的二次验证；其下次登录时重新设置。",
        f"Take away the second factor of “{effect['name']}” ({effect['login']}), to be set up anew at the next one.",
    )


def _set_bands(act: _Act) -> InWords:
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


def _delegate(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"“{effect['delegator']}”将{ROLE_NAMES[effect['role']]}权限授予“{effect['delegate']}”代行，"
        f"{effect['starts_at']} 至 {effect['ends_at']}。",
        f"“{effect['delegate']}” decides as {effect['role']} in the place of “{effect['delegator']}” from"
        f" {effect['starts_at']} to {effect['ends_at']}.",
    )


def _payee_account(act: _Act) -> InWords:
    new, before = act.effect["account"], act.effect["before"]
    old_zh = f"，原账户 {before['account_no']}（{before['bank_name']}）" if before else "（首次登记）"
    old_en = f", until now {before['account_no']} at {before['bank_name']}" if before else " (the first one)"
    return InWords(
        f"“{act.effect['payee']}”的收款账户改为 {new['account_no']}"
        f"（{new['bank_name']}，联行号 {new['cnaps']}）{old_zh}。",
        f"Pay “{act.effect['payee']}” to {new['account_no']} at {new['bank_name']} (CNAPS {new['cnaps']}){old_en}.",
    )


def _allocate(act: _Act) -> InWords:
    effect = act.effect
    waiting = format_yuan(effect["waiting_fen"])
    return InWords(
        f"按项目“{effect['programme']}”的分配“{effect['round']}”（{effect['method']}），{effect['candidates']} 户中 "
        f"{effect['count']} 户获券，面值合计 {act.yuan()} 元，其中 {effect['in_part']} 户部分满足；"
        f"{effect['waiting']} 户候补（{waiting} 元），{effect['nothing']} 户未获。",
        f"By the round “{effect['round']}” of “{effect['programme']}” ({effect['method']}) {effect['count']} of"
        f" {effect['candidates']} get {act.yuan()} yuan in all, {effect['in_part']} of them in part;"
        f" {effect['waiting']} wait for {waiting} yuan, {effect['nothing']} get nothing.",
    )


def _cancel_allocation(act: _Act) -> InWords:
    effect = act.effect
    drawn_zh, drawn_en = ("已抽签", "already drawn") if effect["drawn"] else ("未抽签", "not drawn")
    return InWords(
        f"取消项目“{effect['programme']}”的分配“{effect['round']}”（{effect['candidates']} 户，{drawn_zh}），不发放。",
        f"Give up the round “{effect['round']}” of “{effect['programme']}” ({effect['candidates']} candidates,"
        f" {drawn_en}): nothing is issued.",
    )


def _promote_waiting(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"按候补顺序向项目“{effect['programme']}”的 {effect['count']} 户发放，面值合计 {act.yuan()} 元；"
        f"其后仍有 {effect['left_waiting']} 户候补。",
        f"Issue {act.yuan()} yuan to the {effect['count']} who have waited longest in “{effect['programme']}”;"
        f" {effect['left_waiting']} go on waiting.",
    )


def _end_waiting(act: _Act) -> InWords:
    effect = act.effect
    waiting = format_yuan(effect["waiting_fen"])
    return InWords(
        f"将 {effect['count']} 户（{waiting} 元）移出项目“{effect['programme']}”的候补名单。",
        f"Take {effect['count']} with {waiting} yuan off the waiting list of “{effect['programme']}”.",
    )


def _reject_application(act: _Act) -> InWords:
    effect = act.effect
    if "applications" in effect:
        return _of_many(
            effect,
            ("不予通过", "，并分别告知企业各自的理由"),
            ("Refuse", ", and tell each firm its reason"),
        )
    zh_amount, en_amount = _of_application(effect)
    return InWords(
        f"不予通过“{effect['firm']}”对项目“{effect['programme']}”的申领 {act.subject_id}（{zh_amount}），"
        f"并告知企业理由：{act.command['reason']}",
        f"Refuse the application {act.subject_id} of “{effect['firm']}” to “{effect['programme']}” ({en_amount})"
        f" and tell the firm why: {act.command['reason']}",
    )


def _waitlist_application(act: _Act) -> InWords:
    effect = act.effect
    if "applications" in effect:
        return _of_many(effect, ("列入候补：", ""), ("Put on the waiting list", ""))
    zh_amount, en_amount = _of_application(effect)
    free = format_yuan(effect["free_fen"])
    return InWords(
        f"将“{effect['firm']}”对项目“{effect['programme']}”的申领 {act.subject_id}（{zh_amount}）列入候补："
        f"对其可用的额度仅 {free} 元。",
        f"Put the application {act.subject_id} of “{effect['firm']}” to “{effect['programme']}” ({en_amount}) on the"
        f" waiting list: {free} yuan are free for it.",
    )


def _of_many(effect: Mapping[str, Any], zh: tuple[str, str], en: tuple[str, str]) -> InWords:
    asked = format_yuan(effect["amount_fen"])
    return InWords(
        f"{zh[0]}对项目“{effect['programme']}”的 {effect['count']} 份申领（申请合计 {asked} 元）{zh[1]}。",
        f"{en[0]} {effect['count']} applications to “{effect['programme']}” ({asked} yuan asked for in all){en[1]}.",
    )


def _of_application(effect: Mapping[str, Any]) -> tuple[str, str]:
    asked, assessed = format_yuan(effect["amount_fen"]), effect.get("assessed_fen")
    if assessed is None:
        return f"申请 {asked} 元", f"{asked} yuan asked for"
    fixed = format_yuan(assessed)
    return f"申请 {asked} 元，核定 {fixed} 元", f"{asked} yuan asked for, {fixed} assessed"


def _publish_notice(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"公示“{effect['title']}”：{effect['count']} 项，{effect['working_days']} 个工作日，"
        f"如今日发布则至 {effect['ends_on_if_published_today']} 止。",
        f"Show “{effect['title']}” to the public: {effect['count']} item(s) for {effect['working_days']} working days,"
        f" until {effect['ends_on_if_published_today']} if published today.",
    )


def _withdraw_notice(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"撤下公示“{effect['title']}”（{effect['count']} 项）。",
        f"Show “{effect['title']}” ({effect['count']} item(s)) to the public no longer.",
    )


def _decide_objection(act: _Act) -> InWords:
    effect, is_upheld = act.effect, act.effect["outcome"] == "upheld"
    zh = "异议成立，该项移出公示；所涉券一并作废" if is_upheld else "异议不成立，该项继续"
    en = "upheld: it is removed, and a voucher voided" if is_upheld else "dismissed: it goes on"
    return InWords(
        f"答复对公示“{effect['notice']}”第 {effect['item_no']} 项（{effect['name']}）的异议：{zh}。",
        f"Answer the objection to item {effect['item_no']} ({effect['name']}) of “{effect['notice']}”: {en}.",
    )


def _debar(act: _Act) -> InWords:
    effect = act.effect
    names, more = effect["names"][:3], effect["count"] - 3
    listed = "、".join(names) + ("等" if more > 0 else "")
    return InWords(
        f"将 {effect['count']} 个单位列入失信名单（{listed}），其中 {len(effect['registered'])} 个已登记。",
        f"Debar {effect['count']} ({', '.join(names)}{' and others' if more > 0 else ''}),"
        f" {len(effect['registered'])} of them registered here.",
    )


def _lift_debarment(act: _Act) -> InWords:
    effect = act.effect
    return InWords(
        f"将“{effect['name']}”移出失信名单（列入文号 {effect['debarred_by']}，移出文号 {effect['lifted_by']}）。",
        f"Take “{effect['name']}” off the debarment list (put on by {effect['debarred_by']}, off by"
        f" {effect['lifted_by']}).",
    )


_SENTENCES: Mapping[ApprovalKind, Callable[[_Act], InWords]] = {
    ApprovalKind.PUBLISH_PROGRAMME: _publish_programme,
    ApprovalKind.PUBLISH_RULE_VERSION: _publish_rules,
    ApprovalKind.RESUME_PROGRAMME: _resume,
    ApprovalKind.ADMIT_PROVIDER: _admit,
    ApprovalKind.APPROPRIATE: _appropriate,
    ApprovalKind.CLOSE_YEAR: _close_year,
    ApprovalKind.ISSUE_BATCH: _issue,
    ApprovalKind.FREEZE_VOUCHER: _voucher("冻结", "Freeze"),
    ApprovalKind.UNFREEZE_VOUCHER: _voucher("解冻", "Unfreeze"),
    ApprovalKind.VOID_VOUCHER: _void,
    ApprovalKind.EXTEND_VOUCHER: _voucher("延长", "Extend"),
    ApprovalKind.CLOSE_PROGRAMME: _close_programme,
    ApprovalKind.SUSPEND_PROVIDER: _provider("暂停", "Suspend"),
    ApprovalKind.RESUME_PROVIDER: _provider("恢复", "Let go on"),
    ApprovalKind.DELIST_PROVIDER: _provider("取消", "Delist"),
    ApprovalKind.MOVE_QUOTA: _move_quota,
    ApprovalKind.GRANT_ROLES: _grant_roles,
    ApprovalKind.RESET_PASSWORD: _reset_password,
    ApprovalKind.RESET_SECOND_FACTOR: _reset_second_factor,
    ApprovalKind.ORDER_PAYMENT: _order_payment,
    ApprovalKind.REVERSE_ENTRY: _reverse,
    ApprovalKind.SET_APPROVAL_BANDS: _set_bands,
    ApprovalKind.DELEGATE_POWER: _delegate,
    ApprovalKind.CHANGE_PAYEE_ACCOUNT: _payee_account,
    ApprovalKind.GRANT_APPLICATIONS: _issue,
    ApprovalKind.REJECT_APPLICATION: _reject_application,
    ApprovalKind.WAITLIST_APPLICATION: _waitlist_application,
    ApprovalKind.ALLOCATE: _allocate,
    ApprovalKind.CANCEL_ALLOCATION: _cancel_allocation,
    ApprovalKind.PROMOTE_WAITING: _promote_waiting,
    ApprovalKind.END_WAITING: _end_waiting,
    ApprovalKind.PUBLISH_NOTICE: _publish_notice,
    ApprovalKind.WITHDRAW_NOTICE: _withdraw_notice,
    ApprovalKind.DECIDE_OBJECTION: _decide_objection,
    ApprovalKind.DEBAR: _debar,
    ApprovalKind.LIFT_DEBARMENT: _lift_debarment,
}
