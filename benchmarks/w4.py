"""W4: An epoch of a classifier of handwriting's size, with Adam."""

from common import main

if __name__ == "__main__":
    main("W4")
