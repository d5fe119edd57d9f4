"""Where the model and its figures come from, told from the card. No threshold moves it."""

import pandas as pd
import streamlit as st

from model_zoo.card import Card
from model_zoo.repeats import figures_of_runs
from views.shared import evidence, members, words
from views.shared.performance.figures import FIGURES
from views.shared.performance.scene import Scene
from views.shared.published import claims_beside_ours


def show_origins(scene: Scene) -> None:
    _show_operating_point(scene.export.card)
    _show_published(scene)
    _show_protocol(scene.export.card)
    if scene.export.is_network:
        _show_training(scene.export.card)
        _show_repeats(scene)
    elif scene.export.is_committee:
        _show_members(scene)
    else:
        _show_formula(scene.export.card)


def _show_operating_point(card: Card) -> None:
    st.header("Where the model's own operating point comes from", anchor=False)
    st.markdown(
        f"An image is called pneumonia from a probability of **{card.threshold.value:.3f}** on. Rule: "
        f"{words.plain(card.threshold.rule)}, chosen on {evidence.set_title(card.threshold.chosen_on)}, never on the "
        f"test split. Probabilities are calibrated with a temperature of {card.temperature:.2f}, found on the same "
        "images."
    )


def _show_published(scene: Scene) -> None:
    reference = scene.export.card.reference
    if reference is None:
        return
    st.header("The published figure beside ours", anchor=False)
    st.markdown(f"The recipe follows: {words.plain(reference.title)}.")
    table = pd.DataFrame(claims_beside_ours(scene.export), columns=["figure", "published", "ours"])
    st.table(table.set_index("figure"), width="content")
    st.caption(
        "Ours is on the same kind of images as the published figure, whichever images are chosen above, at the model's "
        "own operating point."
    )


def _show_protocol(card: Card) -> None:
    st.header("How images were kept apart", anchor=False)
    protocol = card.data.protocol[:1].upper() + card.data.protocol[1:].rstrip(".")
    st.markdown(f"{words.plain(protocol)}. Licence of the images: {words.plain(card.data.licence)}.")
    if card.data.counts:
        counts = pd.DataFrame.from_dict(card.data.counts, orient="index").rename_axis("part")
        st.table(counts.map(lambda count: f"{count:,}"), width="content")
    if readings := card.data.test_read:
        dates = ", ".join(moment[:10] for moment in readings)
        times = "once" if len(readings) == 1 else f"{len(readings)} times"
        st.caption(
            f"The test split was scored {times} with this model: {dates}. Neither its operating point nor its "
            "calibration comes from there. The audits of heatmaps and of shortcuts read it too, for what their pages "
            "report."
        )


def _show_training(card: Card) -> None:
    st.header("How the model was trained", anchor=False)
    versions = ", ".join(f"{name} {version}" for name, version in card.training.versions.items())
    st.table(
        {
            "Network": card.architecture,
            "Sees": f"{card.side} × {card.side} pixels, {card.channels} channel{'s' if card.channels > 1 else ''}",
            "Weights": f"{card.weights.parameters:,}, started from {card.weights.started_from}, "
            f"{card.weights.bytes / 1e6:.1f} MB",
            "Training": f"{card.training.epochs} epochs, {words.trained_for(card.training.seconds)}, "
            f"{card.training.device}",
            "Versions": versions,
        },
        width="stretch",
    )
    _show_limits(card)


def _show_repeats(scene: Scene) -> None:
    runs = figures_of_runs(scene.export, scene.name)
    if runs.empty:
        return
    st.header("The same training again", anchor=False)
    st.markdown(
        "Training draws at random: the order of the images, how each is changed, dropout, and the weights of layers "
        f"that take none from another network. Trained {len(runs)} times on the same images, the model reached these "
        "figures, each time at an operating point of its own:"
    )
    runs.index = ["this model", *(run.removeprefix(f"{scene.export.id}-") for run in runs.index[1:])]
    shown = runs.rename(columns=lambda figure: FIGURES[figure][0]).T.rename_axis("figure")
    st.table(shown.assign(mean=runs.mean().to_numpy()).map("{:.4f}".format), width="content")
    st.caption(
        "Where two models differ by less than these runs do, chance may be all there is between them. The intervals "
        "above say what other patients would change, and do not hold this."
    )


def _show_members(scene: Scene) -> None:
    st.header("Who sits on the committee", anchor=False)
    card, cards = scene.export.card, [member.card for member in scene.export.members]
    st.markdown(
        "Each film goes to all members. The answer is the mean of their calibrated logits, the logarithms of the odds, "
        f"{'less' if card.committee.offset < 0 else 'plus'} {abs(card.committee.offset):.3f}, over a temperature of "
        f"{card.temperature:.2f}. That takes as long as all members together."
    )
    st.table(
        pd.DataFrame(
            {
                "member": words.plain(member.title),
                "pixels": f"{member.side} × {member.side}",
                "parameters": f"{member.weights.parameters:,}",
                "operating point": f"{member.threshold.value:.3f}",
            }
            for member in cards
        ).set_index("member"),
        width="content",
    )
    members.show_ways(scene.export, evidence.kept_rows)
    _show_limits(card)


def _show_formula(card: Card) -> None:
    st.header("How the formula was fitted", anchor=False)
    (_, intercept), *terms = card.recipe["coefficients"].items()
    signed = [f" {'−' if value < 0 else '+'} {abs(value):.3f} × {name}" for name, value in terms]
    versions = ", ".join(f"{name} {version}" for name, version in card.training.versions.items())
    st.table(
        {
            "Model": card.architecture,
            "Sees": "no pixels",
            "Formula": f"log-odds of pneumonia = ({intercept:.3f}{''.join(signed)}) / temperature",
            "Versions": versions,
        },
        width="stretch",
    )
    _show_limits(card)


def _show_limits(card: Card) -> None:
    st.markdown("**What to know of it**\n" + "".join(f"\n- {words.plain(limit)}" for limit in card.limits))
