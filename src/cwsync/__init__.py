"""cwsync keeps watchlists, ratings, watch history and progress in step between accounts."""

__version__ = "0.1.0"
