"""What a phantom is asked to be. Right and left are the patient's: the right lung is on the image's left."""

from dataclasses import dataclass, replace

from cases.phantom.randomness import Stream

FINDINGS = ("none", "lobar", "bronchopneumonia", "interstitial")
SIDES = ("right", "left", "both")
LOBES = ("upper", "middle", "lower")
MARKERS = ("", "R", "L", "AP", "PA")
SMALLEST, LARGEST = 64, 1024


@dataclass(frozen=True)
class PhantomParameters:
    """Everything that decides a phantom. None means "drawn from the seed"; `resolved()` fills those in.

    seed: 0 .. 2**63 - 1.
    finding: one of FINDINGS. "none" ignores side, lobe, extent and density (they resolve to None).
    side: which lung(s) carry the finding.
    lobe: the lobe of a lobar finding (the left lung has no middle lobe); for the other findings, the part of the
        lungs it keeps to, and None means all of it.
    extent: 0 (a small focus) .. 1 (the whole lobe or lung).
    density: 0 (barely visible) .. 1 (a little denser than the heart).
    size: side of the square film in pixels, 64 .. 1024.
    rotation: degrees, -10 .. 10, counterclockwise, added to the patient's own posture.
    exposure: -1 (dark) .. 1 (bright), added to the film's own exposure.
    marker: one of MARKERS, the lead letters in a corner; "" for none.
    context: 0 .. 1, how much the film apart from its opacity (framing, posture, breath, exposure) shifts from those of
        healthy children to those of children with pneumonia. None is 1 with a finding and 0 without, as in the
        collection that the statistics come from: sick children are younger and filmed closer, in bed.

    A phantom with an opacity has an exact normal twin, the same film without the opacity:
    `dataclasses.replace(phantom.parameters, finding="none")`.

    Raises ValueError, the message ending in what was received.
    """

    seed: int
    finding: str = "none"
    side: str | None = None
    lobe: str | None = None
    extent: float | None = None
    density: float | None = None
    size: int = 224
    rotation: float | None = None
    exposure: float | None = None
    marker: str | None = None
    context: float | None = None

    def __post_init__(self):
        _check_integer("seed", self.seed, 0, 2**63 - 1)
        _check_integer("size", self.size, SMALLEST, LARGEST)
        _check_option("finding", self.finding, FINDINGS)
        _check_option("side", self.side, (*SIDES, None))
        _check_option("lobe", self.lobe, (*LOBES, None))
        _check_option("marker", self.marker, (*MARKERS, None))
        _check_range("extent", self.extent, 0, 1)
        _check_range("density", self.density, 0, 1)
        _check_range("rotation", self.rotation, -10, 10)
        _check_range("exposure", self.exposure, -1, 1)
        _check_range("context", self.context, 0, 1)
        if self.finding != "none" and self.lobe == "middle" and self.side in ("left", "both"):
            raise ValueError(f"The left lung has no middle lobe. Received: lobe 'middle' with side {self.side!r}.")

    def resolved(self) -> "PhantomParameters":
        """The same parameters with every None drawn from the seed; those a finding has no use for stay None."""
        rotation = round(1.2 * float(Stream(self.seed, "rotation").normal()), 2)
        exposure = round(0.15 * float(Stream(self.seed, "exposure").normal()), 3)
        drawn = {
            "rotation": min(max(rotation, -4.0), 4.0),
            "exposure": min(max(exposure, -0.5), 0.5),
            "marker": Stream(self.seed, "marker").choice(("R", "", "L", "AP"), (0.8, 0.12, 0.04, 0.04)),
            "context": 0.0 if self.finding == "none" else 1.0,
        }
        if self.finding == "none":
            return replace(self, side=None, lobe=None, extent=None, density=None, **self._missing(drawn))
        drawn["extent"] = round(float(Stream(self.seed, "extent").uniform(0.1, 1.0)), 3)
        drawn["density"] = round(float(Stream(self.seed, "density").uniform(0.15, 1.0)), 3)
        weights = {"lobar": (0.55, 0.45, 0.0), "bronchopneumonia": (0.25, 0.2, 0.55), "interstitial": (0.05, 0.05, 0.9)}
        drawn["side"] = Stream(self.seed, "side").choice(SIDES, weights[self.finding])
        if self.lobe == "middle":
            drawn["side"] = "right"
        if self.finding == "lobar":
            lobes = LOBES if (self.side or drawn["side"]) == "right" else ("upper", "lower")
            drawn["lobe"] = Stream(self.seed, "lobe").choice(lobes)
        return replace(self, **self._missing(drawn))

    def _missing(self, drawn: dict) -> dict:
        return {name: value for name, value in drawn.items() if getattr(self, name) is None}


def _check_option(name, value, options):
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}. Received: {value!r}.")


def _check_integer(name, value, low, high):
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}. Received: {value!r}.")


def _check_range(name, value, low, high):
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}, or None. Received: {value!r}.")
