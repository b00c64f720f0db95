"""A filter for the kernel: of all packets of a machine, those that have to do with few addresses.

What other programs and other machines say is nobody's business, so it is refused before
it reaches this process at all. The language is classic BPF (McCanne and Jacobson, "The
BSD Packet Filter", 1993), the offsets are those of a packet that begins with its IP
header. The filter is coarse, as it must be short: whoever reads looks again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_ADDRESSES = 64

_LOAD_BYTE, _LOAD_WORD = 0x30, 0x20  # from a fixed offset
_LOAD_BYTE_X, _LOAD_WORD_X = 0x50, 0x40  # from an offset beyond the register X
_LOAD_X_HEADER = 0xB1  # into X: the length of the IPv4 header at an offset
_SHIFT_RIGHT = 0x74
_IF_EQUAL, _IF_BITS, _JUMP = 0x15, 0x45, 0x05
_RETURN = 0x06

_ICMP, _ICMPV6 = 1, 58
_UNREACHABLE, _EXPIRED, _BAD_HEADER = 3, 11, 12  # RFC 792; ICMPv6 errors are those below 128


class Instruction(NamedTuple):
    """*yes* and *no*: how many instructions to skip where a test holds or not."""

    code: int
    yes: int
    no: int
    value: int


def packets_of(addresses: Iterable[str], *, keep: int) -> list[Instruction]:
    """Let pass what goes to *addresses*, comes from them, or is an ICMP error that quotes a
    packet sent to them: the first *keep* bytes of each.

    Raises ValueError for more than `MAX_ADDRESSES`. IPv6 addresses are told apart by their
    last 32 bits.
    """
    packed = [ipaddress.ip_address(address).packed for address in addresses]
    if len(packed) > MAX_ADDRESSES:
        raise ValueError(f"more than {MAX_ADDRESSES} addresses")
    four = sorted({int.from_bytes(a) for a in packed if len(a) == 4})
    six = sorted({int.from_bytes(a[12:]) for a in packed if len(a) == 16})
    program_4, program_6 = _version_4(four, keep), _version_6(six, keep)
    return [
        _do(_LOAD_BYTE, 0),
        _do(_SHIFT_RIGHT, 4),
        Instruction(_IF_EQUAL, 0, 1, 4),
        _do(_JUMP, 3),
        Instruction(_IF_EQUAL, 0, 1, 6),
        _do(_JUMP, 1 + len(program_4)),
        _do(_RETURN, 0),
        *program_4,
        *program_6,
    ]


def _version_4(addresses: Sequence[int], keep: int) -> list[Instruction]:
    errors = [
        _do(_LOAD_X_HEADER, 0),
        _do(_LOAD_BYTE_X, 0),
        Instruction(_IF_EQUAL, 3, 0, _UNREACHABLE),
        Instruction(_IF_EQUAL, 2, 0, _EXPIRED),
        Instruction(_IF_EQUAL, 1, 0, _BAD_HEADER),
        _do(_RETURN, 0),
        _do(_LOAD_WORD_X, 8 + 16),  # the destination of the packet quoted
        *_any_of(addresses, keep),
        _do(_RETURN, 0),
    ]
    return [
        _do(_LOAD_BYTE, 9),
        Instruction(_IF_EQUAL, 0, 1, _ICMP),
        _do(_JUMP, 1),
        _do(_JUMP, len(errors)),
        *errors,
        *_either_end(12, 16, addresses, keep),
    ]


def _version_6(addresses: Sequence[int], keep: int) -> list[Instruction]:
    errors = [
        _do(_LOAD_BYTE, 40),
        Instruction(_IF_BITS, 0, 1, 0x80),
        _do(_RETURN, 0),
        _do(_LOAD_WORD, 40 + 8 + 36),
        *_any_of(addresses, keep),
        _do(_RETURN, 0),
    ]
    return [
        _do(_LOAD_BYTE, 6),
        Instruction(_IF_EQUAL, 0, 1, _ICMPV6),
        _do(_JUMP, 1),
        _do(_JUMP, len(errors)),
        *errors,
        *_either_end(20, 36, addresses, keep),
    ]


def _either_end(
    source: int, destination: int, addresses: Sequence[int], keep: int
) -> list[Instruction]:
    return [
        _do(_LOAD_WORD, source),
        *_any_of(addresses, keep),
        _do(_LOAD_WORD, destination),
        *_any_of(addresses, keep),
        _do(_RETURN, 0),
    ]


def _any_of(values: Sequence[int], keep: int) -> list[Instruction]:
    # Each test has its own way out: a conditional jump reaches 255 instructions at most.
    return [
        instruction
        for value in values
        for instruction in (Instruction(_IF_EQUAL, 0, 1, value), _do(_RETURN, keep))
    ]


def _do(code: int, value: int) -> Instruction:
    return Instruction(code, 0, 0, value)
