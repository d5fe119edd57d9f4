"""One opened case: film, heatmap, what all models say, a person's notes, the nearest training images.

All but the heatmap and the nearest training images comes from stored rows: no model is run for it.
"""

import pandas as pd
import streamlit as st

from cases.collections.base import LABEL_NAMES
from cases.radiograph import Radiograph, RadiographError
from model_zoo.registry import Export, ExportError
from views.shared import address, cache, evidence, film, heatmap, neighbours, notes, synthetic, words
from views.shared.figures.opinions import opinions as opinions_chart
from views.shared.frame import ground
from views.shared.members import voices_alt, voices_table


def show(
    export: Export, name: str, case: pd.Series, threshold: float, others: dict[str, Export], opinions: pd.DataFrame
) -> None:
    """case: a row of selection.cases at the threshold. others, opinions: selection.other_opinions."""
    truth = LABEL_NAMES[case["label"]] + (f" ({words.plain(case['subtype'])})" if case["subtype"] else "")
    probability = float(case["probability"])
    st.markdown(
        f"The truth: **{truth}**. The model: **{words.called(probability, threshold)}**, probability of pneumonia "
        f"{words.probability(probability)}."
    )
    radiograph = _show_image(export, name, case)
    collection_id = evidence.collection_of(name)
    left, right = st.columns(2, gap="large")
    with left:
        _show_opinions(export, case, threshold, others, opinions)
    with right:
        st.header("Your notes", anchor=False)
        notes.show(collection_id, case["image_id"])
        _show_source(export, collection_id, case)
    if radiograph is not None:
        neighbours.show(export, name, case["label"], radiograph)


def show_way(title: str, selected: pd.DataFrame, place: int, per_page: int) -> None:
    """Back, previous and next, for a row of elements. The arrow keys work too. title: such as "False positive"."""
    image_ids = selected["image_id"].tolist()
    st.button(
        "All cases",
        icon=":material/grid_view:",
        on_click=address.choose,
        kwargs={"image": None, "page": str(place // per_page + 1)},
    )
    for label, shortcut, by in (("Previous", "Left", -1), ("Next", "Right", 1)):
        st.button(
            label,
            shortcut=shortcut,
            disabled=not 0 <= place + by < len(image_ids),
            on_click=_step,
            args=(image_ids, by),
        )
    st.markdown(f"{title} **{place + 1}** of {len(image_ids)}", width="content")


def _step(image_ids: list[str], by: int) -> None:
    """From the image that the address has by now: a quick press comes before the page is drawn for the one before."""
    if (now := st.query_params.get("image")) in image_ids:
        place = image_ids.index(now) + by
        address.choose(image=image_ids[min(max(place, 0), len(image_ids) - 1)])


def _show_image(export: Export, name: str, case: pd.Series) -> Radiograph | None:
    """The film and its heatmap, or why they cannot be shown."""
    if missing := evidence.missing_images(name):
        st.error(missing, icon=":material/folder_off:")
        return None
    collection_id = evidence.collection_of(name)
    if case["image_id"] not in cache.image_ids(collection_id):
        st.error("This image is not in this machine's copy of the collection.", icon=":material/folder_off:")
        return None
    try:
        radiograph = cache.radiograph(collection_id, case["image_id"])
    except RadiographError as error:
        st.error(words.plain(str(error)), icon=":material/broken_image:")
        return None
    _show_pictures(export, radiograph, case["outcome"])
    return radiograph


def _show_pictures(export: Export, radiograph: Radiograph, outcome: str) -> None:
    badge = synthetic.badge(radiograph.synthetic)
    called = LABEL_NAMES[outcome.endswith("positive")]
    pixels = film.for_screen(radiograph.pixels)
    left, right = st.columns(2)
    with left:
        st.markdown(f"**The film**{badge}")
        alt = f"{synthetic.kind(radiograph.synthetic)}, {outcome}"
        st.image(pixels, width="stretch", output_format="JPEG", alt=alt)
    with right:
        if not export.sees_pixels:
            st.markdown("**No heatmap**")
            st.markdown(
                f"{words.plain(export.card.title)} sees no pixels, so there is no place on the film where it looked. "
                "Its answer comes from how wide the original file was, and from nothing else."
            )
            return
        picture = st.container()
        direction = heatmap.choose_direction(called)
        with picture:
            st.markdown(f"**Evidence for {direction}**{badge}")
            try:
                explanation = cache.explain(export, radiograph.pixels)
            except ExportError as error:
                st.error(words.export_problem(error), icon=":material/error:")
            else:
                heatmap.show(pixels, explanation, export.card.heatmap.scale, direction)


def _show_opinions(
    export: Export, case: pd.Series, threshold: float, others: dict[str, Export], opinions: pd.DataFrame
) -> None:
    st.header("What all models say", anchor=False)
    voices = [(export, float(case["probability"]), threshold)]
    voices += [(other, float(opinions.at[case.name, id_]), other.card.threshold.value) for id_, other in others.items()]
    table = voices_table([voice for voice in voices if not pd.isna(voice[1])])
    table["right"] = table["call"] == LABEL_NAMES[case["label"]]
    calls = int((table["call"] == "pneumonia").sum())
    sentence = (
        f"**{calls} of {len(table)}** models call this pneumonia; "
        f"{int(table['right'].sum())} of {len(table)} are right."
    )
    st.markdown(sentence)
    st.altair_chart(opinions_chart(table, ground()), width="stretch", alt=voices_alt(table), key="errors.opinions")
    st.caption(
        "From stored rows. The stroke is where each model begins to call an image pneumonia: its own operating point, "
        "or the threshold chosen here for this model."
    )


def _show_source(export: Export, collection_id: str, case: pd.Series) -> None:
    st.caption(f"Image {words.plain(case['image_id'])}, patient {words.plain(case['patient_id'])}")
    st.page_link(
        "views/explore/diagnose.py",
        label="Read this X-ray with all controls",
        icon=":material/radiology:",
        query_params={
            **({"model": export.id} if export.sees_pixels else {}),
            "collection": collection_id,
            "image": case["image_id"],
        },
    )
