"""The form of an application: what was typed, read into a draft, and what was wrong with it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from app.api.portal.calculator_form import READERS
from app.api.portal.calculator_questions import Question, questions_of
from app.api.portal.naming import Names
from app.api.portal.texts import Words
from app.kernel.money import format_yuan, parse_yuan
from app.kernel.places import in_language, told
from app.kernel.problems import AppError, Code
from app.kernel.wording import detail
from app.services.applications.applying import ApplicationDraft
from app.services.applications.judging import values_of
from app.services.applications.records import ApplicationRecord
from app.services.rules.facts import Value
from app.services.rules.model import Rules
from app.services.rules.needs import facts_in

LONGEST_PURPOSE = 2000
SHORTEST_PURPOSE = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What a programme's rules ask of an application: services to plan for, facts, and whether a day may be named."""

    services: tuple[tuple[str, str], ...]
    facts: tuple[Question, ...]
    papers: tuple[tuple[str, str, bool], ...]
    """(kind, what it must show, whether it has to be there to submit)."""
    names_validity: bool
    unit: str


@dataclass(frozen=True, slots=True)
class ApplicationForm:
    """What stands in the fields, as typed, with a sentence for each field that has to be corrected."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    problems: tuple[str, ...] = ()

    def value(self, name: str) -> str:
        """What was typed into a field."""
        return self.typed.get(name, "")

    def refused(self, error: AppError, words: Words) -> ApplicationForm:
        """The form with the service's refusal in words: the sentence, and that of every place."""
        sentence = detail(error.code, words.language, error.context)
        places = [told(place) for place in error.errors]
        shown = tuple(in_language(place, words.language) for place in places if place)
        errors = {"amount": sentence} if error.code is Code.AMOUNT_OUT_OF_RANGE else {}
        return replace(self, problem=sentence, problems=shown, errors=errors)


def asked_by(rules: Rules, words: Words) -> Asked:
    """What these rules ask."""
    questions = questions_of(rules, Names(words, rules))
    wanted = {
        f"claim-{name.removeprefix('claim.')}"
        for requirement in rules.requirements
        if "apply" in requirement.checkpoints
        for _, name, _ in facts_in(requirement.when)
    }
    language = words.language
    papers = tuple(
        (one.document, ((one.zh or one.en) if language == "zh" else (one.en or one.zh)) or "", one.mandatory)
        for one in rules.evidence
        if "apply" in one.checkpoints
    )
    return Asked(
        services=questions.services,
        facts=tuple(question for question in questions.of_claim if question.name in wanted),
        papers=papers,
        names_validity=rules.applying.firm_names_validity,
        unit=questions.unit,
    )


def form_of(record: ApplicationRecord, asked: Asked) -> ApplicationForm:
    """The form as it stands in an application that was saved."""
    claim, plan = json.loads(record.claim), json.loads(record.plan)
    typed = {
        "amount": format_yuan(record.amount_fen),
        "purpose": record.purpose,
        "until": record.valid_until_on.isoformat() if record.valid_until_on else "",
    }
    if plan:
        typed |= {"plan_category": plan[0]["category"], "plan_amount": format_yuan(plan[0]["amount_fen"])}
    for question in asked.facts:
        value = claim.get(question.name.removeprefix("claim-"))
        if value is not None:
            typed[question.name] = _typed(question, value)
    return ApplicationForm(typed)


def read_application(
    form: ApplicationForm,
    asked: Asked,
    words: Words,
    *,
    programme_id: str,
    documents: Sequence[tuple[str, str]],
    saved: ApplicationRecord | None = None,
) -> ApplicationDraft | ApplicationForm:
    """The draft of a form, or the form with what has to be corrected.

    What was `saved` by other means and the form does not ask for (more planned lines, other facts) stays.
    """
    errors: dict[str, str] = {}
    amount_fen = _yuan(form.value("amount"))
    if not amount_fen:
        errors["amount"] = words("field.limit.unreadable")
    purpose = form.value("purpose").replace("\r\n", "\n").strip()
    if not SHORTEST_PURPOSE <= len(purpose) <= LONGEST_PURPOSE:
        errors["purpose"] = words("application.purpose.needed", least=SHORTEST_PURPOSE, most=LONGEST_PURPOSE)
    until = _day(form.value("until")) if asked.names_validity and form.value("until") else None
    if asked.names_validity and form.value("until") and until is None:
        errors["until"] = words("field.until.unreadable")
    plan = _plan(form, asked, words, saved, errors)
    claim = _claim(form, asked, words, saved, errors)
    if errors or not amount_fen:
        return replace(form, errors=errors)
    return ApplicationDraft(
        programme_id=programme_id,
        amount_fen=amount_fen,
        purpose=purpose,
        valid_until_on=until,
        claim=claim,
        plan=plan,
        documents=documents,
    )


def _plan(
    form: ApplicationForm, asked: Asked, words: Words, saved: ApplicationRecord | None, errors: dict[str, str]
) -> list[Mapping[str, Any]]:
    rest: list[Mapping[str, Any]] = json.loads(saved.plan)[1:] if saved is not None else []
    category, amount = form.value("plan_category"), form.value("plan_amount")
    if not category and not amount:
        return rest
    amount_fen = _yuan(amount)
    if category not in {slug for slug, _ in asked.services}:
        errors["plan_category"] = words("field.category.choose")
    if not amount_fen:
        errors["plan_amount"] = words("field.limit.unreadable")
    return [{"category": category, "amount_fen": amount_fen or 0}, *rest]


def _claim(
    form: ApplicationForm, asked: Asked, words: Words, saved: ApplicationRecord | None, errors: dict[str, str]
) -> dict[str, Value]:
    claim = values_of(saved.claim) if saved is not None else {}
    for question in asked.facts:
        key, typed = question.name.removeprefix("claim-"), form.value(question.name).strip()
        claim.pop(key, None)
        if not typed:
            continue
        value = READERS[question.kind](typed)
        if value is None or (question.kind == "choice" and typed not in {word for word, _ in question.options}):
            errors[question.name] = words(f"field.{question.kind}.unreadable")
        else:
            claim[key] = value
    return claim


def _typed(question: Question, value: Any) -> str:
    match question.kind:
        case "yes_no":
            return "yes" if value is True else "no"
        case "yuan":
            return format_yuan(int(value))
        case _:
            return str(value)


def _yuan(text: str) -> int | None:
    try:
        return parse_yuan(text) or None
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None
