#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each public header stands alone: it compiles as the only line of a program, twice in a row, in C by gcc and clang
# and in C++, with warnings as errors and without any macro that a user would have to know.
set -euo pipefail

warn=(-Wall -Wextra -Werror -Wundef -fsyntax-only -Ilib/include)
ways=("${CC:-cc} -x c -std=gnu11 -Wstrict-prototypes" "${CXX:-c++} -x c++ -std=c++17")
command -v clang >/dev/null && ways+=("clang -x c -std=gnu11 -Wstrict-prototypes")
failed=0
seen=0

for header in lib/include/*.h lib/include/holt/*.h; do
	[ -f "$header" ] || continue
	seen=$((seen + 1))
	name=${header#lib/include/}
	for way in "${ways[@]}"; do
		# shellcheck disable=SC2086 # a command with its arguments
		if ! printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$name" "$name" | $way "${warn[@]}" -; then
			echo "<$name> does not stand alone in: $way"
			failed=1
		fi
	done
done
[ $seen != 0 ] || { echo "no public headers in lib/include"; exit 1; }
exit $failed
