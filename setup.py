"""Refuses to put this project's rooms, whose names are general words, among installed packages."""

import sys

from setuptools import setup

if {"bdist_wheel", "install"} & set(sys.argv):
    sys.exit(
        "neubay-jax runs from its checkout, where its configurations are: install it with"
        " `pip install -e .`, not with `pip install .`"
    )
setup()
