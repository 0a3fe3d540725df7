"""``python -m framework.cli``: the command ``teamspark`` of this interpreter."""

from framework.cli import main

if __name__ == "__main__":
    main()
