"""A compile worker: `python -m bellrock.compiler.worker`, driven by `pool` over pipes.

Flows in, on standard input: the `Work`, then one `Job` after another, pickled. Flows out, on
standard output: True once it has started, then an outcome or an exception for each job.
"""

from __future__ import annotations

import os
import pickle
import sys


def main() -> None:
    """Serve until the input ends."""
    from bellrock.compiler.pool import compile_one, new_context

    # Whatever prints must not reach the pipe that answers go through.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    work = pickle.load(requests)
    context = new_context()
    pickle.dump(True, answers)
    answers.flush()
    while True:
        try:
            job = pickle.load(requests)
        except EOFError:
            return
        try:
            outcome: object = compile_one(job, work, context)
        except Exception as error:  # noqa: BLE001  (sent to the parent, which raises it)
            outcome = error
        pickle.dump(outcome, answers)
        answers.flush()


if __name__ == "__main__":
    main()
