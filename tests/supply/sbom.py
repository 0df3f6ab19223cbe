"""`make sbom`: what the service brings along, as a CycloneDX 1.6 document in JSON.

Made of the requirements file and of what the installed packages say of themselves. The same packages give the same
bytes, so that two builds can be compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.supply.pins import REQUIREMENTS, Pin, read_pins
from tests.test_licences import licences

SPECIFICATION = "1.6"
PROJECT = "compute-vouchers"


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--requirements", type=Path, default=REQUIREMENTS / "runtime.txt")
    given.add_argument("--output", type=Path, help="a file; the terminal without it")
    asked = given.parse_args()
    text = json.dumps(document(read_pins(asked.requirements)), ensure_ascii=False, indent=1) + "\n"
    if asked.output is None:
        sys.stdout.write(text)
    else:
        asked.output.write_text(text, encoding="utf-8")
    return 0


def document(pins: Sequence[Pin]) -> dict[str, Any]:
    """The whole document. Packages that are for other machines are in it, without licence and dependencies."""
    known = {pin.name: pin for pin in pins}
    own = {"type": "application", "bom-ref": PROJECT, "name": PROJECT}
    body = {
        "components": [_component(pin) for pin in pins],
        "dependencies": [
            {"ref": PROJECT, "dependsOn": sorted(pin.purl for pin in pins)},
            *({"ref": pin.purl, "dependsOn": _needed(pin, known)} for pin in pins),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    head = {"bomFormat": "CycloneDX", "specVersion": SPECIFICATION, "serialNumber": f"urn:uuid:{serial}", "version": 1}
    return head | {"metadata": {"component": own}} | body


def _component(pin: Pin) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": one} for one in pin.hashes]
    page = f"https://pypi.org/project/{pin.name}/{pin.version}/"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "externalReferences": [{"type": "distribution", "url": page, "hashes": hashes}],
    }
    if said := _licences(pin):
        component["licenses"] = said
    return component


def _licences(pin: Pin) -> list[dict[str, Any]]:
    try:
        described = metadata(pin.name)
    except PackageNotFoundError:  # a package for another system
        return []
    if expressions := described.get_all("License-Expression"):
        return [{"expression": expressions[0]}]
    return [{"license": {"name": one}} for one in dict.fromkeys(licences(described))]


def _needed(pin: Pin, known: Mapping[str, Pin]) -> list[str]:
    try:
        wanted = [Requirement(one) for one in requires(pin.name) or () if version(pin.name)]
    except PackageNotFoundError:
        return []
    names = {canonicalize_name(one.name) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})}
    return sorted(known[name].purl for name in names if name in known)


if __name__ == "__main__":
    sys.exit(main())
