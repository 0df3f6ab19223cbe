"""Rule versions in a pack: each is what the log sealed of its publication; packs written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.verifier import verify as verifying
from app.verifier.report import Report
from app.verifier.verify import Options, verify
from tests.verifier.packs import REGION, RULE_VERSION, RULES, PackMaker, compact, sha, small_story

PROGRAMME = "prg_330100_0000000000000000000000prg1"
LATER, LAST = "rul_330100_0000000000000000000000rul2", "rul_330100_0000000000000000000000rul3"
LOOSER = '{"rate":"0.50"}'


def event(number: int, said: str, about: str, details: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "action": said,
        "alg": "sha256",
        "at": "2026-11-25T04:00:00.000000Z",
        "details": sha(details).hex(),
        "id": f"evt_330100_{number:026d}",
        "object": about,
        "organisation": "org_one",
        "principal": "usr_checker",
        "region": "330100",
        "request": "request",
        "result": "done",
        "type": "audit_event",
        "v": 1,
    } | changes


def version(version_id: str, number: int, rules: str, kind: str, **changes: Any) -> tuple[dict[str, Any], Any]:
    """A version as a pack tells of it, and the event that sealed its publication."""
    hashed = sha(rules.encode()).hex()
    named = {"programme_id": PROGRAMME, "rule_version_id": version_id, "rules_sha256": hashed}
    command = compact(named | {"effective_on": f"2026-0{number}-01"} | changes.pop("command", {}))
    told = {"approval": f"apv_{number}", "command_sha256": sha(command).hex(), "maker": "usr_maker"}
    details = compact(told | changes.pop("details", {}))
    about = PROGRAMME if kind == "publish_programme" else version_id
    sealed = event(number, f"{kind}.approved", about, details, **changes)
    row = {"id": version_id, "programme_id": PROGRAMME, "number": number, "effective_on": f"2026-0{number}-01"}
    row |= {"rules": rules, "rules_sha256": hashed, "status": "published"}
    publication = {"event": sealed["id"], "details": details.decode(), "command": command.decode()}
    return row | {"publication": publication}, sealed


def published(**changes: Any) -> PackMaker:
    """A programme with its first version, and two later ones that were written one after the other."""
    story = small_story()
    first, sealed = version(RULE_VERSION, 1, RULES, "publish_programme", **changes)
    rows = [first]
    story.leaves.append(sealed)
    for number, later in ((2, LATER), (3, LAST)):
        row, sealed = version(later, number, f'{{"rate":"0.1{number}"}}', "publish_rule_version")
        story.leaves += [event(10 + number, "rule_version.written", later, b"{}"), sealed]
        rows.append(row)
    return PackMaker(story=story, rules=rows)


def judged(maker: PackMaker, folder: Path, **options: Any) -> Report:
    return verify(maker.write(folder), Options((maker.key.vkey, maker.witness.vkey), **options))


def told(report: Report) -> set[tuple[str, str]]:
    return {(one.check, one.subject) for one in report.findings.kept}


def test_versions_are_bound_to_the_leaves_of_their_publication(tmp_path: Path) -> None:
    report = judged(published(), tmp_path / "pack")
    assert report.is_right, report.to_text()
    assert not report.warnings
    assert (report.regions[0].rule_versions, report.regions[0].rules_bound) == (3, 3)
    assert "规则版本 / rule versions 3（日志所封存 / sealed in the log 3）" in report.to_text()


def test_a_pack_of_before_says_that_its_rules_are_not_bound(tmp_path: Path) -> None:
    maker = published()
    for row in maker.rules:
        del row["publication"]
    report = judged(maker, tmp_path / "pack")
    assert report.is_right, report.to_text()
    assert report.warnings == [("rules_unbound", REGION)]
    assert report.regions[0].rules_bound == 0


def test_a_command_of_before_does_not_name_the_day(tmp_path: Path) -> None:
    maker = published()
    row, sealed = maker.rules[0], maker.story.leaves[7]
    command = compact(
        {name: value for name, value in json.loads(row["publication"]["command"]).items() if name != "effective_on"}
    )
    details = compact({"command_sha256": sha(command).hex(), "maker": "usr_maker"})
    row["publication"] |= {"command": command.decode(), "details": details.decode()}
    sealed["details"] = sha(details).hex()
    assert judged(maker, tmp_path / "pack").is_right


def text_and_hash(rows: list[dict[str, Any]]) -> None:
    rows[1] |= {"rules": LOOSER, "rules_sha256": sha(LOOSER.encode()).hex()}


def with_its_command(rows: list[dict[str, Any]]) -> None:
    text_and_hash(rows)
    command = json.loads(rows[1]["publication"]["command"]) | {"rules_sha256": rows[1]["rules_sha256"]}
    rows[1]["publication"]["command"] = compact(command).decode()


def with_command_and_details(rows: list[dict[str, Any]]) -> None:
    with_its_command(rows)
    publication = rows[1]["publication"]
    details = json.loads(publication["details"]) | {"command_sha256": sha(publication["command"].encode()).hex()}
    publication["details"] = compact(details).decode()


FORGERIES: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "its text and its hash": text_and_hash,
    "its command, too": with_its_command,
    "and the details that name the command": with_command_and_details,
    "from when it holds": lambda rows: rows[1].update(effective_on="2026-01-15"),
    "of which programme it is": lambda rows: rows[1].update(programme_id="prg_330100_other"),
    "its publication": lambda rows: rows[1].pop("publication"),
    "that it has a publication": lambda rows: rows[1].update(publication=None),
    "the publication of another": lambda rows: rows[1].update(publication=rows[2]["publication"]),
    "an event that never was": lambda rows: rows[1]["publication"].update(event="evt_330100_none"),
    "its number": lambda rows: rows[1].update(number="2"),
    "which number came later": lambda rows: (rows[1].update(number=3), rows[2].update(number=2)),
    "one that nobody uses": lambda rows: rows.pop(1),
    "all of them": lambda rows: rows.clear(),
    "one put in": lambda rows: rows.append(rows[1] | {"id": "rul_330100_new", "number": 4}),
    "one put in twice": lambda rows: rows.append(rows[1]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_version_that_was_edited_in_the_pack_is_found(name: str, tmp_path: Path) -> None:
    maker = published()
    FORGERIES[name](maker.rules)
    found = told(judged(maker, tmp_path / "pack"))
    assert {check for check, _ in found} - {"rules_missing"} == {"rules_publication"}, found
    assert {LATER, LAST, "rul_330100_new"} & {subject for _, subject in found}


@pytest.mark.parametrize(
    "changes",
    [
        {"details": {"maker": "usr_checker"}},
        {"object": "prg_330100_other"},
        {"action": "publish_programme.rejected"},
        {"action": "publish_rule_version.approved"},
        {"result": "refused"},
        {"command": {"rules_sha256": sha(LOOSER.encode()).hex()}},
        {"details": {"command_sha256": 5}},
    ],
    ids=["one person", "of another", "rejected", "of another kind", "refused", "other rules", "no hash"],
)
def test_an_event_that_publishes_no_such_version(changes: dict[str, Any], tmp_path: Path) -> None:
    report = judged(published(**changes), tmp_path / "pack")
    assert ("rules_publication", RULE_VERSION) in told(report), report.to_text()


def test_publications_are_known_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "SAVE_EVERY_S", 0)
    maker, state = published(), tmp_path / "state.json"
    folder = maker.write(tmp_path / "pack")
    options = Options((maker.key.vkey, maker.witness.vkey), state=state)
    done: list[int] = []

    def stop(position: int, _total: int) -> None:
        done.append(position)
        if position >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(folder, options, progress=stop)
    assert state.exists()
    report = verify(folder, options)
    assert report.resumed_at is not None
    assert report.is_right, report.to_text()
    assert report.regions[0].rules_bound == 3
