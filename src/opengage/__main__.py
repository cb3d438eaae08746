"""`python -m opengage`: the same as the `opengage` command."""

from opengage.cli import main

if __name__ == "__main__":
    main()
