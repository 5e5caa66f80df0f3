#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every file says its license within its first three lines. Exceptions: the license itself, and files whose
# format has no comments.
set -euo pipefail

bad=$(
	tests/checks/files | grep -v -x -e LICENSE -e 'packaging/debian/source/.*' -e 'packaging/debian/changelog' \
		-e 'tests/fuzz/.*corpus/.*' -e '.*\.json' | while read -r f; do
		head -n 3 "$f" | grep -a 'SPDX-License-Identifier: MIT' >/dev/null || echo "$f: no SPDX line"
	done
)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
