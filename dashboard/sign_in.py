"""Sign-in with the person's own key, which stays in this session: never in the address, a cookie or a log."""

from __future__ import annotations

import streamlit as st

from dashboard import session, wording
from dashboard.client import RefusedError
from streams.errors import UnavailableError


def show() -> None:
    """The sign-in card."""
    _, middle, _ = st.columns([1, 1.15, 1])
    with middle:
        st.html(
            '<div style="height:11vh"></div><div class="pf-head"><div><h1>Welcome to prefloop</h1>'
            "<p>See the loop run: outputs, judgments, preferences, models.</p></div></div>"
        )
        if reason := st.session_state.get("signed_out"):
            st.html('<div class="pf-away"><b>You were signed out.</b></div>')
            st.caption(reason)
        _form()
        with st.expander("Where is my key?"):
            st.markdown("The first start of `prefloop up` prints the admin key once. Make one for each person with it:")
            st.code(session.pasted("prefloop keys add 'Your name' --role lead"), language="bash")
            st.markdown("**lead** watches quality and people, **engineer** batches and models, **admin** everything.")


def _form() -> None:
    with st.form("sign-in"):
        secret = st.text_input("Your key", type="password", placeholder="plk_…", key="secret")
        pressed = st.form_submit_button("Sign in", type="primary", width="stretch")
    if pressed and secret.strip():
        _try(secret.strip())
    elif pressed:
        st.warning("Paste your key first; it begins with plk_.", icon=":material/key:")


def _try(secret: str) -> None:
    try:
        session.sign_in(secret)
    except RefusedError as error:
        st.error(f"{wording.sentence(str(error))}. {wording.sentence(error.mend)}".strip(), icon=":material/key_off:")
    except UnavailableError:
        st.html(
            '<div class="pf-away"><b>The service does not answer just now.</b> <span>Your key was not '
            "checked; try again in a moment. Is <code>prefloop up</code> running?</span></div>"
        )
    else:
        st.rerun()
