"""The frame of the app: the list of pages, the notice, the page. A new page is one file and one line here."""

import streamlit as st

from views.shared.frame import arrive, notice

st.set_page_config(page_title="LungLens", page_icon="🫁", layout="wide")
page = st.navigation(
    {
        "Start": [
            st.Page("views/start/home.py", title="Home", icon=":material/home:", default=True),
        ],
        "Explore": [
            st.Page("views/explore/diagnose.py", title="Read an X-ray", icon=":material/radiology:"),
            st.Page("views/explore/methods.py", title="Compare heatmaps", icon=":material/layers:"),
            st.Page("views/explore/folder.py", title="Your own folder", icon=":material/folder_open:"),
        ],
        "Evidence": [
            st.Page("views/evidence/performance.py", title="Performance", icon=":material/monitoring:"),
            st.Page("views/evidence/compare.py", title="Compare models", icon=":material/leaderboard:"),
            st.Page("views/evidence/errors.py", title="Errors", icon=":material/rule:"),
            st.Page("views/evidence/shortcuts.py", title="Shortcuts", icon=":material/alt_route:"),
            st.Page("views/evidence/audit.py", title="Audit of heatmaps", icon=":material/fact_check:"),
            st.Page("views/evidence/training.py", title="Training", icon=":material/show_chart:"),
        ],
        "Learn": [
            st.Page("views/learn/lessons.py", title="Lessons", icon=":material/school:"),
        ],
    }
)
notice()
arrive(page.url_path)
page.run()
