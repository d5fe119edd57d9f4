"""A network that teaches or starts another must not have learnt from images that the other validates or reports on.

Equal settings do not say so: on a copy of the films that lacks some or has more, they make another split. So images are
compared. A run lists those that it learnt from; an export lists, in its rows, those that it held out.
"""

import json
from pathlib import Path

from cases.collections import open_collection
from cases.collections.base import Collection
from model_zoo.card import read_card
from model_zoo.registry import Export, open_export
from train.data import development_entries, development_parts
from train.recipe import Recipe, RecipeError


def export_beside(weights: Path) -> Export | None:
    """The export that a weights file is of. Raises CardError for a card that cannot be read."""
    path = weights.with_name("card.json")
    return Export(weights.parent, read_card(path)) if weights.name == "model.keras" and path.exists() else None


def refuse_leaks(recipe: Recipe, weights: str | None = None) -> None:
    """Raises RecipeError when a teacher, or the network that a recipe starts from, may have learnt from other images
    than the recipe's training images; ExportError, CardError or PredictionsError for an export that does not tell.

    weights: as fit's; a file that is neither an export's nor a run's has not learnt from films, as far as one can
    know."""
    collection = open_collection(recipe.collection)
    learnt = {f"the teacher {name}": _by_export(open_export(name), collection) for name in recipe.teachers}
    if weights:
        split = Path(weights).with_name("split.json")
        if export := export_beside(Path(weights)):
            learnt[f"starting weights of the export {export.id}"] = _by_export(export, collection)
        elif split.exists():
            # A run has no rows before it is exported.
            learnt["starting weights of a run"] = set(json.loads(split.read_text())["training"])
    if not learnt:
        return
    training, _ = development_parts(recipe, collection)
    own = {entry.id for entry in training}
    for network, ids in learnt.items():
        if leaked := ids - own:
            raise RecipeError(
                f"Expected networks that learnt from {recipe.id}'s training images only. Received: {network}, which "
                f"may have learnt from {len(leaked)} others, {min(leaked)} among them. It needs the same seed, "
                "validation_share and random_test_share, and the same copy of the films: train it anew on this one, or "
                "bring the one that it learnt from."
            )


def _by_export(export: Export, collection: Collection) -> set[str]:
    """Ids of the images that an export may have learnt from: all but the test split and what it has rows of."""
    parts = ("validation", "random25") if export.card.recipe.get("random_test_share") else ("validation",)
    names = [f"{collection.id}-{part}" for part in parts]
    if missing := [name for name in names if name not in export.prediction_sets()]:
        raise RecipeError(
            f"Expected rows of the images that {export.id} held out, which `export` and `evaluate` write. Received: no "
            f"{missing[0]}.csv."
        )
    held_out = {image_id for name in names for image_id in export.predictions(name)["image_id"]}
    return {entry.id for entry in development_entries(collection)} - held_out
