"""The parts of the page compare (views/evidence/compare.py), one file per subject."""
