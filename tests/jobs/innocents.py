"""What stands in data sets and is nobody's, made up for tests. Nothing of the scanner is used."""

import uuid
from random import Random

from tests.jobs.planting import digits


def innocent(random: Random) -> str:
    """Make one: a number of an order, a date, a version, a hash, a price, a place."""
    make = random.choice((_numbers, _dates, _versions, _hashes, _texts))
    return random.choice(make(random))


def _numbers(random: Random) -> tuple[str, ...]:
    n = random.randrange
    return (
        f"order {digits(random, random.choice((8, 9, 10, 11, 12)), '123456789')}",
        f"ORD-2024-{n(10**6):06}",
        f"ORD-2401{n(1, 29):02}-{n(10**4):04}",
        f"#{n(10**7)}",
        f"SKU-{digits(random, 8)}-XL",
        f"1Z999AA1{digits(random, 10)}",
        f"1{digits(random, 17)}",
        repr(random.random()),
        repr(random.random() * 10**9),
        f"{n(10**6):,}.00 EUR",
        f"{n(100, 999)} {n(100, 999)} {n(100, 999)}",
    )


def _dates(random: Random) -> tuple[str, ...]:
    n = random.randrange
    month, day = f"{n(1, 13):02}", f"{n(1, 29):02}"
    time = f"{n(24):02}:{n(60):02}:{n(60):02}"
    return (
        f"2024-{month}-{day}T{time}Z",
        f"2024-{month}-{day} {time}.{n(10**6):06}",
        f"2024{month}{day} {time.replace(':', '')}",
        f"{day}.{month}.2024",
        f"{month}/{day}/2024",
        f"{day}-{month}-2024 {time}",
        f"17{digits(random, 11)}",
        f"17{digits(random, 8)}",
        "2021 2022 2023",
        f"{n(2000, 2030)} {n(99)}",
        time,
    )


def _versions(random: Random) -> tuple[str, ...]:
    n = random.randrange
    return (
        f"v{n(9)}.{n(30)}.{n(99)}",
        f"v{n(9)}.{n(30)}.{n(9)}.{n(99)}",
        f"version {n(9)}.{n(30)}.{n(9)}.{n(99)}",
        f"Chrome/{n(99, 130)}.0.{n(1000, 6999)}.{n(200)}",
        f"Tool/{n(9)}.{n(30)}.{n(9)}.{n(99)}",
        f"10.0.{n(10_000, 30_000)}",
        f"2.5.4.{n(99)}.{n(99)}.1",
    )


def _hashes(random: Random) -> tuple[str, ...]:
    bits = random.getrandbits
    return (
        str(uuid.UUID(int=bits(128), version=4)),
        f"{bits(160):040x}",
        f"{bits(28):07x}",
        f"{bits(256):064X}",
        f"{bits(48):012x}",
        ":".join(f"{bits(8):02x}" for _ in range(6)),
    )


def _texts(random: Random) -> tuple[str, ...]:
    n = random.randrange
    return (
        f"std::vector<int>::at({n(99)})",
        f"x[{n(9)}::2]",
        "Bad::Cab",
        "a @ b",
        "@someone",
        "foo@bar",
        f"https://example.org/p/{n(10**8)}?page={n(99)}",
        f"lat {n(90)}.{n(10**6):06}, lon -{n(180)}.{n(10**6):06}",
        f"{n(9)}:{n(60):02} h, {n(99)} % of {n(10**5)}",
    )
