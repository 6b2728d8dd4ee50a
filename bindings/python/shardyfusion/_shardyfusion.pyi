"""What shardyfusion asks of the C library."""

def version() -> str:
    """The version of the C library inside."""
