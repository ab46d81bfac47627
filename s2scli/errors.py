"""The errors that a user can cause, and their exit statuses.

A message is one line: what is wrong, where (file and line, or setting), what was found, and what
is expected or how to fix it. Errors are raised where the value is used and caught once, in
``cli/app.py``.
"""


class S2SError(Exception):
    """The base class of all expected errors; ``exit_status`` is the exit status of the process."""

    exit_status = 1


class UsageError(S2SError):
    """The arguments of a command are wrong or contradict each other."""

    exit_status = 2


class CorpusError(S2SError):
    """A corpus or another input text is malformed."""

    exit_status = 65


class TokenizerError(S2SError):
    """A tokenizer cannot be trained, is damaged or does not match."""

    exit_status = 65


class CheckpointError(S2SError):
    """A checkpoint, a model folder or another artifact is damaged or has a newer format."""

    exit_status = 65


class MissingInputError(S2SError):
    """A file, a folder or an artifact of an earlier step is missing."""

    exit_status = 66


class MissingExtraError(S2SError):
    """An optional package is not installed."""

    exit_status = 69


class DivergedError(S2SError):
    """The loss or the gradients are no longer finite, and training cannot recover."""

    exit_status = 70


class OutOfMemoryError(S2SError):
    """The process ran out of memory."""

    exit_status = 70


class LockedError(S2SError):
    """Another process uses the workspace, or the output already exists."""

    exit_status = 73


class StorageError(S2SError):
    """The disk is full, or reading or writing failed."""

    exit_status = 74


class LostProcessError(S2SError):
    """A process of a run with several has ended; the run can be resumed."""

    exit_status = 75


class ConfigError(S2SError):
    """A recipe or a setting is wrong."""

    exit_status = 78
