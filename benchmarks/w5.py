"""W5: An epoch of layers 2048 wide."""

from common import main

if __name__ == "__main__":
    main("W5")
