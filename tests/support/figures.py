"""What a long proof ran: lines for a person, kept where `make soak` asks for them."""

from __future__ import annotations

import os
from pathlib import Path


def figure(name: str, text: str) -> None:
    """Note what a proof did (``cut matrix``, ``41 scenarios x 1873 cut points``), if anyone wants to know.

    The file is named by ``CWSYNC_SOAK_REPORT``; each line is appended whole, so several processes may note.
    """
    report = os.environ.get("CWSYNC_SOAK_REPORT")
    if not report:
        return
    descriptor = os.open(Path(report), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, f"{name}: {text}\n".encode())
    finally:
        os.close(descriptor)
