"""How fast the models are on this machine, when someone asks. Only then is a model run."""

import pandas as pd
import streamlit as st

from model_zoo.registry import ExportError, readers
from views.shared import cache, words
from views.shared.comparison.scene import Scene

_SPEED = "compare.speed"


def show_speed(scene: Scene) -> None:
    st.header("Speed on this machine", anchor=False)
    if st.button("Measure the speed", icon=":material/timer:"):
        st.session_state[_SPEED] = _measured(scene)
    if not (speeds := st.session_state.get(_SPEED)):
        st.caption("Loads one model after the other and times it; the first time that takes some seconds.")
        return
    for model_id, problem in speeds["problems"].items():
        if model_id in scene.exports:
            st.warning(
                f"{words.plain(scene.titles[model_id])}: {words.export_problem(problem)}", icon=":material/warning:"
            )
    if found := {model_id: time for model_id, time in speeds["milliseconds"].items() if model_id in scene.exports}:
        fastest = min(found.values())
        st.table(
            pd.DataFrame(
                {
                    "model": scene.titles[model_id],
                    "milliseconds per image": f"{time:.1f}",
                    "times the fastest": f"{time / fastest:.1f}",
                }
                for model_id, time in sorted(found.items(), key=lambda item: item[1])
            ).set_index("model"),
            width="content",
        )
    st.caption(
        "One image at a time through the network, its heatmap included; the quickest of several passes, because "
        "whatever else the machine does only slows a pass down."
    )


def _measured(scene: Scene) -> dict[str, dict]:
    """ "milliseconds" and "problems" per model's id. The models are loaded one after the other."""
    result = {"milliseconds": {}, "problems": {}}
    exports = readers(scene.exports)
    bar = st.progress(0.0)
    for done, (model_id, export) in enumerate(exports.items()):
        bar.progress(done / len(exports), f"Timing {words.plain(scene.titles[model_id])}, {done + 1} of {len(exports)}")
        try:
            result["milliseconds"][model_id] = cache.milliseconds(export)
        except ExportError as error:
            result["problems"][model_id] = str(error)
    bar.empty()
    return result
