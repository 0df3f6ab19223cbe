"""Writes `permissions.txt` anew from what the service answers: read the difference before you commit it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import migrations
from app.embedded import databases
from app.embedded.server import temporary
from tests.matrix.asking import TABLE, read_table, written
from tests.matrix.going import ask_everything, declared_anew, standing_province

HEAD = """\
# Every route, and what each of those who may ask is answered when he asks for a tenant's things.
#
# own         registrar maker checker finance auditor provider machine firm system_admin security_admin audit_admin
# same_city   another authority's maker and checker, another provider and its machine, another firm
# other_city  the same eleven of another city
# county      maker checker finance auditor of a county of the city
# province    registrar auditor security_admin system_admin audit_admin of the province
# nobody      without a token
#
# +  is let in: what he asked for, or a refusal of its state     0  404: it does not exist for him
# ~  is answered, and sees nothing of the tenant                 x  403: his role may not
# -  a stranger, refused by a rule that is not his reach         !  401: who is he?
#                                                                .  not asked: the route looks at no bearer token
#
# Where a stranger has + or -, the line ends with what he is shown, by group, and why: words of the city's offices, of
# its firm or provider (office, firm, firm2, provider, provider2) and kinds of ids.
"""


def main() -> None:
    declared = read_table() if TABLE.exists() else {}
    with tempfile.TemporaryDirectory() as folder, temporary() as server:
        urls = databases.prepare(server, database="template")
        migrations.upgrade(urls.owner_url)
        with standing_province(server, "template", Path(folder)) as (one, other):
            asked = ask_everything(one, other, declared)
    TABLE.write_text(HEAD + "\n" + "\n".join(written(declared_anew(asked, declared))) + "\n")
    for swap in asked.swaps:
        if swap.status < 400 or swap.strange:
            print(swap.status, swap.role, swap.place, sorted(swap.strange))
    print("touched", sorted(asked.touched_by_strangers), sorted(asked.touched_by_swaps))


if __name__ == "__main__":
    main()
