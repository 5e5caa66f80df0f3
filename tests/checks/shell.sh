#!/bin/bash
# SPDX-License-Identifier: MIT
#
# No script has anything that shellcheck would warn of. A script is a file whose first line calls a shell.
set -euo pipefail

command -v shellcheck >/dev/null || { echo "shellcheck is not installed"; exit 77; }
tests/checks/files | while read -r f; do
	case $(head -c 64 "$f" | head -n 1 | tr -d '\0') in
	'#!'*sh | '#!'*sh' '*) printf '%s\0' "$f" ;;
	esac
done | xargs -0 -r shellcheck
