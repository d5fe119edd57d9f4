"""The lessons as one page of HTML, to print: as students get it, or with what there is to find."""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urljoin

from views.shared.frame import NOTICE
from views.shared.lessons.lesson import Found, Lesson, Step

_STYLE = """
body { font: 11pt/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #888; break-inside: avoid; }
.answer { border-bottom: 1px solid #888; height: 2rem; }
li { margin-bottom: 0.7rem; }
table { border-collapse: collapse; font-size: 9pt; }
th, td { border: 1px solid #888; padding: 0.2rem 0.5rem; text-align: left; }
"""
# Lines to write an answer on.
_LINES = '<div class="answer"></div>' * 2


def handout(lessons: list[Lesson], root: str, found: Mapping[str, Found] | None = None) -> str:
    """A complete HTML document. root: the address of the app's home page, "" where it is not known, for the links.
    found: by title, what there is to find, for a teacher; None for students, who get room to write instead."""
    title = "LungLens: lessons" if found is None else "LungLens: lessons, for the teacher"
    where = f" of {escape(root)}" if root else ""
    parts = [_section(number, lesson, root, found) for number, lesson in enumerate(lessons, 1)]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><title>{title}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{title}</h1><p>{NOTICE}. The links are on the page Lessons{where} too.</p>"
        f"{''.join(parts)}</body></html>\n"
    )


def _section(number: int, lesson: Lesson, root: str, found: Mapping[str, Found] | None) -> str:
    steps = "".join(f"<li>{_step(step, root)}{'' if found else _LINES}</li>" for step in lesson.steps)
    return (
        f"<section><h2>{number}. {escape(lesson.title)}</h2><p>About {lesson.minutes} minutes. {escape(lesson.aim)}</p>"
        f"<p><strong>First, without looking:</strong> {escape(lesson.question)}</p>{'' if found else _LINES}"
        f"<ol>{steps}</ol>{_found(found[lesson.title]) if found else ''}"
        f"<p><strong>To talk about:</strong> {escape(lesson.talk)}</p></section>"
    )


def _step(step: Step, root: str) -> str:
    if step.page is None:
        return escape(step.text)
    if not root:
        return f"{escape(step.opens)}. {escape(step.text)}"
    address = urljoin(root, f"{step.path}?{urlencode(step.parameters)}")
    return f'<a href="{escape(address)}">{escape(step.opens)}</a>. {escape(step.text)}'


def _found(found: Found) -> str:
    table = "" if found.table.empty else found.table.to_html(index=False, border=0)
    return f"<p><strong>What there is to find:</strong> {escape(found.text)}</p>{table}"
