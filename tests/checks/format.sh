#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every C file is as clang-format 14 leaves it ("make format" does it). Other versions differ in small things, so they
# do not judge.
set -euo pipefail

tool=
for t in clang-format-14 clang-format; do
	if [ -z "$tool" ] && command -v $t >/dev/null && $t --version | grep 'version 14\.' >/dev/null; then
		tool=$t
	fi
done
[ -n "$tool" ] || { echo "clang-format 14 is not installed"; exit 77; }

failed=0
for file in $(tests/checks/files '*.c' '*.h'); do
	if ! difference=$("$tool" "$file" | diff -u --label "$file" --label formatted "$file" - | head -n 20; exit "${PIPESTATUS[1]}"); then
		echo "$difference"
		failed=1
	fi
done
exit $failed
