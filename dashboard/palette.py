"""The colours, light and dark. One accent; the three series stay apart for every kind of colour vision
(blue, ochre and violet in different lightness), and every state has a word or a shape beside its colour."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours by what they are for."""

    paper: str
    card: str
    line: str
    ink: str
    muted: str
    accent: str
    wash: str  # the accent, faint, behind things
    warn: str
    warn_wash: str
    second: str
    third: str

    def variables(self) -> str:
        """As CSS custom properties on :root."""
        return (
            ":root{" + "".join(f"--pf-{name.replace('_', '-')}:{value};" for name, value in asdict(self).items()) + "}"
        )

    @property
    def series(self) -> list[str]:
        """For lines that are told apart by colour."""
        return [self.accent, self.second, self.third]


LIGHT = Palette(
    paper="#FBFAF7", card="#FFFFFF", line="#E7E4DC", ink="#22303B", muted="#667380", accent="#1D6E8C",
    wash="#E6F0F3", warn="#B4532A", warn_wash="#FBEDE5", second="#C98A1B", third="#8467A8",
)  # fmt: skip
DARK = Palette(
    paper="#11161A", card="#192025", line="#2C363D", ink="#E6EAEC", muted="#94A2AC", accent="#62B6D2",
    wash="#1B2F38", warn="#EC946A", warn_wash="#33221B", second="#E5B553", third="#B9A0DA",
)  # fmt: skip


def palette(theme: str | None) -> Palette:
    """For the viewer's theme, "light" or "dark"."""
    return DARK if theme == "dark" else LIGHT
