"""`python -m bellrock`: the command line, where the console script is not on the path.

Flows in: words of the command line. Flows out: an exit code.
"""

import sys

from bellrock.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
