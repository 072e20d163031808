"""Logits -> tokens: rules that keep every output valid, and the search that follows them."""

from .rules import Rule, window_rules
from .search import Beam, Decoded, Sampling, Weighed, greedy, search

__all__ = ["Beam", "Decoded", "Rule", "Sampling", "Weighed", "greedy", "search", "window_rules"]
