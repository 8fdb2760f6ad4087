// Light or dark: as the system says, until somebody chooses otherwise here.

const THEME = "prefloop.theme";

export function applyTheme() {
  const theme = localStorage.getItem(THEME);
  if (theme) document.documentElement.dataset.theme = theme;
}

export function switchTheme() {
  const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  localStorage.setItem(THEME, now === "dark" ? "light" : "dark");
  applyTheme();
}
