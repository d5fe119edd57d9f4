"""Evidence as pictures for slides and papers: PNG and SVG by Matplotlib, where they fit scikit-learn's own displays.

Only Matplotlib's Figure objects are used, never pyplot's current figure, because several visitors may ask at once.
Matplotlib is imported when the first picture is asked for.
"""

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from model_zoo.evaluation import Confusion, Estimate
from views.shared.figures.style import LINE_COLOUR, QUIET_COLOUR, WRONG_COLOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIME = {"png": "image/png", "svg": "image/svg+xml"}


def picture(draw: Callable[["Axes"], None], title: str, footer: str, kind: str) -> bytes:
    """A file of one of the kinds of MIME. draw: fills the axes. footer: what and how many the images are; several
    lines are welcome."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw(axes)
    # What is named by people may have dollar signs, which would make a formula of it.
    axes.set_title(title, loc="left", fontsize=12, parse_math=False)
    # A label and not a free text, so that the layout keeps room for it.
    figure.supxlabel(footer, x=0.02, ha="left", fontsize=8, color="#444444", parse_math=False)
    file = BytesIO()
    figure.savefig(file, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def confusion_matrix(cells: Confusion) -> Callable[["Axes"], None]:
    def draw(axes):
        from sklearn.metrics import ConfusionMatrixDisplay

        counts = np.array(
            [[cells.true_negatives, cells.false_positives], [cells.false_negatives, cells.true_positives]]
        )
        display = ConfusionMatrixDisplay(counts, display_labels=["normal", "pneumonia"])
        display.plot(ax=axes, cmap="GnBu", colorbar=False, values_format=",d")
        axes.set(xlabel="The model", ylabel="The truth")
        for (row, column), text in np.ndenumerate(display.text_):
            if total := counts[row].sum():
                text.set_text(f"{text.get_text()}\n{counts[row, column] / total:.1%}")

    return draw


def roc_curve(tables: dict[str, pd.DataFrame], auroc: Estimate) -> Callable[["Axes"], None]:
    """tables: curves.roc_tables."""

    def draw(axes):
        from sklearn.metrics import RocCurveDisplay

        curve = tables["curve"]
        display = RocCurveDisplay(fpr=curve["false_alarms"], tpr=curve["sensitivity"])
        display.plot(ax=axes, curve_kwargs={"color": LINE_COLOUR, "label": f"AUROC {auroc}"}, plot_chance_level=True)
        _finish(axes, tables, "false_alarms", "sensitivity")
        axes.set(xlabel="False alarms among the normal (1 − specificity)", ylabel="Pneumonias caught (sensitivity)")

    return draw


def precision_recall_curve(tables: dict[str, pd.DataFrame], average: Estimate) -> Callable[["Axes"], None]:
    """tables: curves.precision_recall_tables."""

    def draw(axes):
        from sklearn.metrics import PrecisionRecallDisplay

        # scikit-learn's order: from the highest sensitivity down.
        curve = tables["curve"].iloc[::-1]
        display = PrecisionRecallDisplay(
            curve["ppv"], curve["sensitivity"], prevalence_pos_label=tables["chance"]["ppv"].iloc[0]
        )
        display.plot(ax=axes, color=LINE_COLOUR, label=f"Average precision {average}", plot_chance_level=True)
        _finish(axes, tables, "sensitivity", "ppv")
        axes.set(xlabel="Pneumonias caught (sensitivity, recall)", ylabel="True among the alarms (precision)")

    return draw


def reliability_diagram(bins: pd.DataFrame, ece: Estimate) -> Callable[["Axes"], None]:
    """bins: calibration.reliability."""

    def draw(axes):
        from sklearn.calibration import CalibrationDisplay

        display = CalibrationDisplay(bins["share"], bins["probability"], bins["probability"])
        display.plot(ax=axes, color=LINE_COLOUR, label=f"Calibration error {ece}")
        away = bins["share"] - bins["low"], bins["high"] - bins["share"]
        axes.errorbar(
            bins["probability"], bins["share"], yerr=away, fmt="none", color=LINE_COLOUR, label="95% interval"
        )
        axes.legend(loc="upper left", fontsize=8)
        axes.set(xlabel="The model's probability", ylabel="Share that really had pneumonia")

    return draw


def score_histogram(bars: pd.DataFrame, threshold: float) -> Callable[["Axes"], None]:
    """bars: performance.score_table."""

    def draw(axes):
        height, width = bars["end"] - bars["base"], bars["to"] - bars["from"]
        axes.bar(bars["from"], height, width, bottom=bars["base"], align="edge", color=bars["colour"])
        axes.axhline(0, color="black", linewidth=0.8)
        axes.axvline(threshold, color="black", linewidth=1.5)
        axes.yaxis.set_major_formatter(lambda height, _: f"{abs(height):,.0f}")
        axes.set(xlim=(0, 1), xlabel="Probability of pneumonia", ylabel="Images: normal down, pneumonia up")

    return draw


def _finish(axes: "Axes", tables: dict[str, pd.DataFrame], x: str, y: str) -> None:
    """The band, the operating point and the legend of a curve."""
    band, here = tables["band"], tables["here"]
    axes.fill_between(band[x], band["low"], band["high"], color=LINE_COLOUR, alpha=0.2, linewidth=0, label="95% band")
    axes.plot(here[x], here[y], "o", color=WRONG_COLOUR, label="operating point")
    for line in axes.get_lines():
        if line.get_linestyle() == "--":
            line.set(color=QUIET_COLOUR, label="guessing")
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="lower right" if x == "false_alarms" else "lower left", fontsize=8)
