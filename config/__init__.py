"""Hydra configuration of `pyannote-audio-train`: one folder for each group."""
