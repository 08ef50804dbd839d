"""The verbs, one per file, in the order of the data: plan, collect, preserve, assess, track, notify."""
