"""What all charts share. Colours are told apart with any kind of colour vision and are readable on light and dark
ground, which a chart is told as "light" or "dark". What is not set here (fonts, grid colours) is left to Streamlit."""

import altair as alt

RIGHT_COLOUR, WRONG_COLOUR = "#2b7a8c", "#b8591d"
NORMAL_COLOUR, PNEUMONIA_COLOUR = "#2f6fa5", "#bd5a14"
# For text: the theme's own axis labels have less than the contrast of 4.5 that small text needs, other text is black.
INK = {"light": "#3c4a52", "dark": "#c3ced3"}
LINE_COLOUR, QUIET_COLOUR = "#2f93a6", "#828f96"
# Okabe and Ito's without black and yellow, the light ones darker, so that all have a contrast of 3 with both grounds.
COLOURS = ("#0072b2", "#bf8300", "#009e73", "#c9739f", "#3c97cf", "#d55e00", QUIET_COLOUR)

# No colour is needed to tell them apart; one more than there are colours, so that no two of many marks share both.
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")


def in_ink(chart: alt.LayerChart, ground: str) -> alt.LayerChart:
    return chart.configure_axis(labelColor=INK[ground], titleColor=INK[ground])
