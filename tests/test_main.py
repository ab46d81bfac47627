import subprocess
import sys

from s2scli import __version__


def test_the_module_is_the_program() -> None:
    command = [sys.executable, "-m", "s2scli", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == (f"s2s {__version__}\n", "")
