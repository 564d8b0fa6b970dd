"""What is kept between runs, durably: baselines, journals, locks, the last run, fast-path evidence."""

from cwsync.state.cache import Evidence, FeatureEvidence, load_evidence, save_evidence
from cwsync.state.document import PairState
from cwsync.state.entries import Commit, Header, Intent, JournalRecord, Receipts
from cwsync.state.journal import Journal, read_journal, retire, unanswered
from cwsync.state.lastrun import LastRun, Unreadable, load_last_run, save_last_run
from cwsync.state.lock import Locks, RunInfo
from cwsync.state.runs import ABANDONED, past_runs, read_past
from cwsync.state.store import PairStore
from cwsync.state.tokens import TokenStore
from cwsync.tokens import Tokens

__all__ = [
    "ABANDONED",
    "Commit",
    "Evidence",
    "FeatureEvidence",
    "Header",
    "Intent",
    "Journal",
    "JournalRecord",
    "LastRun",
    "Locks",
    "PairState",
    "PairStore",
    "Receipts",
    "RunInfo",
    "TokenStore",
    "Tokens",
    "Unreadable",
    "load_evidence",
    "load_last_run",
    "past_runs",
    "read_journal",
    "read_past",
    "retire",
    "save_evidence",
    "save_last_run",
    "unanswered",
]
