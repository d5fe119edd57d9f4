"""Command line of the training suite. `python -m train --help` lists the commands."""

import argparse
import shutil
import sys
from itertools import pairwise
from pathlib import Path

from cases.collections import COLLECTIONS
from cases.collections.base import LABEL_NAMES
from cases.collections.medmnist import SIZES
from cases.settings import PROJECT_ROOT
from model_zoo.looking import AUDITED
from model_zoo.methods import TITLES
from model_zoo.registry import EXPORTS, Export, networks, open_export, readers, scan
from train.answers import answered
from train.recipe import RecipeError

RUNS = PROJECT_ROOT / "runs"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    resumes = options.command in (_fit, _experiments) or getattr(options, "step", "") == "fit"
    return answered(lambda: options.command(options), resumes)


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
                "--weights",
                help='start from this file, this recipe\'s finished run, or "none", in place of the weights that the '
                "recipe names",
            )
            sub.add_argument(
                "--precision",
                choices=("float32", "mixed_bfloat16"),
                help="default: mixed where there is a GPU; it is faster on a CPU with AMX or AVX512-BF16 too",
            )
            sub.add_argument("--processes", type=int, metavar="N", help="train on N processes (docs/distributed.md)")
            sub.add_argument("--process-id", type=int, metavar="I", help="which of them this is, 0 to N - 1")
            sub.add_argument("--coordinator", metavar="HOST:PORT", help="address of process 0")
    add(
        "baseline",
        _baseline,
        "fit and export width-only in seconds: a formula of an image's width, which sees no pixels",
        takes_model=False,
    )
    sub = add(
        "committee",
        _committee,
        "make a committee of exports, calibrated on the validation images that all of them held out",
        takes_model=False,
    )
    sub.add_argument("id", help="what the new export is called")
    sub.add_argument("member", nargs="+", help="the id of a network that was exported; two or more")
    sub = add("evaluate", _evaluate, "score an export on test splits and store the rows")
    sub.add_argument(
        "--on",
        nargs="+",
        choices=tuple(COLLECTIONS),
        help="default: the model's own, and phantom unless it sees no pixels",
    )
    sub = add("repeat", _repeat, "export and evaluate a finished repeat, and keep its card and rows with its model's")
    sub.add_argument("--run", type=Path, help="folder of the run (default: runs/<model>)")
    add(
        "quick",
        _quick,
        "fit, export and evaluate a recipe's small version on phantoms, from nothing, in about a minute",
    )
    sub = add("list", _list, "recipes, and what became of them", takes_model=False)
    sub.add_argument("--markdown", action="store_true", help="print README's table of exported models instead")
    sub = add("samples", _samples, "draw anew the augmented phantoms in the export folders", takes_model=False)
    sub.add_argument("model", nargs="*", help="default: every network")
    sub = add("download", _download, "fetch X-rays into the data folder", takes_model=False)
    sub.add_argument(
        "collection",
        nargs="?",
        choices=("chest_xray", "medmnist"),
        default="chest_xray",
        help="the Kermany films from Kaggle, 1.2 GB (default), or PneumoniaMNIST, small copies of them, from Zenodo",
    )
    sub.add_argument("--size", type=int, choices=SIZES, default=SIZES[-1], help="medmnist: side of the images")
    sub = add("lungs", _lungs, "the network that finds the lungs: fit, export or evaluate it", takes_model=False)
    sub.add_argument(
        "step",
        choices=("fit", "export", "evaluate", "gate", "gate-test"),
        help="as for a recipe; `gate` sets the limits of what passes for a chest film, and `gate-test` measures them; "
        "`evaluate` and `gate-test` read test splits",
    )
    sub.add_argument(
        "--precision", choices=("float32", "mixed_bfloat16"), default="float32", help="fit: as for a recipe"
    )
    sub = add(
        "audit",
        _audit,
        "measure what has no rows yet of where networks look and what their maps are worth, and write "
        "docs/explanations.md",
        takes_model=False,
    )
    sub.add_argument("model", nargs="*", help="default: every network")
    sub.add_argument(
        "--images",
        type=_positive,
        help="how many of a set the methods are compared on (default: as many as have rows, or 24)",
    )
    sub.add_argument(
        "--methods",
        nargs="+",
        choices=TITLES,
        help="those that are to have rows (default: all where none has any yet)",
    )
    sub.add_argument("--sets", nargs="+", choices=AUDITED, default=list(AUDITED), help="of images (default: all)")
    sub.add_argument("--again", action="store_true", help="measure anew what has rows")
    sub.add_argument("--write-only", action="store_true", help="write the page from the rows that there are")
    sub = add(
        "experiments",
        _experiments,
        "fit and judge experiments without a test image, and write docs/experiments.md",
        takes_model=False,
    )
    sub.add_argument("name", nargs="*", help="default: the runs of every experiment whose rows are missing")
    sub.add_argument("--weights", help="as for fit: a file in place of the ImageNet download")
    sub.add_argument("--write-only", action="store_true", help="write the page from the rows that there are")
    sub = add(
        "judge",
        _judge,
        "judge finished runs towards a champion on validation films alone, and write docs/experiments.md",
        takes_model=False,
    )
    sub.add_argument("candidate", nargs="+", help="a run that train/candidates.py names")
    sub = add(
        "shortcuts",
        _shortcuts,
        "measure what each network answers on films with a part blanked, and write docs/explanations.md",
        takes_model=False,
    )
    sub.add_argument("model", nargs="*", help="default: every network")
    sub.add_argument("--write-only", action="store_true", help="write the page from the rows that there are")
    add("compare", _compare, "write docs/results.md: our figures beside the published ones", takes_model=False)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, received {text!r}")
    return int(text)


def _run_folder(options) -> Path:
    return options.run or RUNS / options.model


def _fit(options) -> None:
    from train import distribution

    distribution.start(options.coordinator, options.processes, options.process_id)
    from train.fit import fit
    from train.recipe import load_recipe, recipe_ids

    weights = options.weights
    if weights in recipe_ids():
        trained = RUNS / weights / "trained.keras"
        if not trained.exists():
            raise RecipeError(
                f"Expected the finished run of {weights}. Received: no {trained}. Run `fit {weights}` first."
            )
        weights = str(trained)
    print(f"trained: {fit(load_recipe(options.model), _run_folder(options), weights, options.precision)}")


def _export(options) -> None:
    from train.export import export
    from train.recipe import load_recipe

    _print_exported(export(load_recipe(options.model), _run_folder(options), EXPORTS))


def _baseline(options) -> None:
    from train.width_only import export_width_only

    exported = export_width_only(EXPORTS)
    print(f"exported: {exported.folder}")
    _print_metrics(exported.card.metrics)


def _committee(options) -> None:
    from train.committee import make_committee

    exported = make_committee(options.id, options.member, EXPORTS)
    print(f"exported: {exported.folder}")
    _print_metrics(exported.card.metrics)


def _evaluate(options) -> None:
    from train.export import evaluate

    asked = open_export(options.model)
    own = asked.card.data.collection
    for collection_id in options.on or dict.fromkeys((own, "phantom") if asked.sees_pixels else (own,)):
        # Opened anew each time, because evaluating adds to the card.
        export = open_export(options.model)
        metrics = evaluate(export, collection_id)
        _print_metrics(metrics)
        for name in metrics:
            print(f"\n{name}\n\n{_report(export.predictions(name), export.card.threshold.value)}")


def _repeat(options) -> None:
    from train.recipe import load_recipe
    from train.repeats import keep_repeat

    _print_metrics(keep_repeat(load_recipe(options.model), _run_folder(options), EXPORTS).card.metrics)


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
    for export in exports.values():
        if export.is_committee:
            print(f"{export.id:24} committee of {', '.join(member.id for member in export.members)}")
        elif not export.sees_pixels:
            print(f"{export.id:24} exported, sees no pixels")
    for model_id in sorted(problems.keys() - set(recipe_ids())):
        print(f"{model_id:24} broken export: {problems[model_id]}")


def _samples(options) -> None:
    from train.recipe import load_recipe
    from train.samples import write_samples

    for model_id in options.model or networks(scan()[0]):
        export, recipe = open_export(model_id), load_recipe(model_id)
        trained, now = export.card.recipe["augmentation"], recipe.hyperparameters()["augmentation"]
        if changed := sorted(name for name in trained if now.get(name) != trained[name]):
            raise RecipeError(
                f"Expected the augmentation that {model_id} was trained with. Received: a recipe with another "
                f"{', '.join(changed)}."
            )
        print(f"{model_id}: {write_samples(recipe, export.folder) or 'its recipe changes nothing'}")


def _download(options) -> None:
    from train.download import download_chest_xray, download_medmnist

    fetched = download_medmnist(options.size) if options.collection == "medmnist" else download_chest_xray()
    print(f"the films are in {fetched}")


def _lungs(options) -> None:
    from model_zoo.lungs.card import EXPORT
    from train.lungs.export import evaluate, export
    from train.lungs.fit import Settings, fit
    from train.lungs.gate import measure, set_limits

    run = RUNS / "lungs"
    if options.step in ("gate", "gate-test"):
        card = set_limits() if options.step == "gate" else measure(("chest_xray", "phantom"))
        print(f"lowest: {card.lowest} · highest: {card.highest}")
        return
    if options.step == "fit":
        print(f"trained: {fit(Settings(), run, options.precision)}")
        return
    cards = (
        [export(run, EXPORT)] if options.step == "export" else [evaluate(EXPORT, i) for i in ("chest_xray", "phantom")]
    )
    for name, figures in cards[-1].metrics.items():
        texts = (f"{figure} {value:.3f} ({low:.3f} to {high:.3f})" for figure, (value, low, high) in figures.items())
        print(f"{name}: {' · '.join(texts)}")


def _audit(options) -> None:
    from model_zoo import looking
    from model_zoo.lungs.card import read_lung_card
    from train.audit import audit_gradcam, write_explanations
    from train.audit_methods import audit_methods

    exports = readers(scan()[0])
    for model_id in () if options.write_only else options.model or exports:
        export = open_export(model_id)
        for name in options.sets:
            if options.again or not looking.rows_path(export, name).exists():
                audit_gradcam(export, name)
            if export.is_network and (methods := _methods_to_measure(export, name, options)):
                audit_methods(export, name, methods, options.images)
    print(write_explanations(exports.values(), read_lung_card()))


def _methods_to_measure(export: Export, name: str, options) -> list[str]:
    from model_zoo import audit

    if options.again or not audit.rows_path(export, name).exists():
        return options.methods or list(TITLES)
    stored = set(audit.read_audit(export, name)["method"])
    return [method for method in options.methods or () if method not in stored]


def _experiments(options) -> None:
    from train import experiments

    if not options.write_only:
        experiments.run(options.name, RUNS / "experiments", options.weights)
    print(experiments.write_experiments(scan()[0]))


def _judge(options) -> None:
    from train import candidates, experiments

    candidates.judge(options.candidate, RUNS)
    print(experiments.write_experiments(scan()[0]))


def _shortcuts(options) -> None:
    from model_zoo.lungs.card import read_lung_card
    from train.audit import write_explanations
    from train.shortcuts import MEASURED, measure

    exports = scan()[0]
    if not options.write_only:
        for name in MEASURED:
            measure([open_export(model_id) for model_id in options.model or networks(exports)], name)
    print(write_explanations(readers(exports).values(), read_lung_card()))


def _compare(options) -> None:
    from train.recipe import load_recipe, recipe_ids
    from train.results import write_results

    print(write_results(map(load_recipe, recipe_ids()), scan()[0]))


def _print_exported(exported: Export) -> None:
    print(f"exported: {exported.folder}, {exported.card.weights.bytes / 1e6:.1f} MB")
    _print_metrics(exported.card.metrics)


def _report(rows, threshold: float) -> str:
    """What a prediction set's rows say in the tables of scikit-learn, and how the probabilities spread."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import classification_report, confusion_matrix

    called = (rows["probability"] >= threshold).astype(int)
    classes = {"labels": (0, 1)}
    report = classification_report(
        rows["label"], called, target_names=LABEL_NAMES, digits=3, zero_division=0, **classes
    )
    confusion = pd.DataFrame(
        confusion_matrix(rows["label"], called, **classes),
        index=[f"is {name}" for name in LABEL_NAMES],
        columns=[f"called {name}" for name in LABEL_NAMES],
    )
    edges = np.linspace(0, 1, 11)
    names = [f"{low:.1f} to {high:.1f}" for low, high in pairwise(edges)]
    tenths = pd.cut(rows["probability"], edges, labels=names, include_lowest=True)
    spread = pd.crosstab(tenths, rows["label"].map(dict(enumerate(LABEL_NAMES))), dropna=False)
    return f"{report}\nat the operating point of {threshold:.3f}\n{confusion}\n\n{spread}\n"


def _print_metrics(metrics: dict) -> None:
    for name, summary in metrics.items():
        figures = " · ".join(
            f"{metric} {summary[metric][0]:.3f} ({summary[metric][1]:.3f} to {summary[metric][2]:.3f})"
            for metric in ("auroc", "accuracy", "sensitivity", "specificity")
        )
        print(f"{name}: {figures} · ECE {summary['ece']:.3f}")


if __name__ == "__main__":
    sys.exit(main())
