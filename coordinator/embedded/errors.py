"""What may go wrong with the embedded servers, in words for the person who started them."""


class EmbeddedError(Exception):
    """The embedded servers cannot be started or used; the message says what to do."""
