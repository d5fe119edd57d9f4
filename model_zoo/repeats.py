"""How far the figures of one export are chance: beside them, those of the same recipe trained again."""

import pandas as pd

from model_zoo.registry import Export

FIGURES = ("auroc", "accuracy", "sensitivity", "specificity", "ece")


def figures_of_runs(export: Export, name: str) -> pd.DataFrame:
    """FIGURES, shares 0..1, on one prediction set: a row per run, the export's first, indexed by its id. Each run is
    judged at its own operating point. Without rows when the export or all of its repeats lack the set."""
    runs = {run.id: run.card.metrics[name] for run in (export, *export.repeats) if name in run.card.metrics}
    if export.id not in runs or len(runs) == 1:
        return pd.DataFrame(columns=list(FIGURES))
    values = {run: [_value(summary[figure]) for figure in FIGURES] for run, summary in runs.items()}
    return pd.DataFrame.from_dict(values, orient="index", columns=list(FIGURES))


def _value(stored: float | list) -> float:
    """A card's figure without its interval."""
    return stored[0] if isinstance(stored, list) else stored
