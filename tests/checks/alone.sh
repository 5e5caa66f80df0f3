#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The project stands alone: no file names a folder of the machine or the workplace it was written on, a document
# that is not here, or the host of a package registry. (Written so that it does not find itself.)
set -euo pipefail

words=(
	'[.][.]/shared'
	'(^|[^a-zA-Z0-9_.-])/work[/]'
	'(^|[^a-zA-Z0-9_.-])/root[/]'
	'/home/[a-z]+[/]'
	'(^|[^a-z])contract[/]'
	'design[.]md|style[.]md|peers[.]md|testbed[.]md'
	'deb[.]debian[.]org|pypi[.]org|registry[.]npmjs|crates[.]io|proxy[.]golang'
)
expression=$(IFS='|'; echo "${words[*]}")

bad=$(tests/checks/files | tr '\n' '\0' | xargs -0 grep -nEI "$expression" || true)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
