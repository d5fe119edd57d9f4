"""From parameters to a phantom."""

from dataclasses import dataclass, field

import numpy as np

from cases.phantom.anatomy import FILM, Chest, statistics, widely_blurred
from cases.phantom.detail import rib_cage, stomach_bubble, texture, vessels
from cases.phantom.film import exposed, grain, with_marker
from cases.phantom.findings import coverage
from cases.phantom.parameters import PhantomParameters
from cases.radiograph import Radiograph

OPACITY_THRESHOLD = 4.0
LUNG_EDGE = 0.35  # the share of training masks that must agree; at 0.5 a dark rim of lung stays outside
NOTE = "Synthetic: computed from statistics, no patient. The lung fields and the opacity are known exactly."


@dataclass(frozen=True, eq=False)
class Phantom(Radiograph):
    """A synthetic radiograph with its ground truth; `pixels`, `source`, `notes`, `synthetic` as in Radiograph.

    lung_fields: uint8 (height, width), 1 patient's right lung (on the image's left), 2 left lung, 0 elsewhere; the
        lung behind the heart counts, the mediastinum does not. Read-only.
    opacity: bool (height, width), where the finding raised the gray by more than OPACITY_THRESHOLD of 255 levels
        (before rounding); always inside the lung fields, all False without a finding. Read-only.
    parameters: fully resolved.
    """

    lung_fields: np.ndarray = field(kw_only=True)
    opacity: np.ndarray = field(kw_only=True)
    parameters: PhantomParameters = field(kw_only=True)

    def __post_init__(self):
        super().__post_init__()
        self.lung_fields.flags.writeable = False
        self.opacity.flags.writeable = False


def generate(parameters: PhantomParameters, source: str | None = None) -> Phantom:
    """The phantom of these parameters: the same bytes every time. `source` names it for a person."""
    parameters = parameters.resolved()
    seed, size = parameters.seed, parameters.size
    chest = Chest(seed, size, parameters.rotation, parameters.context)
    right, left = chest.lungs()
    lung_fields = np.where(right > LUNG_EDGE, 1, np.where(left > LUNG_EDGE, 2, 0)).astype(np.uint8)

    canvas = chest.gray + texture(seed) * np.clip(chest.gray / 90, 0, 1) * (0.3 + 0.4 * statistics()["lungs"].sum(0))
    bubble = stomach_bubble(seed)
    if bubble is not None:
        canvas += bubble
    gray = chest.on_film(canvas)
    scale = 1 if size <= 320 else 2 if size <= 640 else 4
    tree = vessels(seed, "vessels", scale)
    air = np.clip((170 - gray) / 70, 0.15, 1) * (right + left)
    # The average film holds the vessels' and ribs' share of gray already, spread out: 6 levels.
    gray = gray + (18 * chest.on_film(tree) - 6) * air + chest.on_film(rib_cage(seed, scale))
    gray = exposed(gray, parameters.exposure)

    opacity = np.zeros((size, size), bool)
    if parameters.finding != "none":
        inside = np.clip((right + left - LUNG_EDGE) / 0.3, 0, 1)
        added = _added(gray, chest.on_film(coverage(parameters)) * inside, chest)
        opacity = added > OPACITY_THRESHOLD
        gray = gray + added
    gray = with_marker(gray + 1.2 * grain(seed, size), seed, parameters.marker)
    return Phantom(
        np.rint(np.clip(gray, 0, 255)).astype(np.uint8),
        source or f"phantom {seed} {parameters.finding}",
        (NOTE,),
        True,
        lung_fields=lung_fields,
        opacity=opacity,
        parameters=parameters,
    )


def _added(gray, cover, chest):
    """Gray levels the opacity adds: towards a little denser than the heart, and most of the lung's detail is lost."""
    smooth = widely_blurred(gray, 4 * len(gray) / FILM)
    heart = (chest.x > 148) & (chest.x < 188) & (chest.y > 160) & (chest.y < 195)
    dense = np.median(gray[heart]) + 10
    return np.maximum(cover * (np.maximum(dense - smooth, 2) - 0.65 * (gray - smooth)), 0)
