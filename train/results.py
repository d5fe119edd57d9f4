"""Tables of what the exports reached, made from their cards' metrics, which are made from their prediction rows."""

from model_zoo.registry import Export


def models_table(exports: dict[str, Export]) -> str:
    """The Markdown table of README.md: one row per export trained on the Kermany films, on the official test split."""
    lines = [
        "| model | AUROC | accuracy | sensitivity | specificity | ECE | published accuracy | weights |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model_id, export in exports.items():
        summary = export.card.metrics.get("chest_xray-test")
        if not summary:
            continue
        rates = [
            "{:.3f} ({:.3f} to {:.3f})".format(*summary[rate])
            for rate in ("auroc", "accuracy", "sensitivity", "specificity")
        ]
        reference = export.card.reference
        published = f"{reference.claims['accuracy']:.2f}" if reference and "accuracy" in reference.claims else "none"
        size = f"{export.card.weights.bytes / 1e6:.1f} MB"
        lines.append("| " + " | ".join([f"`{model_id}`", *rates, f"{summary['ece']:.3f}", published, size]) + " |")
    return "\n".join(lines) + "\n"
