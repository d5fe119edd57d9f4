"""Load a network that several threads may use, in a process whose other threads show pages.

Streamlit 1.65 calls keras.backend.clear_session() after each run of each page, also of a part that draws itself anew
(`_clean_problem_modules` in streamlit/runtime/scriptrunner/script_runner.py). Keras 3 then takes its state away from
all threads (keras/src/backend/common/global_state.py), and what another one is loading or tracing ends with "'NoneType'
object has no attribute 'pop'" (keras issue 21831; the guard of newer versions hides the message, not the loss).
TensorFlow drops its compiled kernels too, so that each page's first explanation takes some fifteen times as long.

Importing this module imports TensorFlow. Raises ExportError then, in a process whose Keras runs on something else.
"""

import gc
from pathlib import Path

import keras

from model_zoo.registry import ExportError

if keras.backend.backend() != "tensorflow":
    raise ExportError(
        "Expected Keras on TensorFlow, on which exports are made and run. Received: Keras on "
        f"{keras.backend.backend()}. Only `fit` runs on others: set KERAS_BACKEND=tensorflow for this command."
    )


# Streamlit collects garbage after every run of a page. Walking through half a million objects of the libraries takes
# longer than most runs, and stops all visits meanwhile; frozen ones are passed over. Now, and not once there are
# models, which are to be freed when others take their place.
gc.collect()
gc.freeze()


def load_network(path: Path) -> keras.Model:
    """The Keras model of a file, not compiled, built-in layers only.

    From the first call on, keras.backend.clear_session() does nothing in this process; keras.utils.clear_session() is
    as it was. Nothing piles up: the state is each thread's own and goes with it, and kernels go with their functions.
    Raises what keras.models.load_model does for a file that is none.
    """
    keras.backend.clear_session = _keep
    return keras.models.load_model(path, compile=False, safe_mode=True)


def _keep(free_memory: bool = True) -> None:
    """In place of keras.backend.clear_session."""
