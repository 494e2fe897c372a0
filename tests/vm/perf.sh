# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# shellcheck shell=bash
#
# Running perftest and qperf between h1 and h2 and reading their numbers, for
# the demo and the benchmarks. Needs lib.sh.

PERF_PORT=18515
PERF_TIME=${PERF_TIME:-60}
PERF_LOG=${PERF_LOG:-/out/perf.log}

# Mainline siw refuses perftest's wildcard listener when it has two devices.
server_env=(env)
[ -z "${SIW_PERF_BIND:-}" ] ||
	server_env+=("LD_PRELOAD=$SIW_TOP/build/tools/bindaddr.so"
		     SIW_BIND_ADDR=10.0.0.2)

# Who serves whom.
PERF_SERVER=h2
PERF_CLIENT=h1
PERF_ADDR=10.0.0.2

# A host whose device fails Sends of its own now and then, by no fault of its peer
# (interop.rst): PERF_EXCUSED names it, "out" or "served" has what it printed.
perftest_excused()
{
	local words="$out"

	[ "$PERF_SERVER" != "${PERF_EXCUSED:-}" ] || words=$served
	[ -n "${PERF_EXCUSED:-}" ] && [[ $words == *"Bad wc status 2"* ]]
}

# perftest_once PROGRAM [OPTIONS]: one server, one client; the client's output in
# "out". Status 2: the client came when nobody listened; 3: see above.
perftest_once()
{
	local server status=0 served=

	PERF_PORT=$((PERF_PORT + 1))
	on $PERF_SERVER "${server_env[@]}" timeout "$PERF_TIME" "$1" -R -F -p $PERF_PORT "${@:2}" \
		> "$PERF_LOG.server" 2>&1 &
	server=$!
	if ! wait_for 40 tcp_listens $PERF_SERVER $PERF_PORT; then
		say "$1: the server does not listen"
		kill $server 2>/dev/null || true
		return 1
	fi
	out=$(on $PERF_CLIENT timeout "$PERF_TIME" "$1" -R -F \
	      -p $PERF_PORT "${@:2}" "$PERF_ADDR" 2>&1) || status=$?
	if [ $status -eq 0 ]; then
		wait $server || status=200
	else
		echo "client, status $status: $out" >> "$PERF_LOG"
		kill $server 2>/dev/null || true
		wait $server 2>/dev/null || true
	fi
	served=$(cat "$PERF_LOG.server")
	echo "$served" >> "$PERF_LOG"
	[ $status -ne 0 ] || return 0
	[ $status -ne 200 ] || say "$1: the server failed"
	! perftest_excused || return 3
	[[ $out != *"nexpected CM event"* && $out != *CM_EVENT_REJECTED* &&
	   $out != *"Connection refused"* ]] || return 2
	return 1
}

# perftest PROGRAM [OPTIONS]: with rdma_cm. Prints the last line of numbers of
# the client; everything else goes to PERF_LOG. perftest's server closes its
# listener between its two connections: a client that is quick is refused, and
# both have to start again.
perftest()
{
	local out='' tries status

	# shellcheck disable=SC2034 # only counts
	for tries in 1 2 3 4; do
		status=0
		perftest_once "$@" || status=$?
		[ $status -ne 3 ] || say "$1: $PERF_EXCUSED failed its own Send"
		[ $status -eq 2 ] || [ $status -eq 3 ] || break
	done
	[ $status -eq 0 ] || return 1
	printf '%s\n' "$out" >> "$PERF_LOG"
	printf '%s\n' "$out" | grep -E '^ *[0-9]+ +[0-9]+ ' | tail -n 1
}

# lat PROGRAM SIZE ITERATIONS [OPTIONS]: typical (median) latency in microseconds
lat()
{
	local line

	line=$(perftest "$1" -s "$2" -n "$3" "${@:4}") || return
	echo "$line" | awk '{ print $5 }'
}

# bw PROGRAM SIZE SECONDS [OPTIONS]: average bandwidth in MB/s (10^6 bytes)
bw()
{
	local line

	line=$(perftest "$1" -s "$2" -D "$3" --report_gbits "${@:4}") || return
	echo "$line" | awk '{ printf "%.1f\n", $4 * 125 }'
}

# qperf_start: the server for the rest of the script
qperf_start()
{
	on h2 qperf > /dev/null 2>&1 &
	wait_for 40 tcp_listens h2 19765
}

qperf_stop()
{
	on h1 qperf 10.0.0.2 quit > /dev/null 2>&1 || true
}

# tcp_lat SIZE SECONDS: one way, in microseconds, as perftest counts sends
tcp_lat()
{
	on h1 qperf -t "$2" -m "$1" 10.0.0.2 tcp_lat |
		tee -a "$PERF_LOG" |
		awk '/^ *latency / { f = ($4 == "us") ? 1 : ($4 == "ms") ? 1e3 : 1e-3
				 printf "%.2f\n", $3 * f; exit }'
}

# tcp_bw SIZE SECONDS: MB/s (10^6 bytes)
tcp_bw()
{
	on h1 qperf -t "$2" -m "$1" 10.0.0.2 tcp_bw |
		tee -a "$PERF_LOG" |
		awk '/^ *bw / { f = ($4 == "GB/sec") ? 1e3 : ($4 == "MB/sec") ? 1 : 1e-3
			    printf "%.1f\n", $3 * f; exit }'
}
