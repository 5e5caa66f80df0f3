#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The shared library exports exactly what the public headers declare, each function that a header declares is marked
# for export, and each is named in a man page. (holt_auto_KIND, called by the compiler only, stand under holt_auto.)
set -euo pipefail

BUILD=${BUILD:-build}
library=$BUILD/libholt.so.0
public=$(find lib/include -name '*.h' | grep -v '^lib/include/holt\.h$' | sort)
failed=0

[ -n "$public" ] || { echo "no public headers in lib/include"; exit 1; }

# say SENTENCE: what comes on standard input is wrong in this way
say()
{
	local name
	while read -r name; do
		echo "$name: $1"
		failed=1
	done
}

# shellcheck disable=SC2086 # lists
{
	declared=$(tests/checks/declared all $public)
	marked=$(tests/checks/declared exported $public)
}
exported=$(${NM:-nm} -D --defined-only "$library" | awk '$2 ~ /[A-Z]/ && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u)

say "declared in a public header without HOLT_EXPORT" < <(comm -23 <(echo "$declared") <(echo "$marked"))
say "declared, but not exported by $library" < <(comm -23 <(echo "$marked") <(echo "$exported"))
say "exported by $library, but declared in no public header" < <(comm -13 <(echo "$marked") <(echo "$exported"))

manual=$(cat lib/man/*.[37] 2>/dev/null | sed 's/\\-/-/g; s/\\&//g' | grep -oE 'holt_[a-z0-9_]+' | sort -u || true)
wanted=$(echo "$marked" | sed 's/^holt_auto_.*/holt_auto/' | sort -u)
say "named in no man page of lib/man" < <(comm -23 <(echo "$wanted") <(echo "$manual"))

exit $failed
