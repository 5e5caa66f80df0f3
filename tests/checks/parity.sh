#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tests/PARITY.md names only tests that exist: each word in backquotes with an underscore that is no function or
# constant of the library is the name of a test in tests/test_*.c.
set -eu

names() { grep -oE '`[a-z0-9]+(_[a-z0-9]+)+`' tests/PARITY.md | tr -d '\140' | grep -v '^holt_' | sort -u; }
tests() { sed -nE 's/^[A-Z_]*(TEST|CLAIM)[A-Z_]*\(([a-z0-9_]+).*/\2/p' tests/test_*.c | sort -u; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# words of others that are explained there, and are no tests
names | grep -vxE 'simple_one_for_one|any_significant|all_significant' >"$work/names"
tests >"$work/tests"
[ -s "$work/names" ] || { echo "tests/PARITY.md names no test"; exit 1; }
missing=$(comm -23 "$work/names" "$work/tests")
[ -z "$missing" ] || { echo "tests/PARITY.md names tests that do not exist:"; echo "$missing"; exit 1; }
