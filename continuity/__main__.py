"""`python -m continuity`."""

from continuity.cli import main

if __name__ == "__main__":
    main()
