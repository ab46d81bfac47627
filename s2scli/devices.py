"""The names of devices: auto, cpu, cuda and cuda:N."""

import re

from s2scli.errors import ConfigError


def choose_device(name: str, gpus: int, library: str) -> str:
    """Resolve a device name to cpu, cuda or cuda:N.

    Args:
        name: the device name; auto chooses a GPU if there is one.
        gpus: the number of GPUs.
        library: the name of the library that counted the GPUs, for the error message.

    Raises:
        ConfigError: the device does not exist.
    """
    if name == "auto":
        return "cuda" if gpus else "cpu"
    if name == "cpu":
        return name
    named = re.fullmatch(r"cuda(?::(\d{1,3}))?", name)
    if named and int(named[1] or 0) < gpus:
        return name
    found = f"{library} finds {gpus or 'no'} GPU{'s' * (gpus > 1)} to use" if named else "unknown"
    raise ConfigError(f"--device {name}: {found}; choose auto, cpu, cuda or cuda:N")
