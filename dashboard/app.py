"""The dashboard's frame: theme, navigation, whose key is used, and the page. Start it with `python -m dashboard`."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from dashboard import session, sign_in

HERE = Path(__file__).parent
PAGES = [
    ("loop.py", "Loop", "all_inclusive"),
    ("annotators.py", "Annotators", "group"),
    ("quarantine.py", "Quarantine", "shield_person"),
    ("gold.py", "Gold", "workspace_premium"),
    ("calibration.py", "Calibration", "balance"),
    ("quality.py", "Quality", "verified"),
    ("causes.py", "Causes", "troubleshoot"),
    ("vendors.py", "Vendors", "compare_arrows"),
    ("cost.py", "Cost", "savings"),
    ("batches.py", "Data", "stacks"),
    ("models.py", "Models", "model_training"),
    ("system.py", "System", "monitor_heart"),
]


def style() -> None:
    """Colours as CSS variables, then the style sheet that uses them."""
    sheet = (HERE / "style.css").read_text(encoding="utf-8")
    st.html(f"<style>{session.colours().variables()}{sheet}</style>")


def logo() -> str:
    """The word mark, in the colours of the viewer's theme."""
    colours = session.colours()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="132" height="28" viewBox="0 0 132 28">'
        f'<path d="M8 8a6 6 0 1 0 0 12c5 0 7-12 12-12a6 6 0 1 1 0 12c-5 0-7-12-12-12z" fill="none" '
        f'stroke="{colours.accent}" stroke-width="2.6"/><text x="36" y="20.5" font-family="system-ui, '
        f'sans-serif" font-size="20" font-weight="650" fill="{colours.ink}">prefloop</text></svg>'
    )


def account() -> None:
    """Whose key is used, and the way out."""
    me = session.identity().value or {}
    name, role = me.get("name") or "This key", me.get("role", "not known yet")
    st.html(f'<div class="pf-who">Signed in as<br><b>{escape(str(name))}</b><br>{escape(str(role))}</div>')
    if st.button("Sign out", key="sign-out", icon=":material/logout:", type="tertiary"):
        session.sign_out()
        st.rerun()


def main() -> None:
    """One run of the script: a viewer opened a page or acted."""
    st.set_page_config(page_title="prefloop", page_icon=str(HERE / "mark.svg"), layout="wide")
    style()
    st.logo(logo(), size="large")
    signed_in = bool(session.key())
    page = st.navigation(
        [st.Page(HERE / "views" / file, title=title, icon=f":material/{icon}:") for file, title, icon in PAGES],
        position="sidebar" if signed_in else "hidden",
    )
    if not signed_in:
        sign_in.show()
        return
    with st.sidebar:
        account()
    page.run()


main()
