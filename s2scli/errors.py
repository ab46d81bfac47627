"""Every error a user can cause, and the exit status each one ends the program with.

A message is one line: what is wrong, where (file and line, or setting), what was found, and
what would be right or what to do. It is raised where the value is used and caught once, in
``cli/app.py``.
"""


class S2SError(Exception):
    """The root of all expected failures; ``exit_status`` is what the shell sees."""

    exit_status = 1


class UsageError(S2SError):
    """The command line asks for something that makes no sense."""

    exit_status = 2


class CorpusError(S2SError):
    """A corpus, or any text given by the user, is not what it should be."""

    exit_status = 65


class TokenizerError(S2SError):
    """A tokenizer cannot be trained, is damaged, or is not the one that is needed."""

    exit_status = 65


class CheckpointError(S2SError):
    """A checkpoint, a model folder or another artifact of ours is damaged or too new."""

    exit_status = 65


class MissingInputError(S2SError):
    """A file, a folder or an earlier step's artifact is not there."""

    exit_status = 66


class MissingExtraError(S2SError):
    """A package that only some commands need is not installed."""

    exit_status = 69


class DivergedError(S2SError):
    """Training met numbers that are not finite and could not recover."""

    exit_status = 70


class OutOfMemoryError(S2SError):
    """Training needs more memory than there is."""

    exit_status = 70


class LockedError(S2SError):
    """Another run is using the workspace, or what would be written is there already."""

    exit_status = 73


class StorageError(S2SError):
    """The disk is full, or reading or writing failed."""

    exit_status = 74


class ConfigError(S2SError):
    """A recipe or a setting is wrong."""

    exit_status = 78
