"""Offline training: recipe -> patient-grouped split -> fit -> export -> evaluate. Never imported by pages.

`python -m train --help` lists the commands. Keras picks its backend from KERAS_BACKEND (tensorflow or jax); nothing
here depends on which.
"""

# Before any module here imports Keras, and with it TensorFlow, which reads its settings then.
import model_zoo  # noqa: F401
