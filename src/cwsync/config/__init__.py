"""What the user wrote down, checked: `pairs.toml` and the environment become frozen specs.

Importing this package is cheap: pydantic loads when `load_settings` is called.
"""

from cwsync.config.durations import parse_duration
from cwsync.config.find import find_config, find_state_dir
from cwsync.config.load import load_settings
from cwsync.config.secrets import describe_secret, resolve_secret

__all__ = [
    "describe_secret",
    "find_config",
    "find_state_dir",
    "load_settings",
    "parse_duration",
    "resolve_secret",
]
