"""What keeps a witness from starting."""

from __future__ import annotations


class WitnessFault(Exception):
    """Its key, its memory or its list of logs cannot be used; both sentences say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en
