"""A wheel carries the recipes and the tested versions. All else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithShipped(build_py):
    """Copies what `edgetune.shipped` finds; an editable installation reads the checkout's own."""

    def run(self) -> None:
        """Build the packages, then add the files."""
        super().run()
        if not self.editable_mode:
            package = Path(self.build_lib) / "edgetune"
            shutil.rmtree(package / "configs", ignore_errors=True)
            shutil.copytree("configs", package / "configs")
            shutil.copy("constraints.txt", package)


setup(cmdclass={"build_py": BuildWithShipped})
