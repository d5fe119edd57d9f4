"""A small anatomical chart: the share of the evidence in each zone of the lungs, as SVG. The right lung is on the left,
as on a film. It is drawn the same for every film, so that two can be compared."""

from model_zoo.lungs.regions import HEART, OUTSIDE, UPPER_MEDIASTINUM
from views.shared.figures.style import INK

WIDTH, HEIGHT = 300, 232
_RIGHT = "M112 16 C74 14 38 66 28 128 C22 162 24 182 30 190 C54 174 92 174 114 184 C122 130 122 64 112 16 Z"
# With the heart's notch.
_LEFT = (
    "M188 16 C226 14 262 66 272 128 C278 162 276 182 270 190 C252 178 226 174 208 172 C190 156 182 138 186 118 "
    "C178 84 178 50 188 16 Z"
)
_LUNGS = {"right": (_RIGHT, 78, (1, 2, 3)), "left": (_LEFT, 222, (4, 5, 6))}
# Top, bottom and the height of the text of the upper, middle and lower zones.
_THIRDS = ((10, 72, 54), (72, 130, 106), (130, 196, 160))
_BETWEEN = {UPPER_MEDIASTINUM: (150, 54), HEART: (150, 150)}
# The strongest fill still leaves the text on it readable.
_STRONGEST = 0.7


def lung_zones(shares: dict[int, float], colour: str, ground: str) -> str:
    """shares: regions.shares. colour: of the evidence, "#rrggbb". ground: "light" or "dark"."""
    ink = INK[ground]
    strongest = max(shares.values())
    parts = []
    for lung, (path, x, zones) in _LUNGS.items():
        parts.append(f'<clipPath id="{lung}"><path d="{path}"/></clipPath>')
        for zone, (top, bottom, y) in zip(zones, _THIRDS, strict=True):
            opacity = _STRONGEST * shares[zone] / strongest
            parts.append(
                f'<rect x="0" y="{top}" width="{WIDTH}" height="{bottom - top}" fill="{colour}" '
                f'fill-opacity="{opacity:.2f}" clip-path="url(#{lung})"/>'
            )
            parts.append(_text(x, y, _short(shares[zone]), ink))
        for line in (72, 130):
            parts.append(
                f'<path d="M0 {line} H{WIDTH}" stroke="{ink}" stroke-opacity="0.35" clip-path="url(#{lung})"/>'
            )
        parts.append(f'<path d="{path}" fill="none" stroke="{ink}" stroke-width="1.6"/>')
    parts += [_text(*place, _short(shares[region]), ink, 12) for region, place in _BETWEEN.items()]
    parts.append(_text(20, 14, "R", ink, 12))
    parts.append(_text(WIDTH - 20, 14, "L", ink, 12))
    parts.append(_text(WIDTH // 2, 222, f"outside the lungs and heart: {_short(shares[OUTSIDE])}", ink, 13))
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}</svg>'


def _short(share: float) -> str:
    return "&lt;1%" if 0 < share < 0.005 else f"{share:.0%}"


def _text(x: int, y: int, text: str, ink: str, size: int = 15) -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{ink}" font-family="sans-serif" font-size="{size}" text-anchor="middle">{text}'
        "</text>"
    )
