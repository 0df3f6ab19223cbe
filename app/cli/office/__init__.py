"""An official's day from the shell: programmes, budgets, issuing, vouchers, approvals, over the API.

Every command speaks through an `Office`: answers on standard output (a table, or JSON), everything that is said beside
them on standard error. The statuses with which commands end are in `app/cli/endings.py`.
"""
