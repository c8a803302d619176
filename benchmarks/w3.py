"""W3: An epoch of small batches, with momentum and with Adam."""

from common import main

if __name__ == "__main__":
    main("W3")
