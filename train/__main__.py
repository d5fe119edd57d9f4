"""Command line of the training suite. `python -m train --help` lists the commands."""

import argparse
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from cases.collections.base import CollectionUnavailable
from cases.radiograph import RadiographError
from cases.settings import PROJECT_ROOT
from model_zoo.card import CardError
from model_zoo.predictions import PredictionsError
from model_zoo.registry import EXPORTS, Export, ExportError, open_export, scan
from train.download import DownloadError
from train.recipe import RecipeError, TrainingStopped

RUNS = PROJECT_ROOT / "runs"
EXPECTED_ERRORS = (
    CardError,
    CollectionUnavailable,
    DownloadError,
    ExportError,
    PredictionsError,
    RadiographError,
    RecipeError,
    TrainingStopped,
)


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except EXPECTED_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Train, export and evaluate LungLens's models. The environment variable LUNGLENS_DATA names the "
        "folder that holds chest_xray/ (default: data/).",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, command, text: str, takes_model: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        if takes_model:
            sub.add_argument("model", help="a recipe's id, as `list` shows it")
        return sub

    for name, command, text in (
        ("fit", _fit, "train a recipe, going on from its last checkpoint"),
        ("export", _export, "turn a finished run into an export folder, choosing on validation images only"),
    ):
        sub = add(name, command, text)
        sub.add_argument("--run", type=Path, help="folder of the run (default: runs/<model>)")
        if command is _fit:
            sub.add_argument(
                "--weights", help='start from this file, or "none", in place of the weights that the recipe names'
            )
    sub = add("evaluate", _evaluate, "score an export on test splits and store the rows")
    sub.add_argument("--on", nargs="+", metavar="COLLECTION", help="default: the model's own collection, and phantom")
    add(
        "quick",
        _quick,
        "fit, export and evaluate a recipe's small version on phantoms, from nothing, in about a minute",
    )
    sub = add("list", _list, "recipes, and what became of them", takes_model=False)
    sub.add_argument("--markdown", action="store_true", help="print README's table of exported models instead")
    add("download", _download, "fetch the Kermany films from Kaggle into the data folder", takes_model=False)
    add("compare", _compare, "write docs/results.md: our figures beside the published ones", takes_model=False)
    return parser


def _run_folder(options) -> Path:
    return options.run or RUNS / options.model


def _fit(options) -> None:
    from train.fit import fit
    from train.recipe import load_recipe

    print(f"trained: {fit(load_recipe(options.model), _run_folder(options), options.weights)}")


def _export(options) -> None:
    from train.export import export
    from train.recipe import load_recipe

    _print_exported(export(load_recipe(options.model), _run_folder(options), EXPORTS))


def _evaluate(options) -> None:
    from train.export import evaluate

    own = open_export(options.model).card.data.collection
    for collection_id in options.on or dict.fromkeys((own, "phantom")):
        # Opened anew each time, because evaluating adds to the card.
        _print_metrics(evaluate(open_export(options.model), collection_id))


def _quick(options) -> None:
    from train.export import evaluate, export
    from train.fit import fit
    from train.recipe import load_recipe

    recipe = load_recipe(options.model, quick=True)
    run = RUNS / "quick" / options.model
    shutil.rmtree(run, ignore_errors=True)
    fit(recipe, run)
    exported = export(recipe, run, RUNS / "quick-exports")
    _print_exported(exported)
    _print_metrics(evaluate(exported, recipe.collection))


def _list(options) -> None:
    from train.recipe import recipe_ids
    from train.results import models_table

    exports, problems = scan()
    if options.markdown:
        print(models_table(exports), end="")
        return
    for model_id in recipe_ids():
        if model_id in exports:
            state = f"exported, {exports[model_id].card.weights.bytes / 1e6:.1f} MB"
        elif model_id in problems:
            state = f"broken export: {problems[model_id]}"
        elif (RUNS / model_id).exists():
            state = "run begun"
        else:
            state = "not trained"
        print(f"{model_id:24} {state}")


def _download(options) -> None:
    from train.download import download

    print(f"the films are in {download()}")


def _compare(options) -> None:
    from train.recipe import load_recipe, recipe_ids
    from train.results import write_results

    print(write_results(map(load_recipe, recipe_ids()), scan()[0]))


def _print_exported(exported: Export) -> None:
    print(f"exported: {exported.folder}, {exported.card.weights.bytes / 1e6:.1f} MB")
    _print_metrics(exported.card.metrics)


def _print_metrics(metrics: dict) -> None:
    for name, summary in metrics.items():
        figures = " · ".join(
            f"{metric} {summary[metric][0]:.3f} ({summary[metric][1]:.3f} to {summary[metric][2]:.3f})"
            for metric in ("auroc", "accuracy", "sensitivity", "specificity")
        )
        print(f"{name}: {figures} · ECE {summary['ece']:.3f}")


if __name__ == "__main__":
    sys.exit(main())
