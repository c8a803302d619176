"""W7: predict of 10,000 rows."""

from common import main

if __name__ == "__main__":
    main("W7")
