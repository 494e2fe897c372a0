# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# shellcheck shell=bash
#
# Who is compared with whom, for the scripts of tests/bench that run in a guest.
# Needs lib.sh. SIW_BENCH_TOOLS is where our programs are.

TOOLS=${SIW_BENCH_TOOLS:-$SIW_TOP/build/tools}
MAINLINE=$SIW_TOP/build/mainline/$(uname -r)/siw.ko
OURS=$SIW_KO
OUR_PROVIDER=${SIW_BENCH_PROVIDER:-$SIW_TOP/build/provider/libsiw}

# load_contender NAME: its module, and what makes programs use its provider
load_contender()
{
	local parameters=()

	SIW_PROVIDER=stock
	SIW_KO=$OURS
	case $1 in
	mainline) SIW_KO=$MAINLINE ;;
	ours) parameters=(crc=off) ;;
	ours-crc) parameters=(crc=on) ;;
	ours-provider)
		parameters=(crc=off)
		SIW_PROVIDER=$OUR_PROVIDER
		;;
	*) say "$1: no such contender"; return 1 ;;
	esac
	export SIW_PROVIDER
	load_siw ${parameters[@]+"${parameters[@]}"} && add_links
}

# unload_contender NAME
unload_contender()
{
	wait_for 10 unload_siw || { say "$1: cannot be unloaded"; exit 1; }
}

# tcp_pp OPTIONS: our TCP ping-pong and stream, from h1 to h2
tcp_pp()
{
	on h1 timeout 120 "$TOOLS/tcp_pp" "$@" 10.0.0.2
}

tcp_pp_start()
{
	# not by "on": the process to end later is the program itself
	ip netns exec h2 "$TOOLS/tcp_pp" -s &
	TCP_PP=$!
	wait_for 40 tcp_listens h2 19800
}

tcp_pp_stop()
{
	kill "$TCP_PP"
	wait "$TCP_PP" 2>/dev/null || true
}

# Where figures go; they are of "round" and "mtu", which the caller has.
figures_begin()	# FILE
{
	csv=$1
	failed=0
	echo "round,contender,test,size,mtu,unit,value" > "$csv"
}

# figure CONTENDER TEST SIZE UNIT COMMAND...: one measurement. A command that prints
# several figures has as many TESTs and UNITs, with commas between. What fails twice
# leaves none and, unless it is mainline's, sets "failed".
figure()
{
	local values=() out tests units i try

	IFS=, read -ra tests <<< "$2"
	IFS=, read -ra units <<< "$4"
	for try in 1 2; do
		out=$("${@:5}" 2>> "$PERF_LOG")
		read -ra values <<< "$out"
		# nothing at all is no speed
		[ ${#values[@]} -ne ${#tests[@]} ] ||
			[[ ${values[0]} =~ ^[0.]+$ ]] || break
		say "  $1 $2 $3: failed ($try) $out"
		values=()
	done
	if [ ${#values[@]} -eq 0 ]; then
		[ "$1" = mainline ] || failed=1
		return
	fi
	for i in "${!tests[@]}"; do
		[ "${tests[i]}" != _ ] || continue
		echo "$round,$1,${tests[i]},$3,$mtu,${units[i]},${values[i]}" \
			>> "$csv"
		say "  $1 ${tests[i]} $3 B: ${values[i]} ${units[i]}"
	done
}
