"""What a trained model is and does. No Streamlit; TensorFlow is imported by engine.py and what builds on it only."""
