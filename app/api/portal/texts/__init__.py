"""The portal's words: one module per language, the same keys in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.api.portal.texts import en, zh

LANGUAGES: Mapping[str, Mapping[str, str]] = {"zh": zh.TEXTS, "en": en.TEXTS}
HTML_LANG: Mapping[str, str] = {"zh": "zh-CN", "en": "en"}


@dataclass(frozen=True, slots=True)
class Words:
    """The portal's texts in one language, `zh` or `en`."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, its placeholders filled. An unknown key or a missing value is a bug (KeyError)."""
        return LANGUAGES[self.language][key].format(**values)

    def named(self, kind: str, word: str) -> str:
        """The name of a programme's own word (a category, a unit), or the word itself where the portal knows none."""
        return LANGUAGES[self.language].get(f"word.{kind}.{word}", word)

    @property
    def html_lang(self) -> str:
        """The language tag of a page."""
        return HTML_LANG[self.language]

    @property
    def other(self) -> str:
        """The language that the switch leads to."""
        return "en" if self.language == "zh" else "zh"
