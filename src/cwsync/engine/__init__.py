"""The only part that wires the others together: lock, replay, fetch, plan, guard, journal, apply, confirm, commit."""

from cwsync.engine.auth import LoggedIn, log_in, log_out, login_statuses
from cwsync.engine.check import check
from cwsync.engine.history import past, undo
from cwsync.engine.inspect import explain, pair_status
from cwsync.engine.options import Home, IfLocked, Progress, RunOptions
from cwsync.engine.reset import ResetPreview, preview_reset, reset_state
from cwsync.engine.run import run_pairs
from cwsync.engine.saved import SavedPlan, load_plan, run_saved, save_plan

__all__ = [
    "Home",
    "IfLocked",
    "LoggedIn",
    "Progress",
    "ResetPreview",
    "RunOptions",
    "SavedPlan",
    "check",
    "explain",
    "load_plan",
    "log_in",
    "log_out",
    "login_statuses",
    "pair_status",
    "past",
    "preview_reset",
    "reset_state",
    "run_pairs",
    "run_saved",
    "save_plan",
    "undo",
]
