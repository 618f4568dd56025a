"""Numbers and foreign text as a person reads them."""


def clock(seconds: float) -> str:
    """A duration as on a clock.

    Example:
        >>> clock(7), clock(102.4), clock(3725)
        ('0:07', '1:42', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(seconds: float) -> str:
    """How long ago something was, in its largest unit.

    Example:
        >>> ago(20), ago(60), ago(7300), ago(3e5)
        ('just now', '1 minute ago', '2 hours ago', '3 days ago')
    """
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if count := int(seconds // size):
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return "just now"


def visible(text: str) -> str:
    """The text with control characters as pictures of themselves, so that none reaches the terminal.

    Example:
        >>> visible(f"bold: {chr(27)}[1m")
        'bold: ␛[1m'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else _picture(c) for c in text)


def _picture(control: str) -> str:
    return chr(0x2400 + ord(control)) if ord(control) < 0x20 else "\N{REPLACEMENT CHARACTER}"
