#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The programs in the manual compile as they are printed, without a warning, and those that say so run: they end by
# themselves within ten seconds, with status 0.
#
# A program stands in a page between two comment lines, which the reader of the page does not see:
#
#	.\" example: NAME.c run         (without "run" it is only compiled and linked)
#	.\" end
#
# What roff needs is taken off again: \e is a backslash, \- a minus, \& nothing, \(aq \(ga \(ha \(ti the characters ' ` ^ ~.
set -euo pipefail

BUILD=${BUILD:-build}
work=$BUILD/man-examples
[ -f "$BUILD/libholt.a" ] || { echo "there is no $BUILD/libholt.a yet"; exit 77; }
rm -rf "$work"
mkdir -p "$work"

# Writes each program to $work/NAME.c, and the names of those to be run to $work/run.
awk -v work="$work" '
	function fail(why) { print FILENAME ": " why; bad = 1 }
	FNR == 1 && inside { fail("an example of the page before has no end"); inside = 0 }
	/^\.\\" example: / {
		if (inside)
			fail("an example inside an example")
		inside = 1
		name = $3
		n++
		if (name !~ /^[a-z0-9_-]+\.c$/ || (name in seen) || ($4 != "" && $4 != "run") || NF > 4)
			fail("not a name, a name twice, or an unknown word: " $0)
		seen[name] = 1
		if ($4 == "run")
			print name >(work "/run")
		next
	}
	/^\.\\" end$/ {
		if (!inside)
			fail("an end without an example")
		inside = 0
		close(work "/" name)
		next
	}
	inside {
		gsub(/\\\(aq/, "\047")
		gsub(/\\\(ga/, "`")
		gsub(/\\\(ha/, "^")
		gsub(/\\\(ti/, "~")
		gsub(/\\&/, "")
		gsub(/\\-/, "-")
		gsub(/\\e/, "\001")
		if (/\\/)
			fail("an escape that is not known here: " $0)
		gsub(/\001/, "\\")
		print >(work "/" name)
	}
	END {
		if (inside)
			fail("the last example has no end")
		if (!n)
			fail("no example in any page")
		exit bad
	}
' lib/man/*.[37]

for page in lib/man/*.[37]; do
	grep -q '^\.\\" example: ' "$page" || { echo "$page: shows no program"; exit 1; }
done

read -ra libs < <(${PKG_CONFIG:-pkg-config} --libs libsystemd jansson)
san=()
[ -z "${SAN:-}" ] || san=("-fsanitize=$SAN")
failed=0
for source in "$work"/*.c; do
	name=$(basename "$source" .c)
	library=libholt.a
	! grep -q 'holt_sim_' "$source" || library=libholt-sim.a
	if ! ${CC:-cc} -std=gnu11 -Wall -Wextra -Werror "${san[@]}" -Ilib/include -pthread -o "$work/$name" "$source" "$BUILD/$library" \
		"${libs[@]}"; then
		echo "$name.c: does not compile and link as printed"
		failed=1
		continue
	fi
	grep -qx "$name.c" "$work/run" || continue
	status=0
	# shellcheck disable=SC2086 # the runner may have arguments
	timeout -k 5 10 ${RUNNER:-} "$work/$name" >"$work/$name.out" 2>&1 </dev/null || status=$?
	if [ $status != 0 ]; then
		echo "$name: ended with status $status"
		sed "s/^/    /" "$work/$name.out"
		failed=1
	fi
done
exit $failed
