"""Which of our figures stands beside a published one: same kind of images, same metric. One rule for all tables."""

_PARTS = {"official test split of 624 images": "test", "random quarter of the training images": "random25"}
_ON_VALIDATION = "validation_"


class ProtocolError(ValueError):
    """A published protocol that we do not have. The message names it, and those that we have."""


def published_part(claim: str, protocol: str) -> tuple[str, str]:
    """(part, metric) of our prediction rows to put beside a claim of a card.Reference.

    claim: a metric of evaluation.estimates, reported under the protocol ("accuracy"), or on the publication's
    validation images ("validation_accuracy"). protocol: Reference.protocol. Raises ProtocolError for another one.
    """
    if protocol not in _PARTS:
        raise ProtocolError(f"Expected a protocol of {', '.join(map(repr, _PARTS))}. Received: {protocol!r}.")
    if claim.startswith(_ON_VALIDATION):
        return "validation", claim.removeprefix(_ON_VALIDATION)
    return _PARTS[protocol], claim


def published_figure(claim: str) -> str:
    """The metric of a claim, in words."""
    metric = claim.removeprefix(_ON_VALIDATION)
    return "AUROC" if metric == "auroc" else metric.replace("_", " ")


def published_images(claim: str, protocol: str) -> str:
    """The images behind a claim, in words. Arguments as in published_part()."""
    return "validation images" if claim.startswith(_ON_VALIDATION) else protocol
