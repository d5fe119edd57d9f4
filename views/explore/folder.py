"""A person's own folder of images, scored by a model in the background; the rows stay on this machine.

The page shows what is on disk so far and polls the run (views/shared/jobs.py). Opening it runs no model.
"""

from pathlib import Path

import pandas as pd
import streamlit as st

from cases.collections.base import LABEL_NAMES, CollectionUnavailable
from cases.collections.folder import FolderCollection, folder_id
from cases.settings import user_folder
from model_zoo import batch
from model_zoo.card import CardError
from model_zoo.predictions import DISAGREEMENT, DOUBTS, PredictionsError
from model_zoo.registry import Export, ExportError
from model_zoo.tables import for_spreadsheets
from views.shared import address, cache, evidence, jobs, words
from views.shared.figures.folder import probability_histogram
from views.shared.frame import ground
from views.shared.model_menu import choose_model
from views.shared.run_progress import follow
from views.shared.visitor import may_read

PER_PAGE = 100
ORDERS = {
    "highest": "Highest first",
    "lowest": "Lowest first",
    "closest": "Closest to the operating point",
    DISAGREEMENT: "Most disputed first",
    DOUBTS: "Doubtful first",
    "name": "By name",
}


def choose_folder() -> Path | None:
    """The folder that the address names or a person types, by default the shared one; None after saying why not."""
    typed, key = address.addressed("folder", memory="folder") or "", "address.folder"
    st.session_state[key] = typed
    shared = user_folder()
    st.text_input(
        "Folder of images on the machine that runs LungLens",
        key=key,
        placeholder="The shared folder" if shared else "The path of a folder",
        on_change=address.choose_from_widget,
        args=("folder", key, lambda _: {"page": None, **kept_order(DOUBTS)}),
        help="JPEG, PNG, WebP, TIFF, BMP and DICOM, in the folder and below it. Images in folders called normal and "
        "pneumonia count as labelled.",
    )
    if not typed.strip() and shared is None:
        st.info(
            "Type the path of a folder. The images are read where they are; of each, the probability is kept on this "
            "machine, and nothing else. On a hosted app, only folders that its owner shares can be read: the setting "
            "LUNGLENS_FOLDER names them.",
            icon=":material/folder_open:",
        )
        return None
    return readable_folder(typed.strip(), shared)


def readable_folder(typed: str, shared: Path | None) -> Path | None:
    """The folder of a typed path, taken from the shared folder when it is not a full one; None after a refusal."""
    try:
        root = Path(typed).expanduser()
        if not root.is_absolute():
            if shared is None:
                st.error(
                    f"Expected the full path of a folder. Received: {words.plain(typed)}.",
                    icon=":material/folder_off:",
                )
                return None
            root = shared / root
        allowed = may_read(root)
    except (OSError, RuntimeError, ValueError):
        # A name that no disk can hold: too long, a loop of links, a user who is not there.
        st.error(f"Expected the path of a folder. Received: {words.plain(typed[:200])}.", icon=":material/folder_off:")
        return None
    if not allowed:
        where = " Here you can name the shared folder (leave the field empty) and what lies in it." if shared else ""
        st.error(
            "This folder is not read for you. LungLens reads any folder only for a person at the machine that runs it, "
            "in a browser there, at the address localhost: otherwise everyone who can reach the app could look through "
            f"its disk.{where} Whoever runs the app can share a folder with the setting LUNGLENS_FOLDER.",
            icon=":material/lock:",
        )
        return None
    return root


def list_folder(root: Path) -> FolderCollection | None:
    """The images of a folder; None after saying why there are none."""
    try:
        collection = cache.folder(root)
    except CollectionUnavailable as error:
        st.error(words.plain(str(error)), icon=":material/folder_off:")
        return None
    entries = collection.entries()
    if not entries:
        st.error(
            f"Expected images in {words.plain(str(root))} or below it. Received: a folder without any JPEG, PNG, WebP, "
            "TIFF, BMP or DICOM file that can be read.",
            icon=":material/folder_off:",
        )
        return None
    counts = [sum(entry.label == label for entry in entries) for label in (0, 1, None)]
    kinds = [
        f"{count:,} {kind}" for count, kind in zip(counts, (*LABEL_NAMES, "without a label"), strict=True) if count
    ]
    st.caption(f"{words.plain(root.name)}: {words.counted(len(entries), 'image')}, {', '.join(kinds)}.")
    return collection


def show_run(root: Path, export: Export, results: batch.Results, images: int, waiting: int) -> None:
    """What a run is doing, with a button to cancel it, or a button to start one."""
    job = jobs.last(results)
    if job and job.running:
        follow(
            job,
            "images",
            "Waiting for another run to be done, or listing the images…",
            "You may leave this page or close it; the run goes on. What is scored is kept.",
        )
        return
    if job and job.problem:
        st.error(words.export_problem(job.problem), icon=":material/error:")
    if not waiting:
        label, primary = "Look for new and changed images", False
    elif waiting == images:
        label, primary = f"Score {words.counted(images, 'image')}", True
    else:
        label, primary = f"Go on: {waiting:,} of {images:,} images are left", True
    if not st.button(label, type="primary" if primary else "secondary", icon=":material/play_arrow:"):
        return
    try:
        cache.start_scoring(root, export)
    except (ExportError, CardError, CollectionUnavailable, OSError) as error:
        st.error(words.export_problem(error), icon=":material/error:")
    else:
        st.rerun()


def show_results(export: Export, collection_id: str, scores: pd.DataFrame) -> None:
    threshold = export.card.threshold.value
    positive = int((scores["probability"] >= threshold).sum())
    st.header("What the model says", anchor=False)
    st.markdown(
        f"Of **{words.counted(len(scores), 'image')}** the model calls **{positive:,}** pneumonia "
        f"({words.percent(positive / len(scores))}), at its operating point, {threshold:.3f}. That point was chosen on "
        f"{evidence.set_title(export.card.threshold.chosen_on)}. Images of another hospital or another age get a "
        "number too, and nothing says how good it is."
    )
    show_doubts(scores, threshold)
    st.altair_chart(
        probability_histogram(scores, threshold, ground()),
        width="stretch",
        alt=f"Histogram of the probabilities of {words.counted(len(scores), 'image')}, {positive:,} of them at or "
        f"above {threshold:.3f}",
    )
    if scores["label"].notna().any():
        show_evidence(export, collection_id)
    show_table(export, collection_id, scores, threshold)


def show_doubts(scores: pd.DataFrame, threshold: float) -> None:
    doubted = scores[scores[DOUBTS] != ""]
    if doubted.empty:
        st.caption("All of them passed as frontal chest X-rays. The check misses some that are none.")
        return
    positive = int((doubted["probability"] >= threshold).sum())
    st.warning(
        f"Images that may not be frontal chest X-rays: **{len(doubted):,}**. The model calls {positive:,} of them "
        f"pneumonia, which may mean nothing. *{ORDERS[DOUBTS]}* lists them, and opening one says why.",
        icon=":material/help:",
    )


def show_evidence(export: Export, collection_id: str) -> None:
    view = {"model": export.id, "set": collection_id}
    with st.container(border=True):
        st.markdown("These images are labelled, so the model can be judged by them, with all figures and intervals.")
        with st.container(horizontal=True):
            st.page_link(
                "views/evidence/performance.py",
                label="How often it is right",
                icon=":material/monitoring:",
                query_params=view,
            )
            st.page_link("views/evidence/errors.py", label="Its mistakes", icon=":material/rule:", query_params=view)
            st.page_link(
                "views/evidence/compare.py",
                label="Beside other models",
                icon=":material/compare_arrows:",
                query_params={"set": collection_id},
            )


def show_table(export: Export, collection_id: str, scores: pd.DataFrame, threshold: float) -> None:
    order = address.control(
        st.pills,
        "Order",
        "order",
        [order for order in ORDERS if order not in (DISAGREEMENT, DOUBTS) or tells(scores, order)],
        others=lambda _: {"page": None},
        format_func=ORDERS.get,
        required=True,
        label_visibility="collapsed",
    )
    table = ordered(scores, order, threshold)
    page, pages = address.chosen_page(len(table), PER_PAGE)
    shown = for_reading(table.iloc[(page - 1) * PER_PAGE : page * PER_PAGE], threshold)
    picked = st.dataframe(
        # As text, a column would be sorted by its letters.
        shown.style.format(words.probability, subset="probability"),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"folder.table.{order}.{page}",
        # What must be seen first: a phone shows two columns.
        column_order=("probability", "image", "call", DISAGREEMENT, DOUBTS, "label"),
        column_config={
            "image": st.column_config.TextColumn(width="medium"),
            "probability": st.column_config.NumberColumn(width=110, help="Of pneumonia."),
            "call": "the model says",
            DISAGREEMENT: st.column_config.NumberColumn(
                format="%.3f", help="The standard deviation of the members' probabilities: 0 when all say the same."
            ),
            DOUBTS: st.column_config.TextColumn(
                width="medium", help="Why the image may not be a frontal chest X-ray, in key words."
            ),
        },
    )["selection"]["rows"]
    if picked:
        address.leave_for(
            "views/explore/diagnose.py",
            model=export.id,
            collection=collection_id,
            image=shown["image"].iloc[picked[0]],
        )
    address.offer_pages(page, pages, "folder.page")
    st.caption(
        "Mark a row (on the keyboard, Shift and the space bar) to open its image, with the map of where the model "
        "looked."
    )
    st.download_button(
        f"Download {words.counted(len(table), 'row')} (CSV)",
        lambda: for_spreadsheets(for_reading(table, threshold).assign(threshold=threshold)),
        file_name=f"{collection_id}-{export.id}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def kept_order(lost: str) -> dict[str, str | None]:
    """For address.choose(): the order of the table, unless it is the one that may be lost."""
    return address.kept("order", [order for order in ORDERS if order != lost])


def tells(scores: pd.DataFrame, column: str) -> bool:
    """Whether scores have such a column with more in it than empty texts: not every model, or folder, has one."""
    return column in scores and bool((scores[column] != "").any())


def ordered(scores: pd.DataFrame, order: str, threshold: float) -> pd.DataFrame:
    """scores in one of ORDERS, images of the same place by name."""
    probability = scores["probability"]
    keys = {"highest": -probability, "lowest": probability, "closest": (probability - threshold).abs(), "name": 0.0}
    if tells(scores, DISAGREEMENT):
        keys[DISAGREEMENT] = -scores[DISAGREEMENT]
    if tells(scores, DOUBTS):
        keys[DOUBTS] = scores[DOUBTS] == ""
    return scores.assign(key=keys[order]).sort_values(["key", "image_id"]).drop(columns="key")


def for_reading(scores: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Image, probability, what the model calls it, a committee's disagreement, doubts if there are any, and the label
    where it is known."""
    table = pd.DataFrame(
        {
            "image": scores["image_id"],
            "probability": scores["probability"],
            "call": [words.called(probability, threshold) for probability in scores["probability"]],
        }
    )
    for column in (DISAGREEMENT, DOUBTS):
        if tells(scores, column):
            table[column] = scores[column]
    if scores["label"].notna().any():
        table["label"] = scores["label"].map(dict(enumerate(LABEL_NAMES))).fillna("not known")
    return table


def show_unreadable(unreadable: list[tuple[str, str]]) -> None:
    st.header("Not read", anchor=False)
    st.markdown(f"Images that could not be read: {len(unreadable):,}. Each new run tries them again.")
    st.dataframe(
        pd.DataFrame(unreadable[:1000], columns=["image", "reason"]),
        hide_index=True,
        width="stretch",
        column_config={"reason": st.column_config.TextColumn(width="large")},
    )
    if len(unreadable) > 1000:
        st.caption("The first 1,000 are shown.")


address.start("Your own folder")
st.markdown("What does a model say of your images, all of them at once?")
left, right = st.columns([2, 1], vertical_alignment="bottom")
with right:
    export = choose_model(others=lambda export: {} if export.is_committee else kept_order(DISAGREEMENT))
with left:
    root = choose_folder()
collection = list_folder(root) if root else None
if export is None or collection is None:
    st.stop()
collection_id = folder_id(root)
results = batch.results_of(collection_id, export)
try:
    scores = cache.scores(export, collection_id)
except PredictionsError as error:
    st.error(
        f"The rows cannot be used. {words.export_problem(error)} A new run drops what is damaged and scores it again.",
        icon=":material/broken_image:",
    )
    scores = None
unreadable = batch.read_unreadable(results.unreadable)
known = {image_id for image_id, _ in unreadable} | (set() if scores is None else set(scores["image_id"]))
entries = collection.entries()
waiting = sum(entry.id not in known for entry in entries)
show_run(root, export, results, len(entries), waiting)
if scores is not None and len(scores):
    if waiting:
        st.info(
            "These are results so far. Images are scored in the order of their names, so the rest may differ.",
            icon=":material/hourglass_top:",
        )
    show_results(export, collection_id, scores)
if unreadable:
    show_unreadable(unreadable)
