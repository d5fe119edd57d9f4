"""Run a committee: several exports asked about the same film, with one answer.

Logit: the mean of the members' calibrated logits (logit / temperature), plus the card's offset. Probability: sigmoid of
it over the card's temperature. That is the logit model of Satopää et al. 2014 ("Combining multiple probability
predictions using a simple logit model"): the mean of log-odds, then one factor that is fitted, because the mean of
several opinions is surer or less sure than it should be. Pooling comes before that last calibration, as Rahaman and
Thiery 2021 found to be needed ("Uncertainty quantification and deep ensembles").

Heatmap: the mean of the members' signed maps. Raw Grad-CAM has another unit in each network, so each map is divided by
its own card's scale, and enlarged to the finest member's grid as it is when it is painted. What speaks for pneumonia to
one member and for normal to another cancels out.

It costs what its members cost together. Importing this module imports TensorFlow.
"""

import numpy as np

from cases.preprocess import model_input
from model_zoo.calibration import calibrated
from model_zoo.disagreement import spread
from model_zoo.engine import Engine, Explanation, Reader
from model_zoo.overlay import enlarged
from model_zoo.registry import Export


def open_engine(export: Export) -> Reader:
    """What runs an export, a network or a committee. Raises ExportError as Engine."""
    return CommitteeEngine(export) if export.is_committee else Engine(export)


class CommitteeEngine(Reader):
    """A committee in memory, with an engine for each member. It holds no state between calls and may be called from
    several threads.

    An input is a structured value with one uint8 field (side, side, channels) for each input shape among the members,
    which members of one shape share.

    Raises ExportError when a member's file is not the one that its card describes, or is no model of the expected form.
    """

    def __init__(self, export: Export):
        self.export = export
        self.members = tuple(Engine(member) for member in export.members)
        shapes = {(member.card.side, member.card.side, member.card.channels) for member in export.members}
        self._films = np.dtype([(str(shape), np.uint8, shape) for shape in sorted(shapes)])

    def input(self, pixels: np.ndarray) -> np.ndarray:
        """One radiograph's pixels, uint8 (height, width), as this committee's input."""
        films = np.empty((), self._films)
        for name in self._films.names:
            side, _, channels = self._films[name].shape
            films[name] = model_input(pixels, side, channels)
        return films

    def explain(self, images: np.ndarray) -> list[Explanation]:
        """Explanations of a batch of inputs (n,), with what each member says."""
        by_member = [member.explain(self._seen_by(member, images)) for member in self.members]
        return [self._pooled(explanations) for explanations in zip(*by_member, strict=True)]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (n,) of a batch of inputs (n,)."""
        return self._mean(self._member_logits(images))

    def scores_and_spread(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """scores() of a batch of inputs (n,), and disagreement.spread of the members' probabilities, both (n,)."""
        logits = self._member_logits(images)
        return calibrated(self._mean(logits), self.export.card.temperature), spread(calibrated(logits, 1.0))

    def _seen_by(self, member: Engine, images: np.ndarray) -> np.ndarray:
        card = member.export.card
        return images[str((card.side, card.side, card.channels))]

    def _member_logits(self, images: np.ndarray) -> np.ndarray:
        """Calibrated logits (n, members)."""
        logits = [m.logits(self._seen_by(m, images)) / m.export.card.temperature for m in self.members]
        return np.stack(logits, axis=-1)

    def _mean(self, logits: np.ndarray) -> np.ndarray:
        """The committee's logits (...) from its members' calibrated ones (..., members)."""
        return logits.mean(axis=-1) + self.export.card.committee.offset

    def _pooled(self, explanations: tuple[Explanation, ...]) -> Explanation:
        """One image's explanation from its members'."""
        cards = [member.card for member in self.export.members]
        pairs = list(zip(explanations, cards, strict=True))
        logit = self._mean(np.array([explanation.logit / card.temperature for explanation, card in pairs]))
        grid = np.max([explanation.signed_map.shape for explanation in explanations], axis=0)
        maps = [enlarged(explanation.signed_map / card.heatmap.scale, grid) for explanation, card in pairs]
        return Explanation(
            float(logit),
            float(calibrated(logit, self.export.card.temperature)),
            np.mean(maps, axis=0),
            tuple(explanation.probability for explanation in explanations),
        )
