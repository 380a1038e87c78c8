"""`python -m docwarden`."""

import sys

from docwarden.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
