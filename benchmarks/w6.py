"""W6: One batch-learning update over 10,000 samples."""

from common import main

if __name__ == "__main__":
    main("W6")
