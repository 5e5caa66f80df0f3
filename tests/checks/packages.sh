#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the packages say twice is the same: debian/libholt0.symbols lists what the library exports, and each version is the
# Makefile's. That file is written by hand, a line for each new function with the version that brings it, since it is the
# memory of the ABI: before 1.0 a line may go only together with the soname, after it none may.
set -euo pipefail

BUILD=${BUILD:-build}
symbols=packaging/debian/libholt0.symbols
version=$(sed -n 's/^VERSION := //p' Makefile)
failed=0

# same WHAT VALUE: or it says so
same()
{
	[ "$2" = "$version" ] || { echo "$1 says version $2, the Makefile $version"; failed=1; }
}
same packaging/debian/changelog "$(sed -n '1s/^holt (\(.*\)) .*/\1/p' packaging/debian/changelog)"
same packaging/holt.spec "$(sed -n 's/^Version: *//p' packaging/holt.spec)"

while read -r line; do
	echo "$symbols lacks the line: $line@HOLT_0 $version"
	failed=1
done < <(comm -13 <(sed -n 's/^ \(holt_.*\)@.*/\1/p' "$symbols" | sort) <(sort "$BUILD/exports"))
while read -r line; do
	echo "$symbols lists $line, which is not exported"
	failed=1
done < <(comm -23 <(sed -n 's/^ \(holt_.*\)@.*/\1/p' "$symbols" | sort) <(sort "$BUILD/exports"))
exit $failed
