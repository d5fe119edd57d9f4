"""Synthetic chest radiographs with exact ground truth."""

from cases.phantom.generator import OPACITY_THRESHOLD, Phantom, generate
from cases.phantom.parameters import FINDINGS, LOBES, MARKERS, SIDES, PhantomParameters

__all__ = [
    "FINDINGS",
    "LOBES",
    "MARKERS",
    "OPACITY_THRESHOLD",
    "SIDES",
    "Phantom",
    "PhantomParameters",
    "generate",
]
