"""What a trained model is and does. No Streamlit; TensorFlow is imported by engine.py and what builds on it only."""

import os

# TensorFlow reads both when it is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# By itself TensorFlow uses oneDNN's convolutions only on processors with instructions for neural networks. On others
# they cost one film some milliseconds and save half of the seconds that many films take, or training (`python -m
# benchmarks onednn`).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
