"""How large a base is: what is chosen for it where nobody says otherwise follows from that.

A base that was not made for int4 loses by rounding, its table more than all the rest, and it has
megabytes to spare for exactness and none for blobs; a small one, such as nano, was trained with its
own rounding (docs/method.md has figures).
"""

LARGE = 50_000_000
"""Parameters above which a base is large."""


def is_large(parameters: int) -> bool:
    """Whether gptq and a table of 8 bits, halved blobs and rounded activations are the default."""
    return parameters > LARGE
