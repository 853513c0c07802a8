"""The cost model of the processor: seconds of a choice, term by term; one file a family."""
