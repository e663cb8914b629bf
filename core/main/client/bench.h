/* SPDX-License-Identifier: Apache-2.0 */
/* tally bench: what its files share. bench.c is the command, bench_disk.c measures the disk, bench_daemon.c starts a
 * tallyd of its own, bench_load.c sends events to it. One thread but for the senders. */
#ifndef CLIENT_BENCH_H
#define CLIENT_BENCH_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "main/client/client.h"

#define BENCH_ROWS 16
#define BENCH_PATH 4096

/* One measured thing. Times are of one call or request, in microseconds; negative = there are none. */
struct bench_row {
	const char *what;
	double per_second, p50_us, p99_us;
};

struct bench {
	struct client *c;
	const char *dir, *plugin_dir; /* plugin_dir NULL = where tallyd looks */
	double seconds;               /* of each measurement */
	char folder[BENCH_PATH];      /* made in dir, removed at the end */
	struct bench_row rows[BENCH_ROWS];
	size_t nrows;

	pid_t daemon; /* 0 = none */
	unsigned port, admin_port;
	uint64_t accepted; /* events, by the answers of the daemon */
};

/* Set by TERM and INT: what runs ends soon, and everything is removed as ever. */
extern volatile sig_atomic_t bench_stopped;

/* Says on stderr what cannot be done; -1. */
int bench_refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* samples_us: times of n calls, put in order here. Takes nothing. */
void bench_add(struct bench *b, const char *what, double per_second, double *samples_us, size_t n);

/* ---- bench_disk.c ---- */

/* 4 KiB written and synced at the end of a file, then within one that was filled with zeros before. 0 or -1 (said). */
must_check int bench_disk(struct bench *b);

/* ---- bench_daemon.c ---- */

/* tallyd from beside this program, all its state in the folder, SQLite behind it. Returns when it answers. 0 or -1. */
must_check int bench_daemon_start(struct bench *b);
/* By a reload. 0 or -1. */
must_check int bench_daemon_ack(struct bench *b, const char *ack);
/* Until all that was accepted is in the store, and each event once by the ledger. 0 or -1. */
must_check int bench_daemon_settle(struct bench *b);
void bench_daemon_stop(struct bench *b);

/* ---- bench_load.c ---- */

/* Requests of `batch` events over BENCH_CONNECTIONS connections, for the time of one measurement; adds a row. 0 or -1. */
#define BENCH_CONNECTIONS 16
must_check int bench_load(struct bench *b, const char *what, size_t batch);

#endif
