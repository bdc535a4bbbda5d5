"""`python -m operations`, which `./pf` runs."""

from operations.cli import main

if __name__ == "__main__":
    main()
