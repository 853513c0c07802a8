"""Baselines that come with Bellrock; others arrive by entry point (see `bench.baseline`)."""
