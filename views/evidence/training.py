"""How a model was trained: curves over the epochs, the learning rate, and pictures as it saw them. No model is run."""

import pandas as pd
import streamlit as st

from model_zoo.history import HistoryError, read_history, schedule
from model_zoo.registry import Export
from views.shared import address, members, words
from views.shared.figures import history as figures
from views.shared.frame import ground
from views.shared.model_menu import choose_model

# Values of the recipe's augmentation that change nothing.
_OFF = (False, 0, [1.0, 1.0])


def show_summary(export: Export, history: pd.DataFrame) -> None:
    best = history.loc[history["val_loss"].idxmin()]
    per_epoch = history["seconds"]
    stages = history.groupby("stage", sort=False).size()
    run = ", then ".join(f"{count} of stage “{words.plain(stage)}”" for stage, count in stages.items())
    st.markdown(
        f"**{len(history)} epochs** ({run}) in **{words.trained_for(per_epoch.sum())}** on "
        f"{words.plain(export.card.training.device)}: a median of {per_epoch.median():,.1f} seconds per epoch, from "
        f"{per_epoch.min():,.1f} to {per_epoch.max():,.1f}. The validation loss was lowest, {best['val_loss']:.3f}, "
        f"after **epoch {best['epoch']}**, marked by a circle; the model's weights are those after the last epoch."
    )


def show_curves(export: Export, history: pd.DataFrame) -> None:
    best = int(history.loc[history["val_loss"].idxmin(), "epoch"])
    card = export.card
    mixed = bool(card.recipe.get("mixup"))
    runs = card.recipe.get("averaged_runs", 1)
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Loss", anchor=False)
        names = {"loss": "training images", "val_loss": "validation images"}
        st.altair_chart(
            figures.curves(history, names, "loss", best, ground(), runs > 1),
            width="stretch",
            alt=f"Loss over the epochs, on validation images lowest in epoch {best}: {history['val_loss'].min():.3f}",
        )
    with right:
        st.header("Accuracy", anchor=False)
        names = {"val_accuracy": "validation images"}
        if not mixed:
            names = {"accuracy": "training images", **names}
        st.altair_chart(
            figures.curves(history, names, "accuracy", best, ground(), runs > 1),
            width="stretch",
            alt=f"Accuracy over the epochs, on validation images up to {history['val_accuracy'].max():.3f}",
        )
    notes = [
        "Training figures are means over an epoch, while the weights still changed, of images as they were changed at "
        "random; validation figures are taken after it, of unchanged images of other patients. So the two need not "
        "meet. Accuracy here is at a probability of 0.5, before calibration, not at the operating point."
    ]
    lessons = {
        "teachers": "how far the answers were from its teachers'",
        "lung_gate": "how far its gate was from the true lungs",
    }
    if counted := [lesson for setting, lesson in lessons.items() if card.recipe.get(setting)]:
        notes.append(f"The loss on the training images also counts {' and '.join(counted)}.")
    if mixed:
        notes.append("Training images and their labels were mixed in pairs; a mixture has no answer that is right.")
    if runs > 1:
        notes.append(
            f"Each of the {runs} runs began with the same weights, and the model's are the mean of what they ended "
            "with. No figure here is of that mean."
        )
    st.caption(" ".join(notes))
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Learning rate", anchor=False)
        drawn = schedule(history, card.recipe, card.data.counts.get("training", {}).get("images", 0))
        st.altair_chart(
            figures.learning_rate(history, drawn, ground()),
            width="stretch",
            alt=f"Learning rate over the epochs, up to {history['learning_rate'].max():.2g}",
        )
        st.caption(
            "The dots are the rate at the end of each epoch, as stored. "
            + (
                "The line between them is computed from the recipe and passes through every dot."
                if drawn is not None
                else "How it went between them cannot be computed from the recipe, so it is not drawn."
            )
        )
    with right:
        st.header("Seconds per epoch", anchor=False)
        alt = f"Seconds per epoch, median {history['seconds'].median():.0f}"
        st.altair_chart(figures.seconds(history, ground()), width="stretch", alt=alt)
        st.caption("Wall time with validation. A long epoch often means that the machine had other work.")


def show_samples(export: Export) -> None:
    st.header("What the network saw", anchor=False)
    settings = export.card.recipe.get("augmentation")
    if settings is None:
        st.info("The model's card does not say how its training images were changed.", icon=":material/info:")
        return
    if all(value in _OFF for value in settings.values()):
        st.markdown("Its training images were not changed at random: this model was trained without augmentation.")
        return
    path = export.folder / "augmented.jpg"
    if not path.is_file():
        st.info(f"The pictures are missing. `python -m train samples {export.id}` draws them.", icon=":material/image:")
        return
    st.image(path.read_bytes(), width="stretch", alt="Synthetic chest X-rays, each changed at random several times")
    st.markdown(
        "**Synthetic X-rays**, not the children's films: on the left a phantom as it is, beside it the same one as the "
        "training images were changed at random, anew each time that they were seen."
    )
    if unchanged := [stage["name"] for stage in export.card.recipe["stages"] if stage.get("trainable") == "head"]:
        st.caption(f"Stage “{words.plain(', '.join(unchanged))}” trained the head alone, on unchanged images.")


address.start("Training")
st.markdown("How did a model learn, and what did it see?")
export = choose_model()
if export is None:
    st.stop()
if export.is_committee:
    st.info(
        "A committee is not trained: it asks networks that were, and answers with their mean. Each of its members has "
        "curves of its own.",
        icon=":material/groups:",
    )
    members.show_ways(export)
    st.stop()
try:
    history = read_history(export.folder / "history.csv", export.card.training.epochs)
except HistoryError as error:
    st.error(
        f"The training history cannot be used. {words.export_problem(error)} Other models still work.",
        icon=":material/broken_image:",
    )
else:
    show_summary(export, history)
    show_curves(export, history)
show_samples(export)
