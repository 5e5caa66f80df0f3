#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The example programs that end by themselves do so, well and in time, and say what they are there to show. Only
# what does not depend on the machine's speed is compared. A new example has to be added here, or to those that serve.
set -uo pipefail

BUILD=${BUILD:-build}
serve=' echod ' # until they are told to stop: tested with a manager
failed=0
ran=0

# says NAME LINE...: the example ends with status 0, and each LINE (a regular expression) is a whole line of its output
says()
{
	local name=$1 out status line bad=0
	shift
	known+="$name "
	[ -x "$BUILD/examples/$name" ] || return 0
	ran=$((ran + 1))
	out=$(timeout -k 5 "${EXAMPLE_LIMIT:-30}" "$BUILD/examples/$name" 2>&1 </dev/null)
	status=$?
	if [ $status != 0 ]; then
		echo "$name: ended with status $status"
		bad=1
	fi
	for line; do
		if ! grep -qxE -- "$line" <<<"$out"; then
			echo "$name: did not say: $line"
			bad=1
		fi
	done
	if [ $bad != 0 ]; then
		echo "$name said: $out"
		failed=1
	fi
}

known=$serve
says hello 'hello, world \(3\)' 'hello, moon \(3\)' 'goodbye, all \(0\)'
says fanout 'rome: no answer' 'cairo: here you are' 'oslo: canceled, no longer needed' 'first: cairo'
says pool '(anna|bert|cleo): job 9 done' 'all done, the sum is 45'
says backpressure 'made 20, sold 20' 'on the way at once: at most what has room' 'newest readings kept: 3'
says retry 'try 1: no answer in time' 'answered at try 3' 'the other one: given up'
says chat 'bert has heard all 2000 stories' 'bert is told good night' 'carl has slept through most of it' 'the house is closed: 0'
says heartbeat 'work ends' 'beat ends: its group closes' 'closed: 0'

for source in lib/examples/*.c; do
	name=$(basename "$source" .c)
	case $known in
	*" $name "*) ;;
	*)
		echo "$source: not known to this check"
		failed=1
		;;
	esac
done

[ $failed = 0 ] || exit 1
[ $ran != 0 ] || { echo "no examples in $BUILD/examples yet"; exit 77; }
