"""The bill of materials and the check for vulnerabilities, against versions that are known to be hit."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_expression
from cyclonedx.validation.json import JsonStrictValidator

from tests.supply.advisories import is_affected, read_database
from tests.supply.check import FOUND, NONE, UNREADABLE, main
from tests.supply.pins import REQUIREMENTS, Pin, read_pins
from tests.supply.sbom import document

EXCERPT = Path(__file__).with_name("excerpt.json")
HASH = "0" * 64


def pinned(folder: Path, *packages: str) -> Path:
    file = folder / "requirements.txt"
    file.write_text("".join(f"{one} \\\n    --hash=sha256:{HASH}\n    # via something\n" for one in packages))
    return file


def affected(*events: dict[str, str], **more: Any) -> dict[str, Any]:
    return {
        "package": {"ecosystem": "PyPI", "name": "x"},
        "ranges": [{"type": "ECOSYSTEM", "events": [*events]}],
    } | more


@pytest.mark.parametrize("file", ["runtime.txt", "dev.txt"])
def test_every_requirement_is_pinned_with_its_hashes(file: str) -> None:
    pins = read_pins(REQUIREMENTS / file)
    assert len(pins) > 50
    assert all(pin.hashes for pin in pins)


@pytest.mark.parametrize("line", ["fastapi>=0.1 --hash=sha256:" + HASH, "fastapi==0.1"])
def test_what_is_not_pinned_or_has_no_hash_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "loose.txt").write_text(line + "\n")
    with pytest.raises(ValueError, match="not pinned"):
        read_pins(tmp_path / "loose.txt")


@pytest.mark.parametrize(
    ("version", "events", "hit"),
    [
        ("1.4.9", [{"introduced": "1.5.0"}, {"fixed": "2.4.0"}], False),
        ("1.5.0", [{"introduced": "1.5.0"}, {"fixed": "2.4.0"}], True),
        ("2.4.0rc1", [{"introduced": "1.5.0"}, {"fixed": "2.4.0"}], True),
        ("2.4.0", [{"introduced": "1.5.0"}, {"fixed": "2.4.0"}], False),
        ("2.10", [{"introduced": "0"}, {"fixed": "2.9"}], False),
        ("2.9", [{"introduced": "0"}, {"fixed": "2.10"}], True),
        ("0.0.dev1", [{"introduced": "0"}, {"fixed": "1"}], True),
        ("3.0", [{"introduced": "0"}, {"last_affected": "3.0"}], True),
        ("3.0.1", [{"introduced": "0"}, {"last_affected": "3.0"}], False),
        ("5", [{"introduced": "0"}, {"fixed": "2"}, {"introduced": "4"}, {"fixed": "6"}], True),
        ("3", [{"introduced": "0"}, {"fixed": "2"}, {"introduced": "4"}, {"fixed": "6"}], False),
        ("5", [{"fixed": "6"}, {"introduced": "4"}, {"fixed": "2"}, {"introduced": "0"}], True),
        ("9", [{"introduced": "0"}, {"limit": "8"}], False),
        ("2022.12.6", [{"introduced": "2017.11.05"}, {"fixed": "2022.12.07"}], True),
    ],
)
def test_ranges_are_read_as_the_format_says(version: str, events: list[dict[str, str]], hit: bool) -> None:  # noqa: FBT001
    assert is_affected(version, affected(*events)) is hit


def test_a_listed_version_is_hit_whatever_the_ranges_say() -> None:
    assert is_affected("1.0", {"versions": ["1.0"]})
    assert not is_affected("1.1", {"versions": ["1.0"], "ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]})


def test_known_advisories_are_found_and_told_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    old = pinned(tmp_path, "PyJWT==2.3.0", "jinja2==3.1.2", "starlette==0.40.0", "rich==14.0.0")
    assert main(["--database", str(EXCERPT), "--requirements", str(old)]) == FOUND
    told = capsys.readouterr().out
    for word in ("GHSA-ffqj-6fqr-9h24", "CVE-2022-29217", "2.4.0", "CVE-2024-22195", "修复版本", "Fixed in", "2 条"):
        assert word in told
    assert "starlette" not in told
    assert "2026-11-01" in told


def test_what_is_pinned_now_is_none_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--database", str(EXCERPT)]) == NONE
    assert "未发现已知漏洞" in capsys.readouterr().out


def test_a_zip_a_folder_and_a_list_are_one_database(tmp_path: Path) -> None:
    records = json.loads(EXCERPT.read_text())
    folder = tmp_path / "all"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
            (folder / f"{record['id']}.json").write_text(json.dumps(record))
    hits = [read_database(path).hits([Pin("h11", "0.14.0", ())]) for path in (EXCERPT, folder, tmp_path / "all.zip")]
    assert [[hit.aliases for hit in found] for found in hits] == [[("CVE-2025-43859",)]] * 3


def test_what_was_withdrawn_or_is_of_another_ecosystem_does_not_count(tmp_path: Path) -> None:
    record = json.loads(EXCERPT.read_text())[0]
    elsewhere = {"package": {"ecosystem": "npm", "name": "pyjwt"}, "versions": ["2.3.0"]}
    (tmp_path / "db.json").write_text(
        json.dumps([record | {"withdrawn": "2026-01-01T00:00:00Z"}, {"id": "X", "affected": [elsewhere]}])
    )
    with pytest.raises(ValueError, match="no advisory"):
        read_database(tmp_path / "db.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[]", b"\xff\xfe"])
def test_a_database_that_is_none_is_no_all_clear(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "db.json").write_bytes(content)
    assert main(["--database", str(tmp_path / "db.json")]) == UNREADABLE
    assert main(["--database", str(tmp_path / "not there.zip")]) == UNREADABLE
    assert "无法读取" in capsys.readouterr().err


def test_an_old_database_is_told_to_be_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [record | {"modified": "2020-01-31T00:00:00Z"} for record in json.loads(EXCERPT.read_text())]
    (tmp_path / "db.json").write_text(json.dumps(records))
    assert main(["--database", str(tmp_path / "db.json")]) == NONE
    assert "fetch a newer one" in capsys.readouterr().out


def test_the_bill_of_materials_has_every_package_once_with_licence_and_hashes() -> None:
    pins = read_pins(REQUIREMENTS / "runtime.txt")
    bom = document(pins)
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.6", 1)
    parts = {part["bom-ref"]: part for part in bom["components"]}
    assert set(parts) == {pin.purl for pin in pins}
    assert len(parts) == len(bom["components"])
    fastapi = next(part for part in parts.values() if part["name"] == "fastapi")
    assert fastapi["licenses"] == [{"expression": "MIT"}]
    assert fastapi["purl"] == f"pkg:pypi/fastapi@{fastapi['version']}"
    assert all(len(one["content"]) == 64 for one in fastapi["externalReferences"][0]["hashes"])
    needs = {one["ref"]: one["dependsOn"] for one in bom["dependencies"]}
    assert any(ref.startswith("pkg:pypi/starlette@") for ref in needs[fastapi["purl"]])
    assert {ref for refs in needs.values() for ref in refs} <= set(parts)
    assert document(pins) == bom, "the same packages give the same bytes"


@pytest.mark.parametrize("file", ["runtime.txt", "dev.txt"])
def test_the_bill_of_materials_is_what_the_standards_own_schema_asks_for(file: str) -> None:
    """CycloneDX 1.6, without a field that it does not know; licences that are expressions are those of SPDX."""
    bom = document(read_pins(REQUIREMENTS / file))
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(bom)) is None
    for spoilt in ({"serialNumber": "x"}, {"made": "by hand"}, {"components": [{"name": "x"}]}):
        assert validator.validate_str(json.dumps(bom | spoilt)) is not None, "the validator looks at the document"
    said = [one["expression"] for part in bom["components"] for one in part.get("licenses", ()) if "expression" in one]
    assert len(said) > 20
    assert [one for one in said if not is_expression(one)] == []
