"""The one step from a radiograph to a model's input: the same for training, evaluation and the app.

Area resampling is used because it averages every source pixel when it shrinks an image, so that a 2,000-pixel upload
and the 224-pixel copy of the same film give nearly the same input. The aspect ratio is not kept: the models are
trained on films squeezed to a square, and a padded film would be a new kind of image to them.
"""

import cv2
import numpy as np


def model_input(pixels: np.ndarray, side: int, channels: int) -> np.ndarray:
    """Resize pixels, uint8 (height, width), to uint8 (side, side, channels), 0..255, the gray channel repeated.

    The values stay bytes so that a training set fits in memory; models take them as float32 in 0..255.
    """
    resized = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    return np.repeat(resized[:, :, np.newaxis], channels, axis=2)
