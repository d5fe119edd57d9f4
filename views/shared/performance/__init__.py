"""The parts of the page performance (views/evidence/performance.py), one file per subject."""
