"""May this call run, and what did it cost: the one path that all products use.

Owns admission_changes and admission_centres; it joins keys, plans and metering. The core decides without a look at
anything; the gatehouse brings it what it lacks. Whatever was served is on record before its answer ends: with its
effect, or in this process's journal, which the shipper carries to the usage log exactly once.
"""
