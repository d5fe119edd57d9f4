"""What a lesson is made of.

Its texts are plain, without Markdown, because the printed sheet shows them too, and hold no figure: those of a lesson
are computed from the stored rows when somebody asks (findings.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from model_zoo.registry import Export


@dataclass(frozen=True)
class Step:
    """One thing to do. page: the file of the page where it is done, None where it needs none; opens: what the link to
    it says. parameters: of its address."""

    text: str
    page: str | None = None
    opens: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The page's address, as Streamlit makes it from the file's name."""
        return Path(self.page).stem


@dataclass(frozen=True)
class Found:
    """What there is to find. table: for reading, so of text; without rows where there is nothing to tabulate."""

    text: str
    table: pd.DataFrame


@dataclass(frozen=True)
class Lesson:
    """aim: what a student can do afterwards. question: to be answered in writing before anything is opened. models: ids
    of the models that it needs. find: all models -> what was found; raises CardError, ComparisonError, ExportError
    and PredictionsError for stored rows that cannot be used. talk: what to talk about in the end."""

    title: str
    minutes: int
    aim: str
    question: str
    steps: tuple[Step, ...]
    models: tuple[str, ...]
    find: Callable[[dict[str, Export]], Found]
    talk: str
