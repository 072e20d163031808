"""Logits -> tokens: rules that keep every output valid, and the search that follows them."""

from .rules import Rule, window_rules
from .search import Beam, Decoded, Sampling, greedy, search

__all__ = ["Beam", "Decoded", "Rule", "Sampling", "greedy", "search", "window_rules"]
