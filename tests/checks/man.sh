#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The manual is clean: mandoc has nothing to warn of, and each page says in .TH or .Dt what its file name says.
set -euo pipefail

pages=(lib/man/*.[37] daemon/man/*.[1578])
[ -f "${pages[0]}" ] || { echo "no man pages in lib/man"; exit 1; }

failed=0
for page in "${pages[@]}"; do
	name=$(basename "$page")
	title=$(awk '$1 == ".TH" || $1 == ".Dt" { gsub(/"/, ""); gsub(/\\-/, "-"); print tolower($2) "." $3; exit }' "$page")
	if [ "$title" != "$(echo "$name" | tr '[:upper:]' '[:lower:]')" ]; then
		echo "$page: its title is $title"
		failed=1
	fi
done

command -v mandoc >/dev/null || { [ $failed = 0 ] || exit 1; echo "mandoc is not installed"; exit 77; }
mandoc -Tlint -W warning "${pages[@]}" || failed=1
exit $failed
