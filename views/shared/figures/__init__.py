"""Evidence as Altair charts, one file per subject. Pure functions of tables: no Streamlit, no files."""
