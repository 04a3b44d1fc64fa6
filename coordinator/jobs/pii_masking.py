"""What of a finding is shown in a result: enough to find it again, too little to know whose it is.

| kind        | shown                                                            |
|-------------|------------------------------------------------------------------|
| email       | first and last character of the local part, if it has 4 or more  |
| phone       | the last two digits                                              |
| card        | the last four digits                                             |
| iban        | the country and the last two characters                          |
| ip          | the first number of an IPv4 address, nothing of others           |
| national id | the last two characters                                          |
| name        | nothing                                                          |
"""

from typing import Final

from coordinator.domain import pii_kinds as kinds

_HIDDEN: Final = "***"
_SHOWN_LOCAL: Final = 4


def masked(kind: str, text: str) -> str:
    """Return the finding as it is shown.

    >>> masked("email", "jane.doe@example.org"), masked("card", "4111 1111 1111 1234")
    ('j***e@***', '***1234')
    >>> masked("iban", "DE89 3704 0044 0532 0130 00"), masked("ip", "192.0.2.7")
    ('DE***00', '192.***')

    """
    solid = "".join(filter(str.isalnum, text))
    match kind:
        case kinds.EMAIL:
            local = text.rpartition("@")[0]
            shown = f"{local[0]}{_HIDDEN}{local[-1]}" if len(local) >= _SHOWN_LOCAL else _HIDDEN
            return f"{shown}@{_HIDDEN}"
        case kinds.CARD:
            return f"{_HIDDEN}{solid[-4:]}"
        case kinds.IBAN:
            return f"{solid[:2]}{_HIDDEN}{solid[-2:]}"
        case kinds.IP:
            first, dot, _ = text.partition(".")
            return f"{first}.{_HIDDEN}" if dot and first.isdigit() else _HIDDEN
        case kinds.NAME:
            return _HIDDEN
        case _:
            return f"{_HIDDEN}{solid[-2:]}"
