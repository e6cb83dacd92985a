"""Runs: shards, sums that join to the same bits, statistics, and whole studies in one call."""
