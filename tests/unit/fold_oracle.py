#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Simple case folding as Python's Unicode data has it (statuses C and S of CaseFolding.txt): what casefold() makes one
character of, and of the others what lower() does. `--table` prints core/text/fold_table.h; without it the mappings on stdin
("HEX HEX" a line, as test_fold prints them) are compared. A later Unicode may fold characters that are new in it."""

import sys
import unicodedata

TABLE_OF = "14.0.0"


def fold(cp):
    c = chr(cp)
    for made in (c.casefold(), c.lower()):
        if len(made) == 1:
            return ord(made)
    return cp


def mappings():
    return dict((cp, fold(cp)) for cp in range(0x80, 0x110000) if not 0xD800 <= cp < 0xE000 and fold(cp) != cp)


def ranges(pairs):
    """(first, last, step, delta): runs of one distance, of each or of every second character."""
    out = []
    for cp, to in sorted(pairs.items()):
        first, last, step, delta = out[-1] if out else (0, 0, 0, 0)
        if out and to - cp == delta and (cp - last == step or (first == last and cp - last in (1, 2))):
            out[-1] = (first, cp, cp - last, delta)
        else:
            out.append((cp, cp, 1, to - cp))
    return out


def print_table():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Printed by tests/unit/fold_oracle.py --table from the data of Unicode %s; do not edit. */" % unicodedata.unidata_version)
    print("/* clang-format off */")
    for first, last, step, delta in ranges(mappings()):
        print("{ 0x%x, 0x%x, %d, %d }," % (first, last, step, delta))


def compare():
    got = dict(tuple(int(x, 16) for x in line.split()) for line in sys.stdin)
    want = mappings()
    exact = unicodedata.unidata_version == TABLE_OF
    wrong = [(cp, got.get(cp, cp), want.get(cp, cp)) for cp in sorted(set(got) | set(want))
             if got.get(cp, cp) != want.get(cp, cp) and (exact or cp in got)]
    for cp, is_, should in wrong[:10]:
        print("U+%04X becomes U+%04X, not U+%04X" % (cp, is_, should))
    print("%d mappings, Unicode %s" % (len(got), unicodedata.unidata_version))
    return 1 if wrong or len(got) < 1300 else 0


if __name__ == "__main__":
    sys.exit(print_table() if sys.argv[1:] == ["--table"] else compare())
