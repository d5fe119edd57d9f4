"""What a film is called where it shows: a synthetic one is called synthetic, in the same words everywhere."""


def badge(synthetic: bool) -> str:
    """Markdown that goes behind the title of a film; "" for one of a patient."""
    return " :gray-badge[synthetic]" if synthetic else ""


def kind(synthetic: bool) -> str:
    """The beginning of a sentence for whoever cannot see the film, bare text."""
    return "Synthetic chest X-ray" if synthetic else "Chest X-ray"
