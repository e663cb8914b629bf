# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# tallyd in the background on conf/quickstart.yaml: build, start, play the sample once, say how to talk to it.
# State is under var/: tally/ (the daemon's), tallyd.pid, tallyd.log.

conf=conf/quickstart.yaml
pidfile=var/tallyd.pid
logfile=var/tallyd.log
ready_s=60 # for /readyz to be 200
stop_s=60  # for TERM to be obeyed

address=$(sed -n 's/^listen: *//p' $conf)
port=${address##*:}
url=http://$address

# The pid of our daemon, if it runs: a pid file alone proves nothing.
running_pid() {
	local pid
	pid=$(cat $pidfile 2>/dev/null) && [ -n "$pid" ] || return 1
	[ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(pwd -P)" ] || return 1
	tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "tallyd -c $conf " || return 1
	! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" || return 1
	echo "$pid"
}

# Inodes of the sockets that listen on the port, any address.
listening_inodes() {
	local hex
	hex=$(printf '%04X' "$port")
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v p=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == p { print $10 }'
}

# "mariadbd (pid 4711)" of who holds the port; nothing if the port is free
port_holder() {
	local inodes inode fd pid
	inodes=$(listening_inodes)
	[ -n "$inodes" ] || return 0
	for inode in $inodes; do
		for fd in /proc/[0-9]*/fd/*; do
			[ "$(readlink "$fd" 2>/dev/null)" = "socket:[$inode]" ] || continue
			pid=${fd#/proc/}
			pid=${pid%%/*}
			echo "$(cat "/proc/$pid/comm") (pid $pid)"
			return 0
		done
	done
	echo "a program of another user"
}

build_tally() {
	local log=build/build.log
	need_packages "$build_packages"
	prepare_source
	mkdir -p build
	say "building in build/ (log: $log)"
	: >$log
	configure_tree build $log && make -C build -j"$(nproc)" >>$log 2>&1 && return 0
	tail -n 30 $log >&2
	die "the build failed; all of it is in $log"
}

start_tally() {
	mkdir -p var
	setsid build/core/main/tallyd -c $conf -d var/tally -p build/plugins >>$logfile 2>&1 </dev/null &
	echo $! >$pidfile
}

# wait_ready PID
wait_ready() {
	local end=$((SECONDS + ready_s))
	while [ $SECONDS -lt $end ]; do
		curl -fs -o /dev/null --max-time 5 "$url/readyz" && return 0
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 $logfile >&2
	kill -0 "$1" 2>/dev/null && die "tallyd (pid $1) is not ready after $ready_s s: $(curl -s --max-time 5 "$url/readyz")"
	rm -f $pidfile
	die "tallyd ended at its start; its log is $logfile"
}

# The sample goes in once: var/sample.todo stands from the first start until all of it was taken.
play_sample() {
	[ -e var/sample.todo ] || return 0
	say "playing a day of a shop"
	build/tests/sample/day >var/sample.ndjson || die "the sample could not be made"
	build/core/main/tally -u "$url" send var/sample.ndjson >var/sample.log 2>&1 || { cat var/sample.log >&2; die "the sample was not taken"; }
	build/core/main/tally -s var/tally/admin.sock flush >>var/sample.log 2>&1 || { cat var/sample.log >&2; die "the sample was not stored"; }
	rm -f var/sample.todo
}

tell() {
	cat <<END

tally listens on $url (pid $1, state in var/, log in $logfile)

send an event:
  curl $url/v1/events -d '{"name":"view","site":"shop.example","visitor":"me","page":"/hello"}'

ask what sold best on the day of the sample:
  curl $url/v1/query -d '{"site_id":"shop.example","metrics":["visitors","events","sum:value"],"date_range":["2024-11-29","2024-11-29"],"dimensions":["event:props:item"],"filters":[["is","event:name",["purchase"]]],"order_by":[["sum:value","desc"]]}'

stop it:
  ./bootstrap stop
END
}

run_tally() {
	local pid holder
	if pid=$(running_pid); then
		say "tally runs already."
		tell "$pid"
		return 0
	fi
	holder=$(port_holder)
	[ -z "$holder" ] || die "port $port is taken by $holder; stop it, or change \`listen:\` in $conf"
	build_tally
	mkdir -p var
	[ -e var/tally ] || : >var/sample.todo
	start_tally
	pid=$(cat $pidfile)
	wait_ready "$pid"
	play_sample
	tell "$pid"
}

stop_tally() {
	local pid end=$((SECONDS + stop_s))
	if ! pid=$(running_pid); then
		say "tally does not run."
		rm -f $pidfile
		return 0
	fi
	kill -TERM "$pid" || die "may not stop pid $pid"
	while running_pid >/dev/null; do
		[ $SECONDS -lt $end ] || die "tallyd (pid $pid) has not ended within $stop_s s; see $logfile"
		sleep 0.1
	done
	rm -f $pidfile
	say "tally has stopped; what it stored is in var/."
}
