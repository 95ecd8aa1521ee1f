"""Damages of files, by chance: what disks, networks and editors do to bytes."""

import random


def flip(content, rng):
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)


def replace(content, rng):
    start, size = _block(content, rng, 8)
    content[start : start + size] = rng.randbytes(size)


def delete(content, rng):
    start, size = _block(content, rng, 64)
    del content[start : start + size]


def insert(content, rng):
    start, size = _block(content, rng, 64)
    content[start:start] = rng.choice([rng.randbytes(size), bytes(size), b"\n", b" "])


def truncate(content, rng):
    del content[rng.randrange(len(content)) :]


def repeat(content, rng):
    start, size = _block(content, rng, len(content))
    content[start:start] = content[start : start + size]


def swap_blocks(content, rng):
    size = rng.randint(1, max(1, len(content) // 2))
    one, other = sorted(rng.randint(0, len(content) - size) for _ in range(2))
    if one + size <= other:
        first, second = content[one : one + size], content[other : other + size]
        content[one : one + size], content[other : other + size] = second, first


def zero(content, rng):
    start, size = _block(content, rng, 512)
    content[start : start + size] = bytes(len(content[start : start + size]))


def lines(content, rng):
    """Swap, repeat or drop lines."""
    all_lines = content.splitlines(keepends=True)
    one, other = (rng.randrange(len(all_lines)) for _ in range(2))
    match rng.randrange(3):
        case 0:
            all_lines[one], all_lines[other] = all_lines[other], all_lines[one]
        case 1:
            all_lines.insert(other, all_lines[one])
        case 2:
            del all_lines[one]
    content[:] = b"".join(all_lines)


def _block(content, rng, largest):
    return rng.randrange(len(content)), rng.randint(1, max(1, largest))


KINDS = (flip, replace, delete, insert, truncate, repeat, swap_blocks, zero, lines)


def damaged(content, seed):
    """Give a copy with one to three damages; the beginning, where headers are, gets its share."""
    rng = random.Random(seed)
    copy = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 3])):
        if not copy:
            break
        if rng.random() < 0.2:
            place = rng.randrange(min(16, len(copy)))
            copy[place] = rng.randrange(256)
        else:
            rng.choice(KINDS)(copy, rng)
    return bytes(copy)
