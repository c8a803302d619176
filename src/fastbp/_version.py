# The one place of the version: setuptools reads it from the text of this file, fastbp imports it.
__version__ = "0.1.0"
