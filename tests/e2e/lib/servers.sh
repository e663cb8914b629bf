#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Private servers for tests: each in a folder of its own, on loopback, known and stopped by its pid.
#
# Sourced:
#     . "$srcdir/tests/e2e/lib/servers.sh"
#     servers_tmp                      # makes $SERVERS_TMP; at exit all servers are stopped and it is removed
#     start_mariadb "$SERVERS_TMP/db"  # sets MARIADB_PORT MARIADB_SOCKET MARIADB_URL; more arguments go to mariadbd
#     start_redis "$SERVERS_TMP/redis" # sets REDIS_PORT; more arguments go to redis-server
#     stop_server "$SERVERS_TMP/db"    # TERM and wait; start_mariadb on the same folder and port goes on with its data
#     kill_server "$SERVERS_TMP/db"    # KILL
#     p=$(free_port)
# As a program (for tests written in C): servers.sh COMMAND ARGUMENTS…, the same names; prints the variables it sets.
#
# MariaDB writes every commit and syncs none: it survives kill -9, not the power cord. It has the user tally with the
# password secret, all rights on databases tally*, and root without a password on the socket. A server that is not
# installed: status 77, which the test harness counts as skipped.

free_port() {
	local p
	while :; do
		p=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
		(exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || break
	done
	echo "$p"
}

servers_tmp() {
	SERVERS_TMP=$(mktemp -d "${TMPDIR:-/tmp}/tally-test-XXXXXX")
	trap servers_cleanup EXIT
	trap 'exit 130' INT TERM
}

servers_cleanup() {
	local f
	for f in "$SERVERS_TMP"/*/server.pid; do
		[ -f "$f" ] && kill_server "$(dirname "$f")"
	done
	[ -n "$SERVERS_TMP" ] && rm -rf "$SERVERS_TMP"
}

server_pid() { cat "$1/server.pid" 2>/dev/null; }

# end_server SIGNAL DIR: signals it and waits until it is gone, KILL after 30 s
end_server() {
	local pid i
	pid=$(server_pid "$2") || return 0
	kill -"$1" "$pid" 2>/dev/null
	for ((i = 0; i < 300; i++)); do
		server_gone "$pid" && break
		sleep 0.1
	done
	server_gone "$pid" || kill -KILL "$pid" 2>/dev/null
	rm -f "$2/server.pid"
}

# gone, or a zombie that its parent has not looked at yet
server_gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

stop_server() { end_server TERM "$1"; }
kill_server() { end_server KILL "$1"; }
# it lives and answers nothing, until it is thawed
freeze_server() {
	local pid
	pid=$(server_pid "$1")
	kill -STOP "$pid"
	until grep -q '^State:[[:space:]]*T' "/proc/$pid/status"; do sleep 0.01; done # all its threads
}
thaw_server() { kill -CONT "$(server_pid "$1")"; }

# wait_for DIR COMMAND…: until it succeeds, at most 60 s and as long as the server lives
wait_for() {
	local dir=$1 i
	shift
	for ((i = 0; i < 600; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		server_gone "$(server_pid "$dir")" && return 1
		sleep 0.1
	done
	return 1
}

# so that a second start is harmless
server_runs() {
	local pid
	pid=$(server_pid "$1") && [ -n "$pid" ] && ! server_gone "$pid"
}

need() { command -v "$1" >/dev/null || { echo "skipped: $1 is not installed" >&2; return 77; }; }

mariadb_root() {
	local dir=$1
	shift
	mariadb --no-defaults -uroot -S "$dir/my.sock" "$@"
}

mariadb_new_data() {
	# a temporary folder of its own: a server that starts removes from a shared one what it takes for its leavings
	mkdir -p "$1/tmp"
	mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$1/data" --tmpdir="$1/tmp" \
		--auth-root-authentication-method=normal --skip-test-db >"$1/install.log" 2>&1
}

mariadb_spawn() {
	local dir=$1
	shift
	# a temporary folder of its own: a server removes what it takes for its leavings there when it starts
	mkdir -p "$dir/tmp"
	mariadbd --no-defaults --user="$(id -un)" --datadir="$dir/data" --tmpdir="$dir/tmp" --socket="$dir/my.sock" \
		--pid-file="$dir/mariadbd.pid" --bind-address=127.0.0.1 --port="$MARIADB_PORT" \
		--innodb-buffer-pool-size=64M --innodb-log-file-size=32M --skip-name-resolve \
		--innodb-flush-log-at-trx-commit=2 --innodb-flush-method=nosync --innodb-doublewrite=0 \
		--sync-frm=0 "$@" \
		>>"$dir/server.log" 2>&1 </dev/null &
	echo $! >"$dir/server.pid"
	disown
	wait_for "$dir" mariadb_root "$dir" -e 'SELECT 1'
}

start_mariadb() {
	local dir=$1 tries
	shift
	need mariadbd && need mariadb-install-db && need mariadb || return $?
	mkdir -p "$dir"
	local fresh=0
	[ -d "$dir/data/mysql" ] || { fresh=1; mariadb_new_data "$dir" || { cat "$dir/install.log" >&2; return 1; }; }
	for ((tries = 0; ; tries++)); do
		MARIADB_PORT=$(cat "$dir/port" 2>/dev/null || free_port)
		server_runs "$dir" && break
		mariadb_spawn "$dir" "$@" && break
		[ $tries -ge 3 ] && { tail -20 "$dir/server.log" >&2; return 1; }
		[ $fresh = 1 ] || sleep 1
	done
	echo "$MARIADB_PORT" >"$dir/port"
	# shellcheck disable=SC2034
	MARIADB_SOCKET=$dir/my.sock
	# shellcheck disable=SC2034
	MARIADB_URL="mysql://tally:secret@127.0.0.1:$MARIADB_PORT/tally"
	[ $fresh = 0 ] || mariadb_root "$dir" -e "CREATE DATABASE tally; CREATE USER tally@'%' IDENTIFIED BY 'secret';
		GRANT ALL ON \`tally%\`.* TO tally@'%'"
}

# ours, not another one that has taken the port
redis_answers() { redis-cli -p "$REDIS_PORT" info server | tr -d '\r' | grep -qx "process_id:$(server_pid "$1")"; }

start_redis() {
	local dir=$1 tries
	shift
	need redis-server && need redis-cli || return $?
	mkdir -p "$dir"
	for ((tries = 0; ; tries++)); do
		REDIS_PORT=$(cat "$dir/port" 2>/dev/null || free_port)
		server_runs "$dir" && break
		redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$dir" --save "" --appendonly no "$@" \
			>>"$dir/server.log" 2>&1 </dev/null &
		echo $! >"$dir/server.pid"
		disown
		wait_for "$dir" redis_answers "$dir" && break
		[ $tries -ge 3 ] && { tail -20 "$dir/server.log" >&2; return 1; }
		[ -f "$dir/port" ] && sleep 1
	done
	echo "$REDIS_PORT" >"$dir/port"
}

# As a program.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -u
	"$@" || exit $?
	for v in MARIADB_PORT MARIADB_SOCKET MARIADB_URL REDIS_PORT; do
		[ -z "${!v:-}" ] || echo "$v=${!v}"
	done
fi
