"""W1b: On-line learning of 10,000 samples in one call."""

from common import main

if __name__ == "__main__":
    main("W1b")
