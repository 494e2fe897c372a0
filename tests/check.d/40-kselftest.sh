#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# check: each-kernel
# check: guest
# check: time-limit 4500
#
# tests/kselftest by kselftest's own runner, in one guest per kernel, with one
# provider or both.

set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
linux=$(tests/style/linux-scripts)
dir=$top/build/kselftest

# The layout that kselftest_install.sh makes.
(
	flock 9
	mkdir -p "$dir/siw"
	make -s -C tests/kselftest OUTPUT="$dir/siw" all >&2
	make -s ktest KVER="$KVER" SIW_NO_DEPS=1 >&2
	cp -rT "$linux/tools/testing/selftests/kselftest" "$dir/kselftest"
	cp "$linux/tools/testing/selftests/run_kselftest.sh" "$dir/"
	for t in "$dir"/siw/*.sh; do
		t=${t##*/}
		[ "$t" = lib.sh ] || [ ! -e "tests/kselftest/$t" ] || echo "siw:$t"
	done > "$dir/kselftest-list.txt"
) 9> "$top/build/kselftest.lock"

# All of it is too long for every day: each provider on one of the kernels, and
# long scripts that know no kernel on the other one, unless SIW_PROVIDERS says
# otherwise ("make check-guest" has everything on both).
if [ -z "${SIW_PROVIDERS:-}" ]; then
	case $KVER in
	6.1.*)
		SIW_PROVIDERS=stock
		SIW_ELSEWHERE="markers.sh many.sh netfault.sh"
		SIW_ELSEWHERE+=" tools.sh/1500-ipv6 tools.sh/9000-ipv4"
		;;
	*)
		SIW_PROVIDERS=$top/build/provider/libsiw
		SIW_ELSEWHERE="9p.sh counters.sh iser.sh lifecycle.sh nfs.sh"
		SIW_ELSEWHERE+=" ofi.sh"
		SIW_ELSEWHERE+=" tools.sh/1500-ipv4 tools.sh/9000-ipv6"
		case $KVER in *-siw-*) SIW_ELSEWHERE= ;; esac
		;;
	esac
	export SIW_PROVIDERS SIW_ELSEWHERE
fi

case $KVER in
*-siw-*) ;;
*)
	exec tests/vm/run --kver "$KVER" --time-limit 4400 \
		--name "kselftest-$KVER" --nics -- tests/vm/kselftest "$dir"
	;;
esac

# A debug kernel takes hours. Each script has a guest of its own there, so that one that
# is lost takes no other with it, and two CPUs have something to do.
logs=$top/build/check/kselftest-${KVER##*-}
mkdir -p "$logs"
rm -f "$logs"/*
export dir logs
# shellcheck disable=SC2317 # xargs comes here
one()	# siw:SCRIPT
{
	local name=${1#siw:} rc=0

	tests/vm/run --kver "$KVER" --time-limit 1200 --name "$KVER-$name" --nics \
		-- tests/vm/kselftest "$dir" -t "$1" > "$logs/$name" 2>&1 || rc=$?
	echo "$rc" > "$logs/$name.rc"
}
export -f one
xargs -P 2 -I '{}' bash -c 'one {}' < "$dir/kselftest-list.txt"
echo "TAP version 13"
n=0
failed=0
while IFS=: read -r _ name; do
	n=$((n + 1))
	sed 's/^/# /' "$logs/$name"
	if [ "$(cat "$logs/$name.rc")" = 0 ]; then
		echo "ok $n $name"
	else
		echo "not ok $n $name"
		failed=1
	fi
done < "$dir/kselftest-list.txt"
echo "1..$n"
exit $failed
