"""Heatmaps of one film side by side: of all methods, of several layers, of all models.

What takes many passes, or other models, waits for a button. Who pressed it sees its result again without asking.
"""

import numpy as np
import streamlit as st

from model_zoo.registry import Export, ExportError
from model_zoo.strength import logits_per_film
from views.shared import cache, film, heatmap, words
from views.shared.map_cards import card, grid, paint, show_film
from views.shared.picker import Case

_OWN_SCALE = (
    "Each map is painted on its own scale: compare where they glow, not how strongly. Full colour is the level that "
    "the strongest hundredth of a map reaches."
)


def methods(case: Case, model: Export, direction: str) -> None:
    """All explainers on one model. Raises ExportError."""
    gray = film.for_screen(case.radiograph.pixels)
    with grid():
        show_film(case, gray)
        for method, explainer in cache.explainers().items():
            with card(method, explainer.title, case):
                _show_method(case, model, method, direction, gray)
    heatmap.legend("inferno", "strongest spots")
    st.caption(
        f"{_OWN_SCALE} The time is this machine's, when the map was made. Where a network averages its last feature "
        "maps, Grad-CAM++ and LayerCAM are the same by construction."
    )


def _show_method(case: Case, model: Export, method: str, direction: str, gray: np.ndarray) -> None:
    explainer, passes = cache.explainers()[method], cache.passes(model, method)
    if passes == 1 or _asked(case, f"{method} {model.id} {direction}", f"Run {words.passes(passes)}"):
        raw, milliseconds = cache.method_map(model, method, case.radiograph.pixels, direction)
        painted = paint(gray, raw, direction, explainer.title)
        st.markdown(f"**{words.duration(milliseconds)}**, {words.passes(passes)}")
        if painted and method == "gradcam":
            st.caption(_strength(model, raw, direction))
    else:
        _, one_pass = cache.method_map(model, "gradcam", case.radiograph.pixels, direction)
        st.caption(f"Roughly {words.duration(passes * one_pass)} on this machine.")
    st.caption(f"{explainer.explanation} {explainer.source}.")


def depths(case: Case, model: Export, direction: str) -> None:
    """Grad-CAM at several layers of one model, shallow to deep. Raises ExportError."""
    gray, sign = film.for_screen(case.radiograph.pixels), 1 if direction == "pneumonia" else -1
    maps = cache.depth_maps(model, case.radiograph.pixels)
    late_only = bool(model.card.recipe.get("sides"))
    st.markdown(
        "This network looks at the film at several sizes. All that it sees meets late, so that there is no shallower "
        "layer to cut it at."
        if late_only
        else "The same method, cut into the network ever deeper. Early layers see edges in fine detail; late ones see "
        "large parts of the film coarsely, and are nearer to what the model says."
    )
    with grid():
        show_film(case, gray)
        for number, (layer, signed) in enumerate(maps.items(), 1):
            rows, columns = signed.shape
            with card(f"depth_{number}", f"{rows} × {columns} cells", case):
                raw = np.maximum(sign * signed, 0)
                painted = paint(gray, raw, direction, f"Grad-CAM at {layer}")
                st.caption(f"Layer {words.plain(layer)}")
                if layer == model.card.heatmap.layer:
                    strength = _strength(model, raw, direction) if painted else ""
                    st.caption(f"The heatmaps of the other pages are from here. {strength}")
    heatmap.legend("inferno", "strongest spots")
    early = (
        "At an early layer Grad-CAM averages away most of what moves the model: a spot is a texture that it uses, not "
        "yet a finding."
    )
    st.caption(_OWN_SCALE if late_only else f"{_OWN_SCALE} {early}")


def _strength(model: Export, raw: np.ndarray, direction: str) -> str:
    """How strong a Grad-CAM at the heatmap layer is, in words: its picture here does not show it."""
    signed = raw if direction == "pneumonia" else -raw
    return words.strength(words.balance(signed, model.card.heatmap.scale), direction)


def models(case: Case, chosen: Export, exports: dict[str, Export], direction: str) -> None:
    """Grad-CAM of the chosen model and, once asked for, of all others, on one scale. Raises ExportError for chosen."""
    others = [model for model in exports.values() if model.id != chosen.id]
    explanations, problems = {chosen.id: cache.explain(chosen, case.radiograph.pixels)}, []
    st.markdown(
        "Grad-CAM of several models on one scale, in **logits**: what a spot would add to a model's answer if the "
        "whole film were like it. One logit more multiplies the odds of pneumonia by 2.7, for every model alike."
    )
    ask_others = f"Ask the other {len(others)} too" if len(others) > 1 else "Ask the other one too"
    if others and _asked(case, "models", ask_others):
        for model in others:
            try:
                explanations[model.id] = cache.explain(model, case.radiograph.pixels)
            except ExportError as error:
                problems.append(words.export_problem(error))
    elif others:
        st.caption("Each is loaded first, which takes a few seconds for a large one.")
    # The largest would leave most maps invisible: a small network's can be six times those of a large one.
    scales = [_in_logits(exports[name], explanation.signed_map)[1] for name, explanation in explanations.items()]
    full = float(np.median(scales))
    gray = film.for_screen(case.radiograph.pixels)
    with grid():
        show_film(case, gray)
        for name, explanation in explanations.items():
            _show_model(case, exports[name], explanation, direction, gray, full)
    heatmap.legend("inferno", f"{full:.0f} logits or more")
    st.caption(
        "Full colour is the same for every film: the median, over the models shown, of what is full strength on their "
        "other pages."
    )
    for problem in problems:
        st.error(problem, icon=":material/error:")


def _show_model(case: Case, model: Export, explanation, direction: str, gray: np.ndarray, full: float) -> None:
    """explanation: model_zoo.engine.Explanation."""
    title = words.plain(model.card.title)
    signed, _ = _in_logits(model, explanation.signed_map)
    with card(f"model_{model.id}", title, case):
        evidence = signed if direction == "pneumonia" else -signed
        if paint(gray, np.maximum(evidence, 0), direction, title, full):
            faint = ", hardly visible on this scale" if evidence.max() < words.WEAK * full else ""
            st.markdown(f"Strongest spot **{evidence.max():.1f}** logits{faint}")
        call = words.called(explanation.probability, model.card.threshold.value)
        st.caption(
            f"All of the map: {np.maximum(signed, 0).mean():.1f} for pneumonia, {np.maximum(-signed, 0).mean():.1f} "
            f"for normal. Probability {words.probability(explanation.probability)}: calls it {call}."
        )


def _in_logits(model: Export, signed_map: np.ndarray) -> tuple[np.ndarray, float]:
    """A model's map, and the scale of its own pages, in logits per film."""
    cells, temperature = signed_map.size, model.card.temperature
    return (
        logits_per_film(signed_map, cells, temperature),
        logits_per_film(model.card.heatmap.scale, cells, temperature),
    )


def _asked(case: Case, what: str, label: str) -> bool:
    """True once the button for something costly about this film was pressed in this visit; until then, the button."""
    asked = st.session_state.setdefault("comparing.asked", set())
    wanted = (what, case.radiograph.digest)
    if wanted in asked:
        return True
    st.button(label, key=f"ask {what}", icon=":material/play_arrow:", on_click=asked.add, args=(wanted,))
    return False
