"""The Monte Carlo API: workbooks and models, runs and their results as stored things.

Owns: models, runs, run_shards, customer_turns, discarded_blobs.
Rules: a model or run of another customer or of the other mode is not there; what is uploaded is parsed in
a child process with limits, never here; a run is cut in shards, and customers share the workers by the
weight of their plan; the results of a run are the same whatever the sharding; a file is written before the
row that names it, and deleted after the row that named it.
"""
