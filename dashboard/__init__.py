"""The Streamlit dashboard: what a lead and an engineer see."""
