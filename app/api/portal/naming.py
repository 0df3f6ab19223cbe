"""What a rule document's words are called: by the portal, else by the document itself, else as they are spelt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.api.portal.texts import Words
from app.services.rules.base import InKind
from app.services.rules.facts import KNOWN
from app.services.rules.model import Rules


@dataclass(frozen=True, slots=True)
class Names:
    """Names in one language; `rules` add what the document itself says, where it is at hand."""

    words: Words
    rules: Rules | None = None

    @property
    def unit(self) -> str:
        """What amounts are counted in: yuan, or the programme's own unit."""
        if self.rules is not None and isinstance(self.rules.unit, InKind):
            return self.words.named("unit", self.rules.unit.name)
        return self.words("unit.yuan")

    def category(self, slug: str) -> str:
        """A service category: as the document calls it, else as the portal does."""
        own = self.rules.category_names.get(slug) if self.rules is not None else None
        said = self._said(own.en, own.zh) if own is not None else None
        return said or self.words.named("category", slug)

    def fact(self, name: str) -> str:
        """A fact, such as `claim.contract_signed_on` or `amounts.paid`."""
        for declared in self.rules.facts if self.rules is not None else ():
            if declared.name == name:
                return self._said(declared.en, declared.zh) or name
        named = self.words.named("fact", name)
        known = KNOWN.get(name)
        return (self._said(known.en, known.zh) or name) if known is not None and named == name else named

    def facts(self, names: Iterable[str]) -> str:
        """Several facts in one breath."""
        return self.words("list.comma").join(self.fact(name) for name in names)

    def requirement(self, name: str) -> str:
        """A condition as the document's sentence."""
        for requirement in self.rules.requirements if self.rules is not None else ():
            if requirement.name == name:
                return self._said(requirement.en, requirement.zh) or name
        return self.words.named("requirement", name)

    def value(self, word: str) -> str:
        """One of a fact's words, such as a facility's class."""
        return self.words.named("value", word)

    def period(self, period: str) -> str:
        """A year as counters name it: `2026`, or `2026/04` from April to March. Empty for none."""
        if not period:
            return ""
        year, april, _ = period.partition("/")
        return self.words("period.april" if april else "period.calendar", year=year, next=int(year) + 1)

    def _said(self, en: str | None, zh: str | None) -> str | None:
        """The sentence in this language, else in the other one: a document may have written only one of them."""
        return (zh or en) if self.words.language == "zh" else (en or zh)
