"""The cost model of Intel GPUs: seconds of a choice, term by term; one file a family."""
