"""What a firm's manager asks next: where can it be spent, and whom do I ask?"""

from __future__ import annotations

import re
from itertools import pairwise

from tests.portal.manager import Manager
from tests.world import ok


def test_a_voucher_says_where_it_is_good_and_who_runs_its_programme(manager: Manager) -> None:
    desk = manager.counter
    programme = ok(desk.city.maker.get(f"/v1/programmes/{desk.voucher['programme_id']}"))
    admitted = ok(desk.manager.get(f"/v1/programmes/{programme['id']}/providers"))
    names = [one["provider_name"] for one in admitted]
    assert names, "a counter has a provider"
    client = manager.http()
    section = re.search(r'<section[^>]* id="where".*?</section>', client.get(manager.voucher_path).text, re.DOTALL)
    assert section is not None
    assert all(name in section[0] for name in names)
    assert programme["document_no"] in section[0]
    assert "项目主管部门" in section[0]
    client.get("/portal/language/en")
    assert "Authority of the programme" in client.get(manager.voucher_path).text


def test_the_pages_of_a_voucher_skip_no_level_of_headings(manager: Manager) -> None:
    desk = manager.counter
    ok(desk.redeem(100_000))
    client = manager.http()
    for path in ("", "/bills", "/movements", "/holds"):
        levels = [int(level) for level in re.findall(r"<h([1-6])", client.get(manager.voucher_path + path).text)]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), (path, levels)
