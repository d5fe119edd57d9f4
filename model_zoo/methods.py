"""What the explanation methods are called, by key. explainers.py runs them and imports TensorFlow; a page that shows
stored results needs their names only."""

TITLES = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "layercam": "LayerCAM",
    "augmented": "Augmented Grad-CAM",
    "scorecam": "Score-CAM",
    "smoothgrad": "SmoothGrad",
    "occlusion": "Occlusion",
}
