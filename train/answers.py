"""How a command of the suite ends: what it cannot do is said in a sentence or two, without a traceback."""

import sys
from collections.abc import Callable

from cases.collections.base import CollectionUnavailable
from cases.radiograph import RadiographError
from model_zoo.card import CardError
from model_zoo.predictions import PredictionsError
from model_zoo.published import ProtocolError
from model_zoo.registry import ExportError
from train.download import DownloadError
from train.recipe import RecipeError, TrainingStopped

_EXPECTED = (
    CardError,
    CollectionUnavailable,
    DownloadError,
    ExportError,
    PredictionsError,
    ProtocolError,
    RadiographError,
    RecipeError,
    TrainingStopped,
)


def answered(command: Callable[[], None], resumes: bool = False) -> int:
    """Run a command and return its exit status: 0, 2 after what is expected to go wrong, 130 when a person stopped it.

    resumes: whether it goes on from a checkpoint when it is run again."""
    try:
        command()
    except _EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"error: Expected files that can be read, and room to write. Received: {error}. No file was left half "
            "written.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        way_on = "goes on from the last checkpoint" if resumes else "starts again with what was not finished"
        print(f"stopped; the same command {way_on}", file=sys.stderr)
        return 130
    return 0
