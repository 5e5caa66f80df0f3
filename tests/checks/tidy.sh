#!/bin/bash
# SPDX-License-Identifier: MIT
#
# clang-tidy finds nothing in lib/ and daemon/ (what it looks for is in .clang-tidy). Slow, so not part of "make check".
set -euo pipefail

command -v clang-tidy >/dev/null || { echo "clang-tidy is not installed"; exit 77; }
tests/checks/files 'lib/*' 'daemon/*' | grep '\.c$' | tr '\n' '\0' |
	xargs -0 -r -n 4 -P "${JOBS:-2}" sh -c 'clang-tidy --quiet "$@" -- -std=gnu11 -D_GNU_SOURCE= -I. -Ilib -Ilib/include' sh
