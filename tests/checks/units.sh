#!/bin/bash
# SPDX-License-Identifier: MIT
#
# systemd has nothing to say against the units, and holtctl, if this build has it, nothing against the example trees. The
# programs that a unit names are stood in for by ones that exist: whether ours are installed there is another question.
set -euo pipefail

BUILD=${BUILD:-build}
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

mkdir "$dir/units"
for unit in units/*.service units/*.socket units/*.target; do
	[ -f "$unit" ] || continue
	sed -E "s#/usr/s?bin/holt(d|ctl)#$(command -v true)#" "$unit" >"$dir/units/${unit#units/}"
done
# a warning alone does not make it fail
systemd-analyze verify --man=no --recursive-errors=no "$dir"/units/* >"$dir/said" 2>&1 || failed=1
sed "s|$dir/||g" "$dir/said"
[ ! -s "$dir/said" ] || failed=1

[ -x "$BUILD/holtctl" ] || exit $failed
cp -r units/examples "$dir/examples" # as root, a file that others may write is refused, which a checkout may be
chmod -R go-w "$dir/examples"
for tree in "$dir"/examples/*.tree; do
	"$BUILD/holtctl" check "$tree" >"$dir/said" 2>&1 || { sed "s|$dir/|units/|g" "$dir/said"; failed=1; }
done
exit $failed
