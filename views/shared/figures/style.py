"""What all charts share. Colours are told apart with any kind of colour vision and are readable on light and dark
ground, which a chart is told as "light" or "dark". What is not set here (fonts, grid colours) is left to Streamlit."""

import altair as alt

RIGHT_COLOUR, WRONG_COLOUR = "#2b7a8c", "#b8591d"
# For text: the theme's own axis labels have less than the contrast of 4.5 that small text needs, other text is black.
INK = {"light": "#3c4a52", "dark": "#c3ced3"}
LINE_COLOUR, QUIET_COLOUR = "#2f93a6", "#8a979e"
# Okabe and Ito's, without the black and the yellow that one of the grounds swallows.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a979e")


def in_ink(chart: alt.LayerChart, ground: str) -> alt.LayerChart:
    return chart.configure_axis(labelColor=INK[ground], titleColor=INK[ground])
