"""What a publication claims beside what the model that follows it reaches on the same kind of images."""

from model_zoo.predictions import PredictionsError
from model_zoo.published import ProtocolError, published_figure, published_images, published_part
from model_zoo.registry import Export
from views.shared import cache, words


def claims_beside_ours(export: Export) -> list[tuple[str, str, str]]:
    """Per claim of the card's reference: the figure with the images that it is of, the claim, and our figure with its
    interval, or that there is none. Empty without a reference."""
    reference = export.card.reference
    if reference is None:
        return []
    return [
        (
            f"{published_figure(claim)}, {published_images(claim, reference.protocol)}",
            f"{value:.3f}" if isinstance(value, int | float) else str(value),
            _ours(export, claim),
        )
        for claim, value in reference.claims.items()
    ]


def _ours(export: Export, claim: str) -> str:
    try:
        part, metric = published_part(claim, export.card.reference.protocol)
        rows = cache.predictions(export, f"{export.card.data.collection}-{part}")
    except (ProtocolError, PredictionsError):
        return "not computed"
    found = cache.estimates(rows, export.card.threshold.value).get(metric)
    return "not computed" if found is None else words.rate(found)
