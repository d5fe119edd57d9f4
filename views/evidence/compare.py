"""Which model is best, on the same images, and is the difference more than chance? From stored prediction rows.

No model is run, and TensorFlow is not imported, until someone asks for the speed on this machine.
"""

import pandas as pd
import streamlit as st

from views.shared import address, evidence, words
from views.shared.comparison.agreement import show_agreement
from views.shared.comparison.leaderboard import show_curves, show_leaderboard
from views.shared.comparison.pair import show_pair
from views.shared.comparison.scene import Scene, choose_scene
from views.shared.comparison.speed import show_speed
from views.shared.model_menu import working_models
from views.shared.published import claims_beside_ours


def show_remarks(scene: Scene) -> None:
    """What a reader must know of the set; with the models' names where it is not the same for all of them."""
    said: dict[str, list[str]] = {}
    for model_id in scene.rows:
        for remark in evidence.remarks(scene.name, scene.exports[model_id]):
            said.setdefault(remark, []).append(model_id)
    for remark, of in said.items():
        names = words.listed(scene.titles[model_id] for model_id in of)
        named = len(of) == len(scene.rows) or remark.startswith(f"**{names}**")
        st.info(remark if named else f"{names}: {remark}", icon=":material/info:")


def show_published(scene: Scene) -> None:
    published = {model_id: export for model_id, export in scene.exports.items() if export.card.reference}
    if not published:
        return
    st.header("The published figures beside ours", anchor=False)
    table = [
        (scene.titles[model_id], *claim)
        for model_id, export in published.items()
        for claim in claims_beside_ours(export)
    ]
    st.table(pd.DataFrame(table, columns=["model", "figure", "published", "ours"]).set_index("model"))
    st.caption(
        "Ours is on the same kind of images as the published figure, whichever images are chosen above. A random "
        "quarter of the images has films of the same children on both sides, which flatters every model; it is shown "
        "because the publication did so. What the models follow:\n"
        + "".join(
            f"\n- {words.plain(scene.titles[model_id])}: {words.plain(export.card.reference.title)}"
            for model_id, export in published.items()
        )
    )


address.start("Compare models")
st.markdown("Which model is best on the same images, and is the difference more than chance?")
exports = working_models()
if not exports:
    st.stop()
scene = choose_scene(exports)
show_remarks(scene)
show_leaderboard(scene)
show_curves(scene)
show_pair(scene)
show_agreement(scene)
show_published(scene)
show_speed(scene)
