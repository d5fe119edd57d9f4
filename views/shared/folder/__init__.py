"""The parts of the page of one's own folder (views/explore/folder.py), one file per subject."""
