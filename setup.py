"""Maps the rooms, folders at the top level, to ``gristmill.<room>``: nothing else lands in site-packages."""

from setuptools import find_packages, setup

ROOMS = ("pipelines", "filters", "dedup", "tokenizers_lab", "pretrain", "flows")
inside = [f"{room}.{name}" for room in ROOMS for name in find_packages(room)]

setup(
    packages=["gristmill", *(f"gristmill.{name}" for name in (*ROOMS, *inside, "recipes"))],
    package_dir={f"gristmill.{name}": name for name in (*ROOMS, "recipes")},
)
