"""W2: predict, one sample a call from Python."""

from common import main

if __name__ == "__main__":
    main("W2")
