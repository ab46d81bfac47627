"""The error that becomes the answer to a request."""

GONE = "the client has gone"


class RequestError(Exception):
    """A request that gets an error instead of an answer.

    Attributes:
        status: the HTTP status of the answer.
        message: what is wrong and what is expected; it never quotes a text of the request.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def over(name: str, most: int, found: int) -> RequestError:
    """Return the refusal of a request that exceeds a limit.

    Args:
        name: the name of a setting of `RequestLimits`.
        most: its value.
        found: what the request has.
    """
    return RequestError(413, f"{name}: at most {most:,} here, found {found:,}")
