"""What each finding and each warning is called, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

CHECKS: Mapping[str, tuple[str, str]] = {
    "file_missing": ("缺少文件", "a file is missing"),
    "file_unreadable": ("文件无法读取（权限或介质）", "a file cannot be read (permission, or the disk)"),
    "file_twice": ("归档中同一文件出现多次", "a file is in the archive more than once"),
    "empty": ("包内没有任何地区，什么也没有证明", "the pack holds no region: it proves nothing"),
    "log_missing": ("此前取得的树头所属日志不在包内", "a head taken earlier is of a log that the pack does not hold"),
    "file_differs": ("文件与清单所载大小或哈希不符", "a file is not what the manifest lists"),
    "file_unlisted": (
        "文件不在清单中（或不在包内、不是普通文件）",
        "a file that the manifest does not list, or no file of the pack",
    ),
    "file_unknown": (
        "清单所列、格式中却没有的文件：其内容未经核验",
        "a listed file that the format does not know: nobody judged what is in it",
    ),
    "taken_at": ("清单所载取得时间早于包内的叶子", "the pack says it was taken before its own leaves were written"),
    "file_malformed": ("文件无法解析", "a file cannot be read"),
    "row_malformed": ("存量记录无法解析", "a stored row cannot be read"),
    "leaves_count": ("叶子数量不符，文件被截断或改动", "another number of leaves: cut off or altered"),
    "leaf_format": ("叶子格式不符", "not a leaf of a known format"),
    "leaf_hash": ("叶子与日志所存哈希不符", "a leaf is not what was hashed for the log"),
    "tile": ("叶子与日志树的哈希瓦片不符", "a leaf is not what the tree's tile says"),
    "log_size": ("叶子数与最新签名树头不符", "another number of leaves than the newest signed head says"),
    "root": ("重算的树根与签名树头不符", "the tree does not come to the signed head"),
    "head_malformed": ("树头无法解析", "a head cannot be read"),
    "head_signature": ("树头签名不成立", "the signature of a head does not hold"),
    "head_unknown_key": (
        "树头没有已知密钥的签名（每个地区的日志各有公钥）",
        "a head is not signed by a key that is known here (each region's log has its own)",
    ),
    "fork": ("同一大小有两个不同的树头：日志分叉", "two heads of one size differ: the log was forked"),
    "cosignature": ("见证签名不成立", "a cosignature does not hold"),
    "shortened": ("日志短于此前取得的树头：被回滚", "the log is shorter than a head taken earlier: rolled back"),
    "forked": ("日志与此前取得的树头不一致：历史被改写", "the log does not contain a head taken earlier: rewritten"),
    "leaf_twice": ("同一分录出现两次", "an entry is in the log twice"),
    "region": ("指向其他地区", "points into another region"),
    "kind": ("未知的分录种类", "an unknown kind of entry"),
    "moves": ("该种类分录不得在这些账户间移动", "this kind of entry does not move between these accounts"),
    "payee": (
        "应付、支付中、已拨付的款项须有收款方，且付给应付之方",
        "what is owed or paid belongs to a payee: whom it is owed to",
    ),
    "issue": ("券只发放一次，且由其第一笔分录发放", "a voucher is issued once, by its first entry"),
    "approval_twice": ("同一审批用于两笔指标", "one approval granted money twice"),
    "two_persons": ("须经办与审核两人", "two persons are needed"),
    "pool_equation": ("资金池：预算指标≠各阶段之和", "granted is not the sum of all stages"),
    "pool_below_zero": ("资金池账户为负（来源账户为正）", "an account of a pool is below zero (a source above it)"),
    "payee_below_zero": ("收款方账户为负", "an account of a payee is below zero"),
    "voucher": ("分录与其券不一致", "a posting is on another voucher than its entry"),
    "voucher_seq": ("券的分录序号不连续", "the numbers of a voucher's postings have a gap or repeat"),
    "voucher_end": ("资金离开券却未注明券如何结束", "money leaves a voucher that has not ended"),
    "voucher_below_zero": ("券的某部分为负", "a part of a voucher is below zero"),
    "hold": (
        "预占不是由其自身分录建立，或用于他券",
        "a hold is not made by its own entry, once, or serves another voucher",
    ),
    "hold_end": ("预占须恰好结束一次且结束时归零", "a hold ends exactly once, and with nothing held"),
    "hold_below_zero": ("预占的某部分为负", "a part of a hold is below zero"),
    "subject_twice": ("同一核销入账两次", "a redemption is posted twice"),
    "reversal": ("冲正与原分录不互为镜像", "a reversal does not mirror an earlier entry"),
    "reversed_twice": ("同一分录被冲正两次", "an entry is reversed twice"),
    "pair": ("资金池间划转的两笔分录不成对", "two entries that move money between pools are no pair"),
    "validity": ("在券有效期之外支用", "drawn outside the voucher's validity"),
    "validity_stored": (
        "有效期≠发放与延期时所载",
        "a voucher's validity is not what it was issued with and extended to",
    ),
    "extension": ("延期与此前的有效期不符", "an extension does not follow from the validity before it"),
    "closed_year": ("关账之后仍有支用或恢复可用额度", "a closed year was spent from, or had money available again"),
    "counter": ("存量余额≠由叶子重算所得", "a stored counter is not what the leaves come to"),
    "row_missing": ("叶子中有、存量中没有", "known to the leaves, not stored"),
    "text_hash": ("事实或过程与叶子所载哈希不符", "facts or trace are not what the leaf names"),
    "text_missing": ("缺少叶子所指的文本", "a text that a leaf names is missing"),
    "text_unknown": ("文本不属于任何叶子", "a text that no leaf names"),
    "rules_hash": ("规则文本与其哈希不符", "rules are not what their hash says"),
    "rules_publication": (
        "规则版本与日志所封存的发布不符",
        "a rule version is not one that the log says was published",
    ),
    "rules_missing": ("缺少叶子所指的规则版本", "a rule version that a leaf names is missing"),
    "journal": ("文本账簿与叶子不符", "the plain-text journal is not what the leaves come to"),
    "receipt_signature": ("回执没有该日志的有效签名，不作数", "a receipt without the log's signature promises nothing"),
    "receipt_leaf": ("日志中的叶子不是回执所载", "the log has another leaf than the receipt says"),
    "receipt_omitted": ("承诺时限已过而日志中没有", "promised and not in the log"),
    "replay": ("重新计算的补贴与存档不一致", "a subsidy computed again differs"),
}

WARNINGS: Mapping[str, tuple[str, str]] = {
    "keys_from_pack": (
        "未提供公钥，使用包内公钥：它们只与包本身一样可信。请用 --vkey 给出另行取得的公钥。",
        "no key was given, those in the pack are used: as good as the pack itself. Give others with --vkey.",
    ),
    "not_cosigned": (
        "没有已知见证方的签名：仅凭一个包无法看出日志是否对他人另有一份。请用 --checkpoint 给出此前取得的树头。",
        "no known witness cosigned it: whether others are shown another log cannot be told. Give heads taken earlier.",
    ),
    "unsealed": (
        "部分分录尚未封存，树头不覆盖它们",
        "some leaves are not sealed yet: no head covers them",
    ),
    "rules_unbound": (
        "包内没有规则版本的发布凭据（旧版导出）：规则只与其自身的哈希核对。请重新导出。",
        "an older export, without the publications of rules: they are held against their own hash only; export anew",
    ),
    "nothing_sealed": ("该地区尚无签名树头", "nothing of this region is sealed yet"),
    "started_anew": (
        "已存的进度属于另一个包或另一组选项，从头开始",
        "the saved progress is of another pack or other options; started anew",
    ),
}
