"""How often a model is wrong, from its stored prediction rows. No model is run and TensorFlow is not imported.

Everything that depends on the threshold is in one fragment, so that moving it runs nothing else; what the fragment
needs is computed before it, once per rows (views/shared/performance/scene.py).
"""

import streamlit as st

from model_zoo.evaluation import Confusion
from views.shared import address, evidence, words
from views.shared.performance import charts, figures, origins, report
from views.shared.performance.operating_points import choose_threshold
from views.shared.performance.scene import Scene, set_scene


@st.fragment
def show_at_threshold(scene: Scene) -> None:
    threshold = choose_threshold(scene.points)
    cells, rates = scene.sweep.confusion(threshold), scene.sweep.estimates(threshold)
    show_summary(scene, cells)
    left, right = st.columns(2, gap="large")
    with left:
        charts.show_confusion(scene, threshold, cells)
    with right:
        charts.show_scores(scene, threshold)
    left, right = st.columns(2, gap="large")
    with left:
        charts.show_roc(scene, threshold, rates)
    with right:
        charts.show_precision_recall(scene, threshold, rates)
    figures.show_figures(scene, threshold, {**scene.fixed, **rates})
    figures.show_prevalence(scene, threshold, rates)
    report.show_report(scene, threshold, cells)
    report.show_subgroups(scene, threshold)


def show_summary(scene: Scene, cells: Confusion) -> None:
    ill = int(scene.label.sum())
    well = len(scene.rows) - ill
    st.markdown(
        f"{words.plain(evidence.set_title(scene.name))}: **{words.counted(len(scene.rows), 'image')}** of "
        f"{words.counted(scene.patients, 'patient')}, {well:,} normal and {ill:,} with pneumonia. At this operating "
        f"point the model missed **{cells.false_negatives:,} of {ill:,}** pneumonias and raised "
        f"**{words.counted(cells.false_positives, 'false alarm')}** on {words.counted(well, 'normal image')}."
    )


address.start("Performance")
st.markdown("How often is a model right, how is it wrong, and how sure can we be of these figures?")
export, name, rows = evidence.choose()
for remark in evidence.remarks(name, export):
    st.info(remark, icon=":material/info:")
evidence.validation_rows(export, "The operating points that are computed on validation rows are left out.")
scene = set_scene(export, name, rows)
show_at_threshold(scene)
charts.show_calibration(scene)
origins.show_origins(scene)
