"""A shim: all metadata is in pyproject.toml; some tools still look for this file."""

from setuptools import setup

setup()
