#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The top level holds what it should and nothing else, and building leaves nothing outside build/. In CI every file
# must also be known to git: there, whatever is new was written by a build or a test.
set -euo pipefail

failed=0
for entry in $(find . -mindepth 1 -maxdepth 1 -not -name '.*' | sed 's|^\./||' | sort); do
	case $entry in
	build | daemon | lib | units | tests | packaging | Makefile | README.md | LICENSE) ;;
	*) echo "$entry: has no place at the top level"; failed=1 ;;
	esac
done

litter=$(find . \( -path ./.git -o -path ./build \) -prune -o \( -name '*.[oda]' -o -name '*.so' -o -name '*.so.[0-9]*' -o -name '*.gc??' \
	-o -name core -o -name 'core.[0-9]*' -o -name '*.log' -o -name '*.orig' -o -name '*.rej' -o -name '*~' \
	-o -name '*.pyc' -o -name 'vgcore.*' \) -print)
if [ "${CI:-}" = true ] && git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	litter=$(printf '%s\n%s' "$litter" "$(git ls-files --others --exclude-standard)")
fi
for file in $litter; do
	echo "$file: written outside build/"
	failed=1
done
exit $failed
