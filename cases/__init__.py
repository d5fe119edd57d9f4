"""Where X-rays come from: decoding, collections, phantoms, the one preprocessing step. No TensorFlow, no Streamlit."""
