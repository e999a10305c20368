"""The benchmarks: our speed as ratios against a peer, both measured in the same run.

Run them with ``python dev.py bench`` or ``python -m benchmarks``; ``docs/benchmarks.md`` says what
each figure means.
"""
