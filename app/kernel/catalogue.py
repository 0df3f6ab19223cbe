"""Every problem in English and Chinese: what happened, which limit, what to do next. A table; `wording` tells it.

Placeholders are filled from the error's context: `{x:yuan}` shows fen as 元, `{x:local}` an instant in Asia/Shanghai.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.kernel.problems import Code, Kind


@dataclass(frozen=True, slots=True)
class Row:
    """A problem as people read it."""

    kind: Kind
    title: tuple[str, str]
    detail: tuple[str, str]


CATALOGUE: dict[Code, Row] = {
    Code.MALFORMED_REQUEST: Row(
        Kind.MALFORMED,
        ("Request could not be read", "请求无法解析"),
        (
            "The request is not well formed: {why}. Correct it and send it again.",
            "请求格式有误：{why}。请更正后重新发送。",
        ),
    ),
    Code.UNAUTHENTICATED: Row(
        Kind.UNAUTHENTICATED,
        ("Sign-in required", "需要登录"),
        (
            "The access token is missing, expired or not valid here. Fetch a new one and repeat the request.",
            "访问令牌缺失、已过期或在此无效。请重新获取令牌后再试。",
        ),
    ),
    Code.INVALID_CREDENTIALS: Row(
        Kind.UNAUTHENTICATED,
        ("Sign-in failed", "登录失败"),
        ("The name or the secret is not right.", "账号或密码（密钥）不正确。"),
    ),
    Code.FORBIDDEN: Row(
        Kind.FORBIDDEN,
        ("Not permitted", "无权操作"),
        (
            "This act needs the role {role}. Ask your security administrator if it is yours to do.",
            "此操作需要“{role}”角色。如确属您的职责，请联系安全管理员授权。",
        ),
    ),
    Code.INSUFFICIENT_SCOPE: Row(
        Kind.FORBIDDEN,
        ("Token not good for this", "令牌不可用于此操作"),
        (
            "This token lacks the scope {scope}. Fetch one with it, or without naming scopes.",
            "该令牌不含 {scope} 权限范围。请重新获取含该范围、或未限定范围的令牌。",
        ),
    ),
    Code.NOT_FOUND: Row(
        Kind.MISSING,
        ("Not found", "未找到"),
        ("There is no such {what} within your reach.", "在您的权限范围内没有该{what}。"),
    ),
    Code.METHOD_NOT_ALLOWED: Row(
        Kind.WRONG_METHOD,
        ("Method not allowed", "不支持该方法"),
        ("This address does not take {method}.", "此地址不支持 {method} 方法。"),
    ),
    Code.BODY_TOO_LARGE: Row(
        Kind.TOO_LARGE,
        ("Body too large", "请求体过大"),
        ("The body exceeds {limit} bytes. Split it.", "请求体超过 {limit} 字节，请拆分后发送。"),
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: Row(
        Kind.WRONG_MEDIA,
        ("Unsupported media type", "不支持的媒体类型"),
        ("Send {expected} here.", "此处请发送 {expected}。"),
    ),
    Code.VALIDATION_FAILED: Row(
        Kind.INVALID,
        ("Validation failed", "校验未通过"),
        (
            "{count} field(s) are not as they must be; `errors` names each. Correct them and send the request again.",
            "有 {count} 处字段不符合要求，详见 errors。请更正后重新发送。",
        ),
    ),
    Code.ETAG_MISSING: Row(
        Kind.UNCONDITIONAL,
        ("If-Match required", "缺少 If-Match"),
        ("Read the resource and send its ETag in If-Match.", "请先读取该资源，并在 If-Match 中带上其 ETag。"),
    ),
    Code.ETAG_STALE: Row(
        Kind.STALE,
        ("Changed meanwhile", "资源已被修改"),
        (
            "Somebody changed it since you read it. Read it again and repeat your change.",
            "您读取之后该资源已被他人修改。请重新读取后再提交修改。",
        ),
    ),
    Code.INTERNAL_ERROR: Row(
        Kind.BUG,
        ("Internal error", "内部错误"),
        (
            "Something went wrong on our side. Repeat the request with the same Idempotency-Key; quote the request id if it stays.",
            "服务端出现错误。请使用同一 Idempotency-Key 重试；若仍失败，请提供 request_id 以便排查。",
        ),
    ),
    Code.UNAVAILABLE: Row(
        Kind.UNAVAILABLE,
        ("Temporarily unavailable", "服务暂时不可用"),
        (
            "The service cannot answer right now. Repeat the request with the same Idempotency-Key after a moment.",
            "服务暂时无法响应。请稍后使用同一 Idempotency-Key 重试。",
        ),
    ),
    Code.BUSY: Row(
        Kind.UNAVAILABLE,
        ("Too busy", "系统繁忙"),
        (
            "Nothing was done. Repeat the request with the same Idempotency-Key after a moment.",
            "未执行任何操作。请稍后使用同一 Idempotency-Key 重试。",
        ),
    ),
    Code.IDEMPOTENCY_KEY_MISSING: Row(
        Kind.MALFORMED,
        ("Idempotency-Key missing", "缺少 Idempotency-Key"),
        (
            "This request moves money: send an Idempotency-Key header of your choice, and the same one when you repeat it.",
            "该请求涉及资金，请在请求头中提供自定的 Idempotency-Key，重试时保持不变。",
        ),
    ),
    Code.IDEMPOTENCY_KEY_INVALID: Row(
        Kind.MALFORMED,
        ("Idempotency-Key not valid", "Idempotency-Key 无效"),
        (
            "An Idempotency-Key has 1 to 255 visible ASCII characters without spaces, and is sent once.",
            "Idempotency-Key 须为 1 至 255 个可见 ASCII 字符，不含空格，且只发送一次。",
        ),
    ),
    Code.IDEMPOTENCY_KEY_REUSED: Row(
        Kind.INVALID,
        ("Idempotency-Key used for another command", "Idempotency-Key 已用于其他请求"),
        (
            "This key stands for a different command. Take a new key for a new command.",
            "该 Idempotency-Key 已对应另一条指令。新的指令请使用新的键。",
        ),
    ),
    Code.REQUEST_IN_PROGRESS: Row(
        Kind.CONFLICT,
        ("Still running", "请求处理中"),
        (
            "The first request with this key is still running. Repeat with the same key after a moment.",
            "使用该键的首个请求仍在处理。请稍后用同一键重试。",
        ),
    ),
    Code.REPLAY_EXPIRED: Row(
        Kind.CONFLICT,
        ("Answer no longer kept", "原响应已不再保存"),
        (
            "This was answered with {answered_with} (resource {resource_id}), long ago. Without a resource nothing was done.",
            "该请求早已答复：状态码 {answered_with}，资源 {resource_id}，原响应已不再保存。没有资源的，当时未作任何处理。",
        ),
    ),
    Code.ORGANISATION_EXISTS: Row(
        Kind.CONFLICT,
        ("Organisation exists", "机构已登记"),
        (
            "An organisation of this kind with this identifier is registered as {organisation_id}.",
            "同类机构中该标识已登记为 {organisation_id}。",
        ),
    ),
    Code.LOGIN_TAKEN: Row(
        Kind.CONFLICT,
        ("Login taken", "登录名已被占用"),
        ("Choose another login.", "请更换登录名。"),
    ),
    Code.INVITATION_INVALID: Row(
        Kind.CONFLICT,
        ("Link no longer valid", "链接已失效"),
        (
            "The link was used, has expired or was replaced. Ask your registrar for a new one.",
            "该链接已使用、已过期或已被替换。请联系登记员重新获取。",
        ),
    ),
    Code.OUTSIDE_IDENTITY_UNKNOWN: Row(
        Kind.FORBIDDEN,
        ("Not linked to an account here", "尚未关联本系统账号"),
        (
            "You are signed in at the platform, but no account here is linked to you there. Ask your registrar for an invitation, open it, and choose the platform.",
            "您已在该平台登录，但本系统没有与之关联的账号。请联系登记员获取邀请链接，打开后选择以该平台登录。",
        ),
    ),
    Code.OUTSIDE_IDENTITY_TAKEN: Row(
        Kind.CONFLICT,
        ("Linked to another account already", "已关联其他账号"),
        (
            "Your identity at the platform signs in as another account here, and it can be one account's only. Ask your registrar to end that link first; the invitation stays good.",
            "您在该平台的身份已关联本系统的另一账号，一个身份只能关联一个账号。请联系登记员先解除原关联；本邀请链接仍然有效。",
        ),
    ),
    Code.SIGN_IN_CODE_INVALID: Row(
        Kind.UNAUTHENTICATED,
        ("Code no longer valid", "登录代码无效"),
        (
            "The code was used, has expired, was mistyped, or belongs to another program. Run voucher login again.",
            "该代码已使用、已过期、输入有误，或不属于本程序。请重新运行 voucher login。",
        ),
    ),
    Code.DPOP_PROOF_INVALID: Row(
        Kind.UNAUTHENTICATED,
        ("Proof of the key is missing or wrong", "密钥持有证明缺失或有误"),
        (
            "This token is bound to a key: send it as Authorization: DPoP, with a new proof in DPoP for each request. What is wrong here: {why}.",
            "该令牌已绑定密钥：须以 Authorization: DPoP 发送，并在每次请求的 DPoP 头中附上新的证明。本次有误之处：{why}。",
        ),
    ),
    Code.DPOP_NONCE_NEEDED: Row(
        Kind.UNAUTHENTICATED,
        ("Proof must carry the service's nonce", "证明须含服务端随机数"),
        (
            "Sign the proof again with the nonce of the DPoP-Nonce header of this answer, and repeat the request.",
            "请以本应答 DPoP-Nonce 头中的随机数重新签署证明，并重发请求。",
        ),
    ),
    Code.PASSWORD_TOO_WEAK: Row(
        Kind.INVALID,
        ("Password too weak", "密码强度不足"),
        (
            "A password has {limit} to 128 characters and is not your login.",
            "密码长度须为 {limit} 至 128 个字符，且不得与登录名相同。",
        ),
    ),
    Code.TOO_MANY_ATTEMPTS: Row(
        Kind.THROTTLED,
        ("Too many attempts", "尝试次数过多"),
        (
            "Signing in failed too often. Wait {seconds} seconds, or ask your registrar for an invitation.",
            "登录失败次数过多。请在 {seconds} 秒后再试，或联系登记员重新获取邀请链接。",
        ),
    ),
    Code.SECOND_FACTOR_NEEDED: Row(
        Kind.UNAUTHENTICATED,
        ("Verification code required", "需要动态验证码"),
        (
            "This account has a second factor. Send the six digits of its authenticator, or a recovery code, as `code`.",
            "该账号已启用二次验证。请在 code 中填写身份验证器显示的 6 位动态码，或一个恢复码。",
        ),
    ),
    Code.SECOND_FACTOR_INVALID: Row(
        Kind.UNAUTHENTICATED,
        ("Verification code not right", "动态验证码不正确"),
        (
            "The code is wrong, too old or used already. Wait for the next one and check the clock of your device.",
            "动态码有误、已过期或已用过。请等待下一个动态码后再试，并核对手机时间是否准确。",
        ),
    ),
    Code.SECOND_FACTOR_ENROLMENT_NEEDED: Row(
        Kind.FORBIDDEN,
        ("Second factor to be set up first", "须先启用二次验证"),
        (
            "Your role needs a second factor. Set it up with `voucher login` or at {address}, then sign in with its code.",
            "您的角色须启用二次验证。请运行 voucher login 或打开 {address} 完成设置，再用动态码登录。",
        ),
    ),
    Code.STEP_UP_NEEDED: Row(
        Kind.UNAUTHENTICATED,
        ("Prove again who you are", "需要再次验证身份"),
        (
            "This act needs a verification no older than {minutes} minutes. Send a code to /v1/personal-tokens/step-up and repeat the request with the new token.",
            "此操作要求 {minutes} 分钟内验证过身份。请将动态码提交至 /v1/personal-tokens/step-up，再用新令牌重新提交。",
        ),
    ),
    Code.WRONG_STATE: Row(
        Kind.CONFLICT,
        ("Not possible in this state", "当前状态不允许"),
        ("It is {actual}; this needs {expected}.", "当前状态为 {actual}，此操作要求 {expected}。"),
    ),
    Code.SAME_PERSON: Row(
        Kind.REFUSED,
        ("A second person is needed", "须由他人审核"),
        (
            "You made this yourself, or it is about you; somebody else has to decide it.",
            "该事项由您本人经办或涉及您本人，须由另一人审核。",
        ),
    ),
    Code.APPROVAL_PENDING: Row(
        Kind.CONFLICT,
        ("Already waiting for approval", "已在等待审核"),
        (
            "The same act, or one that it would cross, already waits for a decision.",
            "相同或与之冲突的事项已在等待审核，请待其决定或由经办撤回后再办理。",
        ),
    ),
    Code.APPROVAL_NEEDED: Row(
        Kind.CONFLICT,
        ("A second person has to agree first", "须先经他人审核"),
        (
            "This person acts officially. Ask for a password reset; once it is approved, invite within {hours} hours.",
            "该人员持有公务角色，请先提请重置密码；经安全管理员批准后，可在 {hours} 小时内邀请一次。",
        ),
    ),
    Code.APPROVAL_EXPIRED: Row(
        Kind.CONFLICT,
        ("The request has expired", "提请已逾期"),
        (
            "It could be approved until {at:local} (Beijing time). Its maker withdraws it, or it is rejected; then it is asked for again.",
            "该提请须在 {at:local}（北京时间）前审批，现已逾期。请经办人撤回或由审核人驳回后重新提请。",
        ),
    ),
    Code.COMMAND_DIFFERS: Row(
        Kind.CONFLICT,
        ("Not what you have seen", "与所见内容不一致"),
        (
            "The SHA-256 you sent is not that of this approval's command. Read the approval again before you decide it.",
            "所带 command_sha256 与该审核事项的命令不符。请重新查看该事项后再作决定。",
        ),
    ),
    Code.STEP_ALREADY_DECIDED: Row(
        Kind.REFUSED,
        ("Another person takes this step", "本步骤须由他人审批"),
        (
            "You have taken an earlier step of this approval; step {step} of {steps} needs another person.",
            "您已审批过该事项的前一步骤；第 {step} 步（共 {steps} 步）须由另一人审批。",
        ),
    ),
    Code.ROLES_INCOMPATIBLE: Row(
        Kind.REFUSED,
        ("Incompatible roles", "不相容岗位"),
        (
            "One person may not hold {role} together with {other}. Have one of the two roles taken away first.",
            "同一人不得同时担任“{role}”与“{other}”（不相容岗位）。请先撤销其中一个角色。",
        ),
    ),
    Code.DELEGATION_NOT_POSSIBLE: Row(
        Kind.REFUSED,
        ("Cannot be delegated so", "不能如此授权"),
        ("The power cannot be lent like this: {why_en}.", "不能如此授权：{why_zh}。"),
    ),
    Code.PAYEE_ACCOUNT_NAME_DIFFERS: Row(
        Kind.REFUSED,
        ("Account name is not the payee's", "账户名称与收款单位不符"),
        (
            "The account is held by “{account_name}”, the payee is “{payee_name}”. Money goes only to an account in the payee's legal name.",
            "账户名称为“{account_name}”，收款单位为“{payee_name}”。资金只能付至以收款单位法定名称开立的账户。",
        ),
    ),
    Code.PAYEE_ACCOUNT_CHANGED: Row(
        Kind.CONFLICT,
        ("The payee's account has changed", "收款账户已变更"),
        (
            "The payee's account is another than when the payment was proposed. Reject the order and propose it anew.",
            "收款账户与提请支付时不同。请驳回该支付申请后重新提请。",
        ),
    ),
    Code.FUND_SOURCE_UNKNOWN: Row(
        Kind.REFUSED,
        ("Fund source not in the rules", "资金来源不在规则中"),
        (
            "The rules know the fund sources {expected}; {actual} is none of them.",
            "规则中的资金来源为 {expected}，不含 {actual}。",
        ),
    ),
    Code.APPROPRIATION_BELOW_PROMISED: Row(
        Kind.CONFLICT,
        ("Below what is promised", "低于已承诺金额"),
        (
            "Only {limit_fen:yuan} yuan are still free; {actual_fen:yuan} were to be taken back.",
            "可用额度仅 {limit_fen:yuan} 元，无法调减 {actual_fen:yuan} 元。",
        ),
    ),
    Code.BUDGET_EXHAUSTED: Row(
        Kind.CONFLICT,
        ("Budget exhausted", "预算不足"),
        (
            "The pool {fund_source} has {limit_fen:yuan} yuan left; {actual_fen:yuan} were asked for. Nothing was issued. To give out what is left by the programme's rules, use an allocation round (POST /v1/programmes/{{id}}/allocation-rounds).",
            "资金池 {fund_source} 可用 {limit_fen:yuan} 元，申请 {actual_fen:yuan} 元。未发放任何券。如需按项目规则分配剩余额度，请使用分配轮次（POST /v1/programmes/{{id}}/allocation-rounds）。",
        ),
    ),
    Code.YEAR_CLOSED: Row(
        Kind.CONFLICT,
        ("Budget year closed", "预算年度已关账"),
        (
            "The budget year {fiscal_year} of this programme is closed; nothing was moved. To go on, finance carries what is promised forward to the next year (POST /v1/year-closes); new money and new vouchers belong to a programme of the next year.",
            "该项目 {fiscal_year} 预算年度已关账，未发生任何资金变动。如需继续使用，请财政部门将已承诺额度结转至下一年度（POST /v1/year-closes）；新的预算和新券应列入下一年度的项目。",
        ),
    ),
    Code.CARRY_EXCEEDS_AVAILABLE: Row(
        Kind.CONFLICT,
        ("More to carry than is available", "结转额超过可用额度"),
        (
            "The pool {fund_source} has {limit_fen:yuan} yuan available; {actual_fen:yuan} were to be carried forward. Nothing was closed. Propose the close again with an amount that is there.",
            "资金池 {fund_source} 可用 {limit_fen:yuan} 元，申请结转 {actual_fen:yuan} 元。未关账。请按可用额度重新提出。",
        ),
    ),
    Code.REGION_BUSY: Row(
        Kind.UNAVAILABLE,
        ("Others are working in this region", "该地区有业务正在办理"),
        (
            "Closing a year needs a moment in which nothing else of the region {region_code} is under way, and {waited_s} seconds brought none. Nothing was closed, and the approval still waits. Approve again, best when no large batch is being issued.",
            "关账须在地区 {region_code} 没有其他业务办理的瞬间进行，已等待 {waited_s} 秒仍未等到。未关账，审批事项仍待处理。请避开批量发放后再次批准。",
        ),
    ),
    Code.FILE_ALREADY_SUBMITTED: Row(
        Kind.CONFLICT,
        ("File already submitted", "文件已提交"),
        (
            "This very file was submitted as {batch_id}. Nothing was issued a second time.",
            "该文件已作为 {batch_id} 提交，未重复发放。",
        ),
    ),
    Code.REFERENCE_ALREADY_USED: Row(
        Kind.CONFLICT,
        ("Grant already issued", "申领编号已使用"),
        (
            "{count} reference number(s) already stand in another batch of this programme; `errors` names each.",
            "有 {count} 个申领编号已在本项目其他批次中使用，详见 errors。",
        ),
    ),
    Code.FILE_UNREADABLE: Row(
        Kind.INVALID,
        ("File cannot be read", "文件无法读取"),
        ("{why_en}", "{why_zh}"),
    ),
    Code.SHEET_INVALID: Row(
        Kind.INVALID,
        ("Sheet has errors", "表格有误"),
        (
            "{count} error(s); `errors` names row and column of each. Nothing was taken in. Correct the sheet and upload it again.",
            "共 {count} 处错误，errors 中逐一列出行和列。未导入任何数据，请更正后重新上传。",
        ),
    ),
    Code.DECLARATION_MISMATCH: Row(
        Kind.INVALID,
        ("Declared figures do not match", "申报数与明细不符"),
        (
            "Declared {limit}, counted {actual}. Check that the file is complete.",
            "申报 {limit}，实际 {actual}。请核对文件是否完整。",
        ),
    ),
    Code.STATEMENT_OVERLAPS: Row(
        Kind.CONFLICT,
        ("Period overlaps another statement", "期间与其他对账单重叠"),
        (
            "The statement {statement_id} covers {period}. Send the same period to replace it, or days that it does not cover.",
            "对账单 {statement_id} 已覆盖 {period}。如需更正请以相同期间重新上传，否则请选择未覆盖的日期。",
        ),
    ),
    Code.PERIOD_ENDS_IN_FUTURE: Row(
        Kind.REFUSED,
        ("Period ends in the future", "期间尚未结束"),
        (
            "The period ends on {actual}, and today is {limit}. State days that have begun.",
            "期间截至 {actual}，而今天是 {limit}。请填写已开始的日期。",
        ),
    ),
    Code.BANK_LIST_OVERLAPS: Row(
        Kind.CONFLICT,
        ("Period overlaps another bank list", "期间与其他银行结果清单重叠"),
        (
            "The bank list {bank_list_id} covers {period}. Send the same period to replace it, or days that it does not cover.",
            "银行结果清单 {bank_list_id} 已覆盖 {period}。如需更正请以相同期间重新上传，否则请选择未覆盖的日期。",
        ),
    ),
    Code.VOUCHER_NOT_FOUND: Row(
        Kind.MISSING,
        ("Voucher not found", "未找到该券"),
        (
            "No voucher with this code or id is within your reach. Check the code with the firm.",
            "在您的权限范围内没有该券。请与企业核对券码。",
        ),
    ),
    Code.VOUCHER_FROZEN: Row(
        Kind.CONFLICT,
        ("Voucher frozen", "券已冻结"),
        (
            "The voucher has been frozen since {since:local}. The firm may ask its authority.",
            "该券自 {since:local} 起冻结。企业可向主管部门咨询。",
        ),
    ),
    Code.VOUCHER_EXPIRED: Row(
        Kind.CONFLICT,
        ("Voucher expired", "券已过期"),
        (
            "The voucher was valid until {limit:local}; it is {actual:local} now.",
            "该券有效期至 {limit:local}，现为 {actual:local}。",
        ),
    ),
    Code.VOUCHER_VOIDED: Row(
        Kind.CONFLICT,
        ("Voucher voided", "券已作废"),
        ("The voucher was voided at {since:local}.", "该券已于 {since:local} 作废。"),
    ),
    Code.VOUCHER_SURRENDERED: Row(
        Kind.CONFLICT,
        ("Voucher surrendered", "券已退回"),
        ("The firm gave the voucher back at {since:local}.", "该券已于 {since:local} 由企业退回。"),
    ),
    Code.VOUCHER_NOT_YET_VALID: Row(
        Kind.CONFLICT,
        ("Voucher not yet valid", "券尚未生效"),
        (
            "The voucher is valid from {limit:local}; it is {actual:local} now.",
            "该券自 {limit:local} 起生效，现为 {actual:local}。",
        ),
    ),
    Code.INSUFFICIENT_BALANCE: Row(
        Kind.CONFLICT,
        ("Voucher balance used up", "券余额不足"),
        ("Nothing is left on the voucher to draw; the firm pays the bill.", "该券已无可用余额，账单由企业自付。"),
    ),
    Code.SUBSIDY_CHANGED: Row(
        Kind.CONFLICT,
        ("Subsidy differs from what was expected", "补贴金额已变化"),
        (
            "Expected {limit_fen:yuan} yuan, now {actual_fen:yuan}. Nothing was drawn; ask again and confirm with the firm.",
            "预期补贴 {limit_fen:yuan} 元，现为 {actual_fen:yuan} 元。未作抵扣，请重新查询并与企业确认。",
        ),
    ),
    Code.CATEGORY_NOT_COVERED: Row(
        Kind.REFUSED,
        ("Nothing on the bill is covered", "账单项目不在补贴范围"),
        (
            "The programme covers {limit} at this provider; the bill has {actual}.",
            "该项目在本机构的补贴范围为 {limit}，账单类别为 {actual}。",
        ),
    ),
    Code.PROVIDER_NOT_ADMITTED: Row(
        Kind.REFUSED,
        ("Provider not admitted", "机构未入围"),
        (
            "Your organisation is not admitted to this programme. Ask the programme's authority.",
            "贵单位未入围该项目，请联系项目主管部门。",
        ),
    ),
    Code.CONSENT_MISSING: Row(
        Kind.REFUSED,
        ("The firm's consent is missing", "缺少企业授权"),
        (
            "The firm has no standing mandate for you on this voucher, and no payment code was sent. Ask it for either; it makes them on the portal.",
            "企业尚未就该券向贵单位授权，请求中也没有付款码。请企业在门户中授予授权额度，或生成付款码。",
        ),
    ),
    Code.MANDATE_EXCEEDED: Row(
        Kind.REFUSED,
        ("Beyond the firm's consent", "超出企业授权额度"),
        (
            "The mandate has {limit_fen:yuan} yuan left; this bill would draw {actual_fen:yuan}. The firm can grant more.",
            "授权剩余 {limit_fen:yuan} 元，本账单需抵扣 {actual_fen:yuan} 元。可请企业增加授权。",
        ),
    ),
    Code.MANDATE_EXISTS: Row(
        Kind.CONFLICT,
        ("Mandate exists", "已存在授权"),
        (
            "There is a live mandate for this provider ({mandate_id}). Withdraw it first.",
            "该机构已有有效授权（{mandate_id}），请先撤回。",
        ),
    ),
    Code.PAYMENT_CODE_INVALID: Row(
        Kind.REFUSED,
        ("Payment code not valid", "付款码无效"),
        (
            "The firm gave you no such payment code for this voucher, or has withdrawn it. Compare it with the firm, or ask for a new one.",
            "企业未就该券向贵单位出具此付款码，或已将其撤回。请与企业核对，或请企业重新生成。",
        ),
    ),
    Code.PAYMENT_CODE_EXPIRED: Row(
        Kind.CONFLICT,
        ("Payment code expired", "付款码已过期"),
        (
            "The payment code was valid until {limit:local}; it is {actual:local} now. Ask the firm for a new one.",
            "该付款码有效期至 {limit:local}，现为 {actual:local}。请企业重新生成。",
        ),
    ),
    Code.PAYMENT_CODE_USED: Row(
        Kind.CONFLICT,
        ("Payment code already used", "付款码已使用"),
        (
            "The payment code was used for {used_by}. It is good for one hold or redemption; ask the firm for a new one.",
            "该付款码已用于 {used_by}。每个付款码只能用于一次预占或核销，请企业重新生成。",
        ),
    ),
    Code.PAYMENT_CODE_EXCEEDED: Row(
        Kind.REFUSED,
        ("Beyond the payment code's maximum", "超出付款码最高金额"),
        (
            "The payment code is good for {limit_fen:yuan} yuan at most; this bill would draw {actual_fen:yuan}. Ask the firm for one with a higher maximum.",
            "该付款码最高 {limit_fen:yuan} 元，本账单需抵扣 {actual_fen:yuan} 元。请企业生成金额更高的付款码。",
        ),
    ),
    Code.TOO_MANY_PAYMENT_CODES: Row(
        Kind.CONFLICT,
        ("Too many open payment codes", "未使用的付款码过多"),
        (
            "There are {limit} open payment codes for this provider on this voucher. Use or withdraw one, or wait until one has run out.",
            "该券对该机构已有 {limit} 个未使用的付款码。请先使用或撤回其中一个，或等待其过期。",
        ),
    ),
    Code.ORDER_NO_ALREADY_USED: Row(
        Kind.CONFLICT,
        ("Order number already used", "订单号已使用"),
        (
            "Order {order_no} was redeemed as {redemption_id}. Read that redemption; take a new number for a new bill.",
            "订单 {order_no} 已核销（{redemption_id}）。请查询该笔核销；新账单请使用新的订单号。",
        ),
    ),
    Code.REFUND_EXCEEDS_REDEMPTION: Row(
        Kind.REFUSED,
        ("Refund exceeds the redemption", "退款超出核销金额"),
        (
            "{limit_fen:yuan} yuan of this are still on the bill; {actual_fen:yuan} were to be refunded.",
            "账单剩余 {limit_fen:yuan} 元，申请退款 {actual_fen:yuan} 元。",
        ),
    ),
    Code.PROGRAMME_PAUSED: Row(
        Kind.CONFLICT,
        ("Programme paused", "项目已暂停"),
        ("The authority has paused this programme. Try again once it resumes.", "主管部门已暂停该项目，恢复后再试。"),
    ),
    Code.PROGRAMME_CLOSED: Row(
        Kind.CONFLICT,
        ("Programme closed", "项目已关闭"),
        (
            "This programme has been closed: nothing more is issued under it. What was issued before is used as before.",
            "该项目已关闭，不再发放；此前已发放的券照常使用。",
        ),
    ),
    Code.BELOW_MINIMUM: Row(
        Kind.REFUSED,
        ("Below the minimum", "低于最低金额"),
        (
            "{what_en} {actual_en}; the minimum is {limit_en}.",
            "{what_zh} {actual_zh}，最低要求 {limit_zh}。",
        ),
    ),
    Code.NOT_ELIGIBLE: Row(
        Kind.REFUSED,
        ("Not eligible", "不符合补贴条件"),
        (
            "The programme's rules grant nothing for this bill: {reason} ({what}). Ask for a quote to see every step.",
            "按项目规则，该账单不予补贴：{reason}（{what}）。可通过试算查看每一步。",
        ),
    ),
    Code.RELATED_PARTY: Row(
        Kind.REFUSED,
        ("Related parties", "存在关联关系"),
        (
            "Firm and provider are related ({signs}), and the programme's rules grant nothing between related parties.",
            "企业与供给方存在关联关系（{signs}），按项目规则不予补贴。",
        ),
    ),
    Code.CAP_FIRM_PERIOD: Row(
        Kind.REFUSED,
        ("Cap reached", "已达补贴上限"),
        (
            "The cap {cap} of the programme's rules is used up, so this bill gets nothing. What is above it is not carried over.",
            "项目规则的上限“{cap}”已用完，该账单不再补贴，超出部分不结转。",
        ),
    ),
    Code.CLAIMANT_NOT_PROVIDER: Row(
        Kind.REFUSED,
        ("Not redeemed by the provider", "非供给方核销项目"),
        (
            "In this programme the {claimant} claims the subsidy; a provider cannot redeem its vouchers.",
            "本项目由“{claimant}”申报补贴，供给方不能核销其券。",
        ),
    ),
    Code.EFFECTIVE_TOO_EARLY: Row(
        Kind.REFUSED,
        ("Rules dated too early", "规则生效日期过早"),
        (
            "These rules are to hold from {actual}, but bills of today ({today}) and before may already have been judged. The earliest day is {limit}; choose that day or a later one.",
            "该规则拟自 {actual} 起生效，但今日（{today}）及以前的账单可能已按现行规则审核。最早可自 {limit} 起生效，请改为该日或更晚日期。",
        ),
    ),
    Code.HOLD_NOT_FOUND: Row(
        Kind.MISSING,
        ("Hold not found", "未找到该笔预占"),
        (
            "No hold with this id is yours. Find your own by its number: GET /v1/holds?hold_no=…",
            "贵单位没有该笔预占。可按预占号查询：GET /v1/holds?hold_no=…",
        ),
    ),
    Code.HOLD_EXPIRED: Row(
        Kind.CONFLICT,
        ("Hold expired", "预占已到期"),
        (
            "The hold ran until {limit:local}; it is {actual:local} now. Redeem by the voucher's code, or hold anew.",
            "该预占有效至 {limit:local}，现为 {actual:local}。请凭券码直接核销，或重新预占。",
        ),
    ),
    Code.HOLD_ALREADY_RESOLVED: Row(
        Kind.CONFLICT,
        ("Hold already ended", "预占已结束"),
        (
            "The hold has ended: {status}. For another bill make a new hold or redeem it in one step.",
            "该预占已结束（{status}）。其他账单请重新预占或直接核销。",
        ),
    ),
    Code.HOLD_NO_ALREADY_USED: Row(
        Kind.CONFLICT,
        ("Hold number already used", "预占号已使用"),
        (
            "Hold number {hold_no} belongs to {hold_id}. Read that hold; take a new number for a new one.",
            "预占号 {hold_no} 已用于 {hold_id}。请查询该笔预占；新的预占请使用新的预占号。",
        ),
    ),
    Code.EXTENSION_NOT_LATER: Row(
        Kind.REFUSED,
        ("Not an extension", "未延长有效期"),
        (
            "The voucher is valid to {limit}, that day included; {actual} is no later day. Name a later last day.",
            "该券有效期至 {limit}（含当日），{actual} 并不更晚。请填写更晚的最后有效日。",
        ),
    ),
    Code.EXTENSION_BEYOND_RULES: Row(
        Kind.REFUSED,
        ("Beyond what the rules let extend", "超出规则允许的延期范围"),
        (
            "The rules of this programme allow, of {what_en}, {limit}; this would make {actual}. Ask for less, or for an exception with the number of the document that grants it (exception_document_no).",
            "本项目规则对{what_zh}的限制为 {limit}，此次将达到 {actual}。请缩短延期，或填写批准文号（exception_document_no）按例外事项申请。",
        ),
    ),
    Code.QUOTA_EXCEEDS_AVAILABLE: Row(
        Kind.CONFLICT,
        ("More than is available", "超过可用额度"),
        (
            "The pool {fund_source} of {place} has {limit_fen:yuan} yuan available; {actual_fen:yuan} were to be moved. Nothing was moved. What is promised on vouchers stays where it is.",
            "{place} 的资金池 {fund_source} 可用 {limit_fen:yuan} 元，拟划转 {actual_fen:yuan} 元，未划转。已承诺在券上的额度不能划转。",
        ),
    ),
    Code.PAYEE_SUSPENDED: Row(
        Kind.CONFLICT,
        ("Payment stands while the provider is suspended", "服务机构暂停期间停止支付"),
        (
            "The provider is {status} in the programme {programme}, whose rules let payments stand meanwhile. Nothing was ordered. Resume the provider, or leave its redemptions there out.",
            "该服务机构在项目“{programme}”中的状态为{status}，该项目规则规定期间停止支付，未生成支付。请先恢复其资格，或剔除该项目下的核销。",
        ),
    ),
    Code.VOUCHERS_UNFIT: Row(
        Kind.CONFLICT,
        ("Not possible for some of the vouchers", "部分券不允许此操作"),
        (
            "{count} of the {of} vouchers do not allow it; each is named with its reason. Nothing was done to any. Take them off the list and ask again.",
            "{of} 张券中有 {count} 张不允许此操作，已逐一列明原因；所有券均未变动。请将其从名单中移除后重新提出。",
        ),
    ),
    Code.APPLICATIONS_UNFIT: Row(
        Kind.CONFLICT,
        ("Not possible for some of the applications", "部分申领不允许此操作"),
        (
            "{count} of the {of} applications do not allow it; each is named with its reason. Nothing was done to any. Take them off the list and ask again.",
            "{of} 份申领中有 {count} 份不允许此操作，已逐一列明原因；所有申领均未变动。请将其从名单中移除后重新提出。",
        ),
    ),
    Code.NOTICE_REQUIRED: Row(
        Kind.CONFLICT,
        ("To be shown to the public first", "发放前须先公示"),
        (
            "The rules want {days} working days of public notice first; {count} row(s) of batch {batch_id} have had none.",
            "按项目规则，发放前须公示 {days} 个工作日。批次 {batch_id} 中有 {count} 行尚未公示期满。",
        ),
    ),
    Code.APPLICATION_CHANGED: Row(
        Kind.CONFLICT,
        ("The application has changed meanwhile", "申领其间已有变化"),
        (
            "The application {application_id} has changed since this was asked for; it is {status} now. Look at it again.",
            "申领 {application_id} 在提请之后已有变化，现状态为 {status}。请重新查看后再办理。",
        ),
    ),
    Code.RELATION_NOT_ON_RECORD: Row(
        Kind.CONFLICT,
        ("No relation on record", "未登记关联关系"),
        (
            "Nothing on record relates the firm {firm} to the provider {provider}. Have the registrar record the link first.",
            "登记信息中没有企业 {firm} 与服务机构 {provider} 的关联关系，请先由登记员登记该关联关系及其依据。",
        ),
    ),
    Code.HOLDS_OPEN: Row(
        Kind.CONFLICT,
        ("Part of the voucher is held", "券上仍有预占"),
        (
            "Providers hold {actual_fen:yuan} of it for work under way. Try again when that is redeemed or released.",
            "供给方正为在办业务预占其中 {actual_fen:yuan} 元。待预占核销或释放后再办理。",
        ),
    ),
    Code.ACCELERATOR_NOT_KNOWN: Row(
        Kind.INVALID,
        ("Accelerator not in the table", "加速卡不在折算表中"),
        (
            "The published table of accelerators has no {actual}. It knows {limit}. Take one of these codes, or leave the field out.",
            "公布的加速卡折算表中没有 {actual}，可用代码：{limit}。请改用其中之一，或不填写该字段。",
        ),
    ),
    Code.UNIT_NOT_KNOWN: Row(
        Kind.REFUSED,
        ("Unit not known for this category", "该类别不使用此计量单位"),
        (
            "Line {line}: the programme counts {category} in {limit}, not in {actual}. Bill it in one of these units.",
            "第 {line} 行：本项目中“{category}”的计量单位为 {limit}，不含 {actual}。请改用规定单位。",
        ),
    ),
    Code.USAGE_REF_MISSING: Row(
        Kind.REFUSED,
        ("Usage reference missing", "缺少用量凭证号"),
        (
            "Line {line}: the programme's rules want a usage_ref (the job or order that was metered) on every covered line. Add it.",
            "第 {line} 行：按项目规则，每个可补贴行均须填写 usage_ref（作业号或计量单号）。请补充。",
        ),
    ),
    Code.USAGE_ALREADY_BILLED: Row(
        Kind.CONFLICT,
        ("Usage already billed", "该用量已结算过"),
        (
            "Line {line}: the usage {actual} was billed already, in {by_en}. Nothing was drawn. Read that bill; take a reference of its own for each period of one job.",
            "第 {line} 行：用量 {actual} 已在{by_zh}中计费，未作抵扣。请核对该账单；同一作业分期计费时，每期应使用各自的凭证号。",
        ),
    ),
    Code.INVOICE_MISSING: Row(
        Kind.REFUSED,
        ("Invoice missing", "缺少发票"),
        (
            "Line {line}: the programme's rules want the invoice line (`invoice`) on every covered line. Add it.",
            "第 {line} 行：按项目规则，每个可补贴行均须填写所开发票的对应行（invoice）。请补充。",
        ),
    ),
    Code.INVOICE_ALREADY_USED: Row(
        Kind.CONFLICT,
        ("Invoice already used", "发票已用于补贴"),
        (
            "Line {line}: nothing is left of the invoice line, or of the contract, that it is billed on: it was subsidised already{by_en}. Nothing was drawn. One cost is subsidised once, in whatever city; correct the invoice named, or bill without a voucher.",
            "第 {line} 行：所列发票行（或合同）可计入补贴的金额已用完，此前已获补贴{by_zh}，未作抵扣。同一笔费用不论在哪个城市只能补贴一次；请核对所填发票，或不使用券结算。",
        ),
    ),
    Code.INVOICE_STILL_CLAIMED: Row(
        Kind.CONFLICT,
        ("Invoice line still claimed", "发票行仍被占用"),
        (
            "The red-letter invoice would leave {limit_fen:yuan} yuan of invoice line {line_no}, and {actual_fen:yuan} yuan are claimed of it in other redemptions. Refund those first, then record the red-letter invoice.",
            "红字发票冲减后，发票第 {line_no} 行仅余 {limit_fen:yuan} 元，而其他核销已占用 {actual_fen:yuan} 元。请先对这些核销办理退款，再登记红字发票。",
        ),
    ),
    Code.USAGE_TIMES_MISSING: Row(
        Kind.REFUSED,
        ("Times of use missing", "缺少使用时间"),
        (
            "Line {line}: the programme's rules hold compute against the provider's capacity, which needs used_from and used_until. Add both.",
            "第 {line} 行：按项目规则须将算力用量与机构算力规模核对，请填写 used_from 和 used_until。",
        ),
    ),
    Code.BEYOND_CAPACITY: Row(
        Kind.REFUSED,
        ("Beyond the declared capacity", "超出申报的算力规模"),
        (
            "Line {line}: {actual} {unit} were billed; what {place_en} declares makes {limit} at most in that time. Check quantity and times, or have the registry corrected.",
            "第 {line} 行：计费 {actual} {unit}，而{place_zh}申报的算力在该时段内至多为 {limit}。请核对数量与时间，或申请更正登记信息。",
        ),
    ),
    Code.CAPACITY_USED_UP: Row(
        Kind.CONFLICT,
        ("Capacity used up by other bills", "算力已被其他账单用完"),
        (
            "Line {line}: {actual} {unit} were billed, but other bills leave {limit} on its days of what {place_en} declares. Nothing was drawn. Check quantity, times and site; refund a bill that is wrong, or have the registry corrected.",
            "第 {line} 行：计费 {actual} {unit}，而{place_zh}申报的算力在所涉日期内，扣除其他账单后仅余 {limit}，未作抵扣。请核对数量、时间与机房；有误的账单请退款，或申请更正登记信息。",
        ),
    ),
    Code.USAGE_TIMES_TOO_LONG: Row(
        Kind.REFUSED,
        ("Times of use too long", "使用时间过长"),
        (
            "Line {line}: with it the bill's times of use touch {actual} days; the rules hold bills against the declared capacity for {limit} days at most. Send a bill for each part of the time.",
            "第 {line} 行：计入该行后，账单的使用时间涉及 {actual} 天；按规则与申报算力核对的账单最多涉及 {limit} 天。请分期提交账单。",
        ),
    ),
    Code.DEBARRED: Row(
        Kind.REFUSED,
        ("On the debarment list", "已列入失信名单"),
        (
            "{name} is on the debarment list of {region} by document {document_no} ({period}), which rules this out: {checkpoint}. Ask the authority that issued the document.",
            "{name} 已依据{document_no}列入 {region} 失信名单（{period}），不得{checkpoint}。如有异议，请联系作出决定的部门。",
        ),
    ),
    Code.RELATION_EXISTS: Row(
        Kind.CONFLICT,
        ("Relation recorded already", "关联关系已登记"),
        (
            "{relation_id} tells of the same parties for some of these days. End it first, or choose days that do not overlap.",
            "{relation_id} 已登记同一主体在相同日期内的该类关系。请先终止原登记，或填写不重叠的日期。",
        ),
    ),
    Code.FIELD_KEY_MISSING: Row(
        Kind.UNAVAILABLE,
        ("Key of an encrypted field missing", "缺少字段加密密钥"),
        (
            "This value was encrypted with the key {key}, which this service does not have. Its operator has to put the field keys back.",
            "该信息由密钥 {key} 加密，本服务没有该密钥。请运维人员恢复字段密钥（field-keys）后重试。",
        ),
    ),
    Code.PRICE_ABOVE_LIST: Row(
        Kind.REFUSED,
        ("Price above the admitted list", "单价高于入围价目"),
        (
            "Line {line}: the admitted price for {category} is {limit} yuan a {unit}; {actual} was billed.",
            "第 {line} 行：“{category}”的入围单价为每 {unit} {limit} 元，账单单价为 {actual} 元。",
        ),
    ),
    Code.PRICE_NOT_LISTED: Row(
        Kind.REFUSED,
        ("Not in the admitted price list", "不在入围价目中"),
        (
            "Line {line}: the admitted price list has no price for {actual}. It has {limit}. Bill what is listed, or ask the authority to admit the price.",
            "第 {line} 行：入围价目中没有 {actual} 的价格，现有：{limit}。请按价目计费，或请主管部门核准该价格。",
        ),
    ),
    Code.NOT_YET_SEALED: Row(
        Kind.CONFLICT,
        ("Not yet sealed", "尚未封存"),
        (
            "It waits to be sealed, which takes a second or two. Ask again then; promised until {promised_by:local}.",
            "该记录已入账，正在等待封存，通常只需一两秒。请稍后再查；其回执承诺最迟于 {promised_by:local} 前封存。",
        ),
    ),
    Code.PAYEES_DIFFER: Row(
        Kind.REFUSED,
        ("One payee only", "一张支付单只能有一个收款方"),
        (
            "Redemption {redemption_id} is owed to another payee than the first one. Propose an order for each payee.",
            "核销记录 {redemption_id} 的收款方与第一笔不同。请按收款方分别提交支付单。",
        ),
    ),
    Code.NOTHING_TO_PAY: Row(
        Kind.CONFLICT,
        ("Nothing left to pay", "无可支付金额"),
        (
            "Nothing is left to pay of redemption {redemption_id}: all of its subsidy was given back. Leave it out.",
            "核销记录 {redemption_id} 的补贴已全部退回，无可支付金额。请将其移出支付单。",
        ),
    ),
    Code.ALREADY_IN_PAYMENT: Row(
        Kind.CONFLICT,
        ("Already in a payment order", "已列入支付单"),
        (
            "Redemption {redemption_id} is in payment order {order_id} already. Leave it out, or reject that order.",
            "核销记录 {redemption_id} 已列入支付单 {order_id}。请将其移出，或先驳回该支付单。",
        ),
    ),
    Code.PAYMENT_CHANGED: Row(
        Kind.CONFLICT,
        ("The amount has changed", "金额已变动"),
        (
            (
                "Of redemption {redemption_id}, {actual_fen:yuan} yuan are payable now, not {limit_fen:yuan}: part was"
                " refunded meanwhile. Reject this order and propose it anew."
            ),
            "核销记录 {redemption_id} 现应付 {actual_fen:yuan} 元，而非 {limit_fen:yuan} 元：其间发生了退款。请驳回本支付单后重新提交。",
        ),
    ),
    Code.BANK_REFERENCE_ALREADY_USED: Row(
        Kind.CONFLICT,
        ("The bank's reference is already used", "银行流水号已使用"),
        (
            (
                "The bank's reference {bank_reference} is recorded already for payment order {order_id}, or for other items"
                " of it. Check the reference on the bank's slip."
            ),
            "银行流水号 {bank_reference} 已登记于支付单 {order_id}，或登记了其他明细。请核对银行回单上的流水号。",
        ),
    ),
    Code.PAYMENT_PAID_BACK: Row(
        Kind.CONFLICT,
        ("Part of the payment was paid back", "该笔支付已有追回款入账"),
        (
            (
                "The payee has paid back part of redemption {redemption_id} ({recovery_id}), so the payment had arrived."
                " Check the bank's return before recording it."
            ),
            "收款方已就核销记录 {redemption_id} 缴回部分款项（{recovery_id}），说明款项曾到账。请核对银行退票后再登记。",
        ),
    ),
    Code.TRANSFER_ALREADY_USED: Row(
        Kind.CONFLICT,
        ("The transfer is already used", "该笔缴回款已登记"),
        (
            (
                "The bank's reference {bank_reference} is recorded already as what paid back {recovery_id}. Where one transfer"
                " pays back several recoveries, record them together."
            ),
            "银行流水号 {bank_reference} 已登记为 {recovery_id} 的缴回款。一笔款项缴回多项追回的，请一并登记。",
        ),
    ),
    Code.TRANSFER_DIFFERS: Row(
        Kind.REFUSED,
        ("The transfer is not what is due", "缴回款与追回不符"),
        (
            (
                "One transfer pays back recoveries of one payee, each in full. Named are those of {payees} payee(s) over"
                " {limit_fen:yuan} yuan; the transfer is of {actual_fen:yuan}."
            ),
            "一笔缴回款只能对应同一收款方的追回，且须全额缴回。所列追回涉及 {payees} 个收款方，共 {limit_fen:yuan} 元，缴回款为 {actual_fen:yuan} 元。",
        ),
    ),
    Code.ENTRY_NOT_REVERSIBLE: Row(
        Kind.REFUSED,
        ("Not corrected by a reversal", "此类分录不以冲正更正"),
        (
            (
                "An entry of kind {kind} is not corrected by a reversal. A hold is released, a refund redeemed anew, a"
                " payment returned by a bounce or claimed back by a refund, a voided voucher issued anew."
            ),
            "{kind} 类分录不以冲正更正：预占请释放，误退款请重新核销，支付请登记退票或通过退款追回，误作废请重新发放。",
        ),
    ),
    Code.ALREADY_REVERSED: Row(
        Kind.CONFLICT,
        ("Already reversed", "已冲正"),
        ("It was reversed already, by {entry_id}.", "该分录已由 {entry_id} 冲正。"),
    ),
    Code.VOUCHER_IN_USE: Row(
        Kind.CONFLICT,
        ("The voucher has been used since", "券在此后已使用"),
        (
            (
                "Only {actual_fen:yuan} of {limit_fen:yuan} yuan are free on the voucher. First release its holds and refund"
                " its redemptions in full, then reverse the issue; or void what is left."
            ),
            "券上仅有 {actual_fen:yuan} 元可用，发放额为 {limit_fen:yuan} 元。请先释放预占、全额退回核销，再冲正发放；或作废剩余部分。",
        ),
    ),
    Code.REDEMPTION_NOT_REVERSIBLE: Row(
        Kind.CONFLICT,
        ("The redemption cannot be reversed any more", "该核销已不能冲正"),
        (
            (
                "Redemption {redemption_id} has been refunded, paid, drawn from a hold, or its voucher has ended since. Let"
                " the provider refund the bill in full: what was paid becomes a recovery. Then redeem it anew."
            ),
            "核销记录 {redemption_id} 已有退款、已进入支付、出自预占，或其券已终结。请由供给方全额退款（已支付的转为追回），再重新核销。",
        ),
    ),
    Code.ALLOCATION_OPEN: Row(
        Kind.CONFLICT,
        ("Another round is open", "已有进行中的分配轮次"),
        (
            "Round {round_id} of this programme is not decided yet. Have it approved, or cancel it, then begin the next one.",
            "本项目的分配轮次 {round_id} 尚未办结。请先完成审批或撤销该轮次，再开始下一轮。",
        ),
    ),
    Code.DRAW_TOO_EARLY: Row(
        Kind.CONFLICT,
        ("Too early to draw", "尚未到公布时间"),
        (
            "The seed of this lottery is announced for {limit:local}; it is {actual:local} now. Nothing was drawn.",
            "本次抽签的种子号码定于 {limit:local} 公布，现为 {actual:local}。未抽签。",
        ),
    ),
    Code.WAITLIST_NOT_EMPTY: Row(
        Kind.CONFLICT,
        ("Others wait already", "候补名单未清"),
        (
            "{count} wait in this programme for {waiting_fen:yuan} yuan in all, and go first. Promote them (POST /v1/programmes/{{id}}/waitlist/promote) or end their waiting, then begin the next round.",
            "本项目尚有 {count} 户候补，共 {waiting_fen:yuan} 元，须先于新一轮分配。请先递补（POST /v1/programmes/{{id}}/waitlist/promote）或终止候补，再开始下一轮。",
        ),
    ),
    Code.NOTHING_TO_ALLOCATE: Row(
        Kind.CONFLICT,
        ("Nobody would get anything", "无可分配额度"),
        (
            "{available_fen:yuan} yuan are available; the first in line needs {needed_fen:yuan}. Nobody would get anything, so nothing was submitted.",
            "当前可用 {available_fen:yuan} 元，排在首位者需 {needed_fen:yuan} 元，无人可获分配，未提交审批。",
        ),
    ),
    Code.CALENDAR_NOT_LOADED: Row(
        Kind.CONFLICT,
        ("Table of holidays missing", "缺少节假日安排"),
        (
            "The table of holidays of {year} has not been loaded, so its working days cannot be counted. Ask the registrar to load it from the State Council's notice (`voucher calendar load`), then try again.",
            "{year} 年节假日安排尚未导入，无法计算该年的工作日。请登记员按国务院办公厅通知导入（voucher calendar load）后再试。",
        ),
    ),
    Code.APPLICATION_WINDOW_CLOSED: Row(
        Kind.REFUSED,
        ("Not open for applications", "不在申领时段内"),
        (
            "This programme takes applications from {opens_at:local} to {closes_at:local} (Beijing time); it is {at:local}. A draft can be kept.",
            "该项目受理申领的时间为 {opens_at:local} 至 {closes_at:local}，当前为 {at:local}。可先保存草稿。",
        ),
    ),
    Code.APPLICATION_LIMIT_REACHED: Row(
        Kind.CONFLICT,
        ("Already applied", "已有申领"),
        (
            "The rules let one firm have {limit} application(s) here; there are {actual}, the last is {application_id}. Withdraw it, or wait for its decision.",
            "按规则单个企业可有 {limit} 件申领，现已有 {actual} 件，最近一件为 {application_id}。可撤回该申领或等待其办结。",
        ),
    ),
    Code.APPLICANT_NOT_ELIGIBLE: Row(
        Kind.REFUSED,
        ("Conditions not met", "不符合申领条件"),
        (
            "By the programme's rules this application cannot be granted: {names}. `errors` tells each condition.",
            "按项目规则，该申领不符合条件：{names}。详见 errors 中的逐项说明。",
        ),
    ),
    Code.AMOUNT_OUT_OF_RANGE: Row(
        Kind.REFUSED,
        ("Amount out of range", "金额超出范围"),
        (
            "The amount must lie between {least_fen:yuan} and {limit_fen:yuan} yuan ({name}); it is {actual_fen:yuan}.",
            "金额须在 {least_fen:yuan} 元至 {limit_fen:yuan} 元之间（{name}），当前为 {actual_fen:yuan} 元。",
        ),
    ),
    Code.EVIDENCE_MISSING: Row(
        Kind.REFUSED,
        ("Documents missing", "缺少材料"),
        (
            "{count} document(s) that the rules ask for are missing: {names}. Upload them and submit again.",
            "缺少规则要求的 {count} 份材料：{names}。请上传后重新提交。",
        ),
    ),
    Code.CORRECTION_OVERDUE: Row(
        Kind.CONFLICT,
        ("Too late for the correction", "补正已逾期"),
        (
            "The correction was due on {limit}; it is {actual}. Ask the authority for more time, or apply anew.",
            "补正截止日为 {limit}，今天是 {actual}。请联系主管部门延长补正期限，或重新申领。",
        ),
    ),
    Code.POOL_SUFFICES: Row(
        Kind.CONFLICT,
        ("The pool suffices", "额度充足"),
        (
            "{available_fen:yuan} yuan are free after what is proposed already, and {actual_fen:yuan} are needed: propose it for issue instead of putting it on the waiting list.",
            "扣除已提请发放的部分后，可用额度为 {available_fen:yuan} 元，所需为 {actual_fen:yuan} 元：请提请发放，无须列入候补。",
        ),
    ),
    Code.WAITLIST_ORDER: Row(
        Kind.CONFLICT,
        ("Others wait before it", "候补顺序在前者尚未发放"),
        (
            "{application_id} has waited longer. By the rules the waiting list is served in its order: propose that one first, or together with this.",
            "{application_id} 候补在先。按规则候补依次发放：请先提请该件，或与本件一并提请。",
        ),
    ),
    Code.DOCUMENT_TYPE_REFUSED: Row(
        Kind.WRONG_MEDIA,
        ("Type of document not taken", "不接受该类型的文件"),
        (
            "{why_en} Taken are PDF, PNG, JPEG, .xlsx, .docx and OFD.",
            "{why_zh}可上传 PDF、PNG、JPEG、.xlsx、.docx、OFD。",
        ),
    ),
    Code.DOCUMENT_UNREADABLE: Row(
        Kind.INVALID,
        ("Document cannot be used", "文件无法使用"),
        ("{why_en}", "{why_zh}"),
    ),
    Code.DOCUMENT_LOST: Row(
        Kind.CONFLICT,
        ("Document not in the store", "材料库中没有该文件"),
        (
            "The bytes of this document (SHA-256 {sha256}) are not in the state folder, or are not what was uploaded. Tell the operator: they have to come back from a backup.",
            "状态目录中没有该文件（SHA-256：{sha256}），或其内容与上传时不符。请联系运维从备份中恢复。",
        ),
    ),
    Code.NOTHING_TO_SHOW: Row(
        Kind.REFUSED,
        ("Nothing to show", "没有可公示的事项"),
        (
            "There is nothing of this kind to show to the public now. Check the batch or the days.",
            "目前没有此类可公示的事项。请核对批次或日期。",
        ),
    ),
    Code.NOTICE_RUNNING: Row(
        Kind.CONFLICT,
        ("Public notice still running", "公示期未满"),
        (
            "Public notice {notice_id} shows it until the end of {limit}. Wait for that, then try again.",
            "公示 {notice_id} 的公示期至 {limit} 结束（含当日），请在期满后办理。",
        ),
    ),
    Code.NOTICE_OVER: Row(
        Kind.CONFLICT,
        ("The period is over", "公示期已结束"),
        (
            "Objections were taken until the end of {limit}. Turn to the authority that published the notice.",
            "异议受理至 {limit}（含当日），现已截止。如有情况请直接联系公示单位。",
        ),
    ),
    Code.NOTICE_REMOVED: Row(
        Kind.GONE,
        ("The notice is no longer shown", "公示已撤下"),
        (
            "Its period is over or it was withdrawn, so it is no longer shown here. Questions are answered by the authority that published it.",
            "公示期已满或公示已撤回，内容不再对外展示。如需了解，请联系公示单位。",
        ),
    ),
    Code.UNDER_OBJECTION: Row(
        Kind.CONFLICT,
        ("Under objection", "存在异议"),
        (
            "{subject_id} is item {item_no} of public notice {notice_id} and under objection, or was removed by one. Leave it out; the others may go on.",
            "{subject_id} 为公示 {notice_id} 第 {item_no} 项，存在未处理的异议或异议已成立。请将其剔除，其余可继续办理。",
        ),
    ),
    Code.OBJECTIONS_OPEN: Row(
        Kind.CONFLICT,
        ("Objections undecided", "尚有异议未处理"),
        (
            "{count} objection(s) to this notice are undecided. Answer them first.",
            "该公示尚有 {count} 件异议未处理，请先处理异议。",
        ),
    ),
    Code.TOO_MANY_OBJECTIONS: Row(
        Kind.THROTTLED,
        ("Too many objections", "异议提交过于频繁"),
        (
            "Too many objections were sent. Wait {minutes} minutes, or turn to the authority directly.",
            "提交的异议过多，请 {minutes} 分钟后再试，或直接联系公示单位。",
        ),
    ),
    Code.TOO_MANY_UPLOADS: Row(
        Kind.THROTTLED,
        ("Too many documents", "上传过于频繁"),
        (
            "{limit} documents of today belong to no application yet. Put them to use, or go on tomorrow.",
            "今日已有 {limit} 份材料未用于任何申领。请先用于申领，或明日再上传。",
        ),
    ),
    Code.RATE_LIMITED: Row(
        Kind.THROTTLED,
        ("Too many requests", "请求过于频繁"),
        (
            "This {whose} has made all of the {limit} requests that it may make in {window_s} seconds. Nothing was done. Repeat the same request in {wait_s} seconds, as Retry-After says.",
            "该{whose}在 {window_s} 秒内允许的 {limit} 次请求已用完，本次请求未作任何处理。请按 Retry-After 所示，{wait_s} 秒后重发同一请求。",
        ),
    ),
    Code.ADDRESS_TOO_LONG: Row(
        Kind.ADDRESS_TOO_LONG,
        ("Address too long", "请求地址过长"),
        (
            "Path and query of a request have at most {limit} characters. Ask for less at once.",
            "请求的路径与查询参数合计不得超过 {limit} 个字符，请减少一次查询的条件。",
        ),
    ),
    Code.HEADERS_TOO_LARGE: Row(
        Kind.HEADERS_TOO_LARGE,
        ("Headers too large", "请求头过大"),
        (
            "A request has at most {count} header fields of {limit} bytes together. Send fewer; cookies of other sites do not belong here.",
            "一次请求最多 {count} 个请求头字段，合计不超过 {limit} 字节。请减少请求头（勿附带其他站点的 Cookie）。",
        ),
    ),
    Code.REQUEST_TOO_SLOW: Row(
        Kind.TOO_SLOW,
        ("Request came too slowly", "请求传输过慢"),
        (
            "The request did not arrive in time, and nothing was done. Send the request again over a better connection.",
            "请求未在限定时间内传完，本次请求未作任何处理。请在网络较好时重新发送。",
        ),
    ),
    Code.HOST_UNKNOWN: Row(
        Kind.WRONG_HOST,
        ("Not this service's name", "主机名不属于本服务"),
        (
            "The service is not known under the name in the Host header. Use its public address; its operator names further ones in VOUCHER_HOSTS.",
            "请求头 Host 中的名称不属于本服务。请使用其公布的地址；如需增加名称，由运维人员在 VOUCHER_HOSTS 中设置。",
        ),
    ),
}
assert set(CATALOGUE) == set(Code), "every code has its row"
