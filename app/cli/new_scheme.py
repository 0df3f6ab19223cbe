"""What `voucher rules new` writes: a scheme file that passes its checks, every choice with its comment."""

from __future__ import annotations

STARTING_FILE = """\
# 规则文件。金额一律为整数分：20 万元写作 20_000_000。比例、单价、数量加引号。缺省字段取默认值。
# A scheme file. Amounts are whole fen: 200,000 yuan is 20_000_000. Rates, prices and quantities stand in quotes.
# 检查 check: voucher rules check FILE    说明 explain: voucher rules explain FILE

[scheme]
title_zh = "某市算力券（2027）"
title_en = "Compute vouchers of a city, 2027"
voucher_kind = "compute" # compute, assessment, training, model, corpus, token, data, innovation, enterprise_service
# region_code = "330100"
# fiscal_year = 2027
sources = []             # 政策文本 the texts it is written from

[rules]
mode = "deduct_at_provider" # 或 or: post_reimburse, face_value, quota_drawdown, auto_match, in_kind
claimant = "provider"       # 谁申报 who claims: firm, provider, operator
payee = "provider"          # 谁收款 who is paid
categories = ["compute"]    # 补贴的服务类别（含下级） what is covered, with all below it
excluded_categories = ["storage", "network"]
category_parents = { training = "compute", inference = "compute", storage = "compute", network = "compute" }
must_precede_expiry = "claim" # 到期前须发生 must happen before expiry: contract, service, invoice, claim
grace_days = 0

[rules.basis]
documents = []
assumptions = ["文本未明确之处所作的选择写在这里 / what was chosen where the text is silent"]

# 谁可以享受：条件须全部满足；未提供的事实不视为满足。 Who may: all conditions hold; a fact not given does not pass.
[[rules.requirements]]
name = "registered_here"
zh = "在本市注册"
en = "registered in the city"
when = { kind = "in_region", fact = "holder.region_code", regions = ["330100"] }

# 从多少起算：取所列金额的最小值，且不超过账单。 From what amount: the least of those listed, never above the bill.
[rules.base]
least_of = ["billed"] # 另可 also: contracted, assessed, invoiced, paid, metered
vat = "included"      # 或 or: excluded

# 以什么计量：未列出的类别不限单位。 In what units it is billed: a category that is not named takes any.
[rules.category_units]
compute = ["card_hour", "pflops_hour"]

# 核验什么：refuse 拒绝，flag 仅提示。 What is checked of every bill: refuse it, or only note it.
[rules.bill_checks]
usage_ref = { repeated = "refuse", required = false }
capacity = { beyond = "flag" }
price = { above_list = "flag" }
invoice = { required = false, contract_required = false }

# 补多少 How much
[rules.rate]
kind = "flat" # 或 or: by, line_cases, cases, bracket, fixed, attainment, up_to
rate = "0.30"

[rules.rounding]
unit_fen = 1
mode = "half_up" # 或 or: floor
level = "claim"  # 或 or: line

# 最多多少 At most
[[rules.caps]]
scope = "firm" # 或 or: line, claim, contract, voucher, group, claims
name = "yearly"
per = "year"   # 或 or: lifetime, { months = 36 }
limit_fen = 20_000_000

# 低于多少不补 Below this nothing
[[rules.floors]]
of = "base" # 或 or: contract, subsidy
at_least_fen = 100_000
inclusive = true

# 券何时到期 Until when
[rules.validity]
kind = "months" # 或 or: year_end, days, date
months = 12

# 与其他补贴合计 Together with others
[rules.stacking]
base = "exclusive"
ceiling = "1.00"

# 案例：按政策文本手工计算，计入原因代码。 Cases, computed by hand from the text, with their reason codes.
[[cases]]
name = "首次申报 50 万元"
facts.at = 2027-03-01T10:00:00+08:00
facts.holder = { region_code = "330106" }
facts.lines = [{ category = "training", amount_fen = 50_000_000 }]
expect_fen = 15_000_000 # 500,000 × 30 %
expect_reasons = []

[[cases]]
name = "再申报 50 万元，年度上限只余 5 万元"
after = true
facts.at = 2027-06-01T10:00:00+08:00
facts.holder = { region_code = "330106" }
facts.lines = [{ category = "training", amount_fen = 50_000_000 }]
expect_fen = 5_000_000
expect_reasons = ["CAP_FIRM_PERIOD"]

[[cases]]
name = "外地企业"
facts.at = 2027-03-01T10:00:00+08:00
facts.holder = { region_code = "310101" }
facts.lines = [{ category = "training", amount_fen = 50_000_000 }]
expect_fen = 0
expect_reasons = ["NOT_ELIGIBLE"]
"""
