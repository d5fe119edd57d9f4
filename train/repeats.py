"""A recipe trained again on the same split with other draws: how far the figures of one export are chance.

    python -m train fit champion-repeat-1 --weights champion-averaged && python -m train repeat champion-repeat-1

The repeat's export, weights included, stays in the folder of its run. Its card and rows go into the folder of the
model that it repeats, where they count for nothing but its spread: a clone has one set of weights per model.
"""

import shutil
from pathlib import Path

from model_zoo.card import read_card
from model_zoo.files import replacing_folder
from model_zoo.registry import Export, ExportError, open_export
from train.export import evaluate, export
from train.recipe import Recipe, completed, split_repeat


def keep_repeat(recipe: Recipe, run: Path, root: Path) -> Export:
    """Export the finished run of a repeat, score the test split of its collection, and put its card and rows into the
    repeats/ of the model in root, in place of earlier ones of that id. Returns these.

    Raises ExportError when the recipe is no repeat, its run is not finished, or the model has no export or was trained
    with other settings or from other weights.
    """
    model_id, _ = split_repeat(recipe.id)
    if not recipe.repeat:
        raise ExportError(f"Expected a repeat, such as {model_id}-repeat-1. Received: {recipe.id!r}.")
    model = open_export(model_id, root)
    ours, theirs = recipe.hyperparameters(), completed(model.card.recipe)
    if changed := sorted(name for name in {*ours, *theirs} - {"repeat"} if ours.get(name) != theirs.get(name)):
        raise ExportError(f"Expected the settings of the export {model_id}. Received: another {', '.join(changed)}.")
    repeat = export(recipe, run, run)
    began, expected = repeat.card.weights.started_from, model.card.weights.started_from
    if began != expected:
        raise ExportError(f"Expected a repeat that started from {expected}. Received: one from {began}.")
    evaluate(repeat, recipe.collection)
    kept = model.folder / "repeats" / recipe.id
    with replacing_folder(kept) as folder:
        shutil.copy(repeat.folder / "card.json", folder)
        shutil.copytree(repeat.folder / "predictions", folder / "predictions")
    return Export(kept, read_card(kept / "card.json"))
