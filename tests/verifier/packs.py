"""Packs written by hand from the documented format (docs/packs.md), with no code of the export or of the verifier."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

REGION = "330100"
ORIGIN = "vouchers.example.gov.cn/330100"
POOL = "pol_330100_0000000000000000000000pool"
VOUCHER = "vch_330100_0000000000000000000000vch1"
OTHER_VOUCHER = "vch_330100_0000000000000000000000vch2"
HOLD = "hld_330100_0000000000000000000000hld1"
PROVIDER = "org_000000000000000000000000000"
RULES = '{"rate":"0.30"}'
RULE_VERSION = "rul_330100_0000000000000000000000rul1"
UNBOUND = {"id": RULE_VERSION, "rules": RULES, "rules_sha256": hashlib.sha256(RULES.encode()).hexdigest()}
"""A version as packs told of it that did not tell of its publication."""
VALID_FROM, VALID_UNTIL = "2026-01-01T00:00:00.000000Z", "2026-12-31T16:00:00.000000Z"
ISSUED = f'{{"redeemable_until":"{VALID_UNTIL}","valid_from":"{VALID_FROM}","valid_until":"{VALID_UNTIL}"}}'
TAKEN_AT = "2026-11-26T06:00:00.000000Z"


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def compact(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def rfc6962(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return sha(b"\x00" + leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha(b"\x01" + rfc6962(leaves[:half]) + rfc6962(leaves[half:]))


@dataclass
class NoteKey:
    """A key of a log (1) or a witness (4)."""

    name: str
    kind: int = 1
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def blob(self) -> bytes:
        return bytes([self.kind]) + self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        return sha(self.name.encode() + b"\n" + self.blob)[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self.blob).decode()}"

    def line(self, signature: bytes) -> str:
        return f"— {self.name} {base64.b64encode(self.key_id + signature).decode()}"

    def cosign(self, text: str, at: int) -> str:
        signed = self.private.sign(f"cosignature/v1\ntime {at}\n{text}".encode())
        return self.line(at.to_bytes(8, "big") + signed)


def head_text(leaves: list[bytes], origin: str = ORIGIN) -> str:
    return f"{origin}\n{len(leaves)}\n{base64.b64encode(rfc6962(leaves)).decode()}\n"


def note(text: str, key: NoteKey) -> str:
    return f"{text}\n{key.line(key.private.sign(text.encode()))}\n"


def posting(source: str, to: str, fen: int, seq: int | None = None, **changes: Any) -> dict[str, Any]:
    on = None if seq is None else VOUCHER
    return {"line": 0, "pool": POOL, "from": source, "to": to, "fen": fen, "voucher": on, "seq": seq} | {
        "payee": PROVIDER if "obligated" in {source, to} else None,
        **({"hold": HOLD} if "held" in {source, to} else {}),
        **changes,
    }


@dataclass
class Story:
    """Entries of one region in log order, with the texts they name."""

    leaves: list[dict[str, Any]] = field(default_factory=list)
    texts: list[dict[str, str]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))

    def entry(self, kind: str, *postings: dict[str, Any], **changes: Any) -> dict[str, Any]:
        number = next(self._numbers)
        entry_id = f"ent_330100_{number:026d}"
        two = kind in {"appropriate", "adjust", "issue", "void", "order_payment", "reverse", "move", "authorise"}
        facts = f'{{"facts":{number}}}' if kind in {"hold", "redeem", "refund"} else None
        trace = f'{{"trace":{number}}}' if facts else None
        details = ISSUED if kind == "issue" and "details" not in changes else None
        for name, text in (("facts", facts), ("trace", trace), ("details", details)):
            if text is not None:
                self.texts.append({"entry": entry_id, "kind": name, "text": text})
        leaf = {
            "v": 1,
            "alg": "sha256",
            "type": "entry",
            "id": entry_id,
            "region": REGION,
            "kind": kind,
            "at": f"2026-11-2{number % 5}T03:08:29.{number:06d}Z",
            "programme": "prg_330100_0000000000000000000000prg1",
            "voucher": VOUCHER if any(one["voucher"] for one in postings) else None,
            "subject": f"sub_330100_{number:026d}",
            "principal": "cli_01m85r7btyem3t5wsh51d692xd",
            "organisation": PROVIDER,
            "maker": "usr_maker" if two else None,
            "checker": "usr_checker" if two else None,
            "approval": f"apv_330100_{number:026d}" if two else None,
            "request": f"request-{number}",
            "rules": RULE_VERSION if facts else None,
            "reverses": None,
            "pair": None,
            "voucher_end": None,
            "facts": None if facts is None else sha(facts.encode()).hex(),
            "trace": None if trace is None else sha(trace.encode()).hex(),
            "details": sha((details or "{}").encode()).hex(),
            "postings": [one | {"line": line} for line, one in enumerate(postings, start=1)],
        } | changes
        self.leaves.append(leaf)
        return leaf


def lone_leaf(kind: str, *postings: dict[str, Any]) -> dict[str, Any]:
    """One entry by itself."""
    return Story().entry(kind, *postings)


def small_story() -> Story:
    """1,000.00 granted; a voucher of 500.00; 200.00 held, 120.00 of it drawn, 80.00 back; 100.00 drawn, 30.00 back."""
    story = Story()
    story.entry("appropriate", posting("appropriation", "available", 100_000))
    story.entry("issue", posting("available", "committed", 50_000, 1))
    story.entry("hold", posting("committed", "held", 20_000, 2), subject=HOLD)
    story.entry("redeem", posting("held", "obligated", 12_000, 3), subject="rdm_330100_one")
    story.entry("redeem", posting("committed", "obligated", 10_000, 4), subject="rdm_330100_two")
    story.entry("release", posting("held", "committed", 8_000, 5), subject=HOLD)
    story.entry("refund", posting("obligated", "committed", 3_000, 6), subject="rfd_330100_one")
    return story


PARTS = ("face_fen", "balance_fen", "held_fen", "redeemed_fen", "recovered_fen", "expired_fen", "voided_fen")
COUNTERS = dict(zip((*PARTS, "surrendered_fen"), (50_000, 31_000, 0, 19_000, 0, 0, 0, 0), strict=True))
"""50,000 − 20,000 − 10,000 + 8,000 + 3,000 free; 12,000 + 10,000 − 3,000 redeemed."""

HELD = {"amount_fen": 20_000, "held_fen": 0, "redeemed_fen": 12_000, "released_fen": 8_000}


def small_stored() -> dict[str, list[dict[str, Any]]]:
    """What is stored after `small_story`, worked out by hand."""

    def redemption(name: str, subsidy_fen: int, refunded_fen: int) -> dict[str, Any]:
        amounts = {"subsidy_fen": subsidy_fen, "refunded_fen": refunded_fen, "recovered_fen": 0}
        return {"id": name, "mandate_id": "mdt_330100_one", "status": "posted", **amounts}

    return {
        "pools": [{"id": POOL, "available_fen": 50_000, "closed_at": None}],
        "vouchers": [
            {"id": VOUCHER, **COUNTERS, "posting_count": 6, "valid_from": VALID_FROM, "valid_until": VALID_UNTIL}
            | {"redeemable_until": VALID_UNTIL}
        ],
        "allotments": [{"voucher_id": VOUCHER, "pool_id": POOL, **COUNTERS}],
        "holds": [{"id": HOLD, "status": "released", "mandate_id": "mdt_330100_one", **HELD}],
        "hold_shares": [{"hold_id": HOLD, "pool_id": POOL, **HELD}],
        "refunds": [
            {
                "id": "rfd_330100_one",
                "redemption_id": "rdm_330100_two",
                "subsidy_refund_fen": 3_000,
                "entry_id": f"ent_330100_{7:026d}",
            }
        ],
        **{table: [] for table in ("payment_items", "payment_orders", "recoveries")},
        "redemptions": [redemption("rdm_330100_one", 12_000, 0), redemption("rdm_330100_two", 10_000, 3_000)],
        "mandates": [{"id": "mdt_330100_one", "used_fen": 19_000, "limit_fen": 50_000}],
    }


@dataclass
class PackMaker:
    """Writes a pack of one region; everything can be changed before."""

    story: Story = field(default_factory=small_story)
    stored: dict[str, list[dict[str, Any]]] = field(default_factory=small_stored)
    key: NoteKey = field(default_factory=lambda: NoteKey(ORIGIN))
    witness: NoteKey = field(default_factory=lambda: NoteKey("witness.example.org", 4))
    head_sizes: tuple[int, ...] = (3,)
    per_file: int = 4
    unsealed: int = 0
    rules: list[dict[str, Any]] = field(default_factory=lambda: [dict(UNBOUND)])
    raw: dict[int, bytes] = field(default_factory=dict)
    """Leaves that are other bytes than their entry's."""

    def written(self) -> list[bytes]:
        return [self.raw.get(place, compact(leaf)) for place, leaf in enumerate(self.story.leaves)]

    def write(self, folder: Path, *, hashed: list[bytes] | None = None) -> Path:
        """Write it; `hashed` are the leaves that the log's hashes, tiles and heads are of, where that differs."""
        leaves = self.written()
        waiting = leaves[len(leaves) - self.unsealed :]
        sealed = leaves[: len(leaves) - self.unsealed]
        logged = sealed if hashed is None else hashed
        files: dict[str, bytes] = {"keys.txt": f"{self.key.vkey}\n{self.witness.vkey}\n".encode()}
        entries = self.story.leaves[: len(sealed)]
        parts = []
        for first in range(0, len(sealed), self.per_file):
            part, name = sealed[first : first + self.per_file], f"{first:012d}"
            ids = {leaf["id"] for leaf in entries[first : first + self.per_file]}
            hashes = b"".join(sha(b"\x00" + leaf) for leaf in logged[first : first + self.per_file])
            texts = [compact(text) + b"\n" for text in self.story.texts if text["entry"] in ids]
            files[f"{REGION}/leaves/{name}.bin"] = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in part)
            files[f"{REGION}/hashes/{name}.bin"] = files[f"{REGION}/tiles/{name}.bin"] = hashes
            files[f"{REGION}/texts/{name}.jsonl"] = b"".join(texts)
            files[f"{REGION}/journal/{name}.beancount"] = "".join(
                transaction(leaf, first + place)
                for place, leaf in enumerate(entries[first : first + self.per_file])
                if leaf["type"] == "entry"
            ).encode()
            parts.append(f"{name}.beancount")
        files[f"{REGION}/unsealed.bin"] = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in waiting)
        heads = [(size, head_text(logged[:size])) for size in sorted({*self.head_sizes, len(sealed)}) if size]
        files[f"{REGION}/checkpoints.jsonl"] = b"".join(
            compact({"size": size, "note": note(text, self.key)}) + b"\n" for size, text in heads
        )
        line = self.witness.cosign(heads[-1][1], 1_795_600_000)
        row = {"size": heads[-1][0], "witness": self.witness.name, "line": line}
        files[f"{REGION}/cosignatures.jsonl"] = compact(row) + b"\n"
        files[f"{REGION}/rules.jsonl"] = b"".join(compact(row) + b"\n" for row in self.rules)
        files[f"{REGION}/journal.beancount"] = journal_head(entries, parts).encode()
        for table, rows in self.stored.items():
            files[f"{REGION}/stored/{table}.jsonl"] = b"".join(compact(row) + b"\n" for row in rows)
        region = {"region": REGION, "origin": ORIGIN, "size": len(sealed), "unsealed": len(waiting)}
        write_files(folder, files, [region], per_file=self.per_file)
        return folder


def write_files(folder: Path, files: dict[str, bytes], regions: list[dict[str, Any]], *, per_file: int) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_manifest(folder, regions, per_file=per_file)


def write_manifest(folder: Path, regions: list[dict[str, Any]], *, per_file: int) -> None:
    """List what is there, as somebody would who has altered a pack and knows how it is made."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    listed = [
        {"path": name, "bytes": (folder / name).stat().st_size, "sha256": sha((folder / name).read_bytes()).hex()}
        for name in names
        if name != "manifest.json"
    ]
    manifest = {"format": "voucher-pack", "version": 1, "taken_at": TAKEN_AT, "leaves_per_file": per_file}
    (folder / "manifest.json").write_bytes(compact(manifest | {"regions": regions, "files": listed}))


def list_again(folder: Path) -> None:
    """Write the manifest anew after a file was altered."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    write_manifest(folder, manifest["regions"], per_file=manifest["leaves_per_file"])


def account(pool: str, stage: str) -> str:
    root = {"appropriation": "Equity", "recovery_claimed": "Equity", "disbursed": "Expenses", "lapsed": "Expenses"}.get(
        stage, "Assets"
    )
    return f"{root}:R{REGION}:P{pool.split('_')[2].upper()}:{stage.title().replace('_', '')}"


def transaction(leaf: dict[str, Any], index: int) -> str:
    # 03:08 UTC is the same day in Shanghai.
    text = f'{leaf["at"][:10]} * "{leaf["kind"]}" "{leaf["subject"]}"\n  entry: "{leaf["id"]}"\n  leaf: {index}\n'
    text += f'  at: "{leaf["at"]}"\n'
    if leaf["voucher"]:
        text += f'  voucher: "{leaf["voucher"]}"\n'
    for one in leaf["postings"]:
        yuan = f"{one['fen'] // 100}.{one['fen'] % 100:02d} CNY"
        text += f"  {account(one['pool'], one['from'])}  -{yuan}\n  {account(one['pool'], one['to'])}  {yuan}\n"
        if one["payee"]:
            text += f'    payee: "{one["payee"]}"\n'
    return text + "\n"


def journal_head(entries: list[dict[str, Any]], parts: list[str]) -> str:
    postings = [one for leaf in entries if leaf["type"] == "entry" for one in leaf["postings"]]
    names = sorted({account(one["pool"], one[side]) for one in postings for side in ("from", "to")})
    text = f'option "title" "{REGION}"\noption "operating_currency" "CNY"\n\n'
    text += "".join(f"2000-01-01 open {name} CNY\n" for name in names) + "\n"
    return text + "".join(f'include "journal/{part}"\n' for part in parts)
