"""Folders whose manifest is written last: a folder with a manifest is whole, one without is what a kill left."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a finished folder, or None."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Finish a folder: durable on disk, and there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{MANIFEST}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1, ensure_ascii=False, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / MANIFEST)


@cache
def code_version() -> str:
    """The package's version, and the git commit where it runs from a checkout (`+dirty`: with local changes)."""
    try:
        released = version("prefloop")
    except PackageNotFoundError:
        released = "0"
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = "+dirty" if commit and _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{released}+{commit}{changed}" if commit else released


def _git(*arguments: str) -> str:
    """What git says of this file's checkout; "" where there is none."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
