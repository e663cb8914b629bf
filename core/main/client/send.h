/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `tally send` share: send.c is the command, send_read.c makes batches of records, send_post.c posts
 * them. The reader and the posting threads meet in a queue. */
#ifndef CLIENT_SEND_H
#define CLIENT_SEND_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/ring.h"
#include "event/event.h"
#include "main/client/client.h"
#include "main/client/records.h"

#define SEND_MAPS 64

struct send_batch {
	char *bytes;
	size_t len, cap, events;
	uint64_t first; /* number of its first event in the input, from 1 */
};

struct send_totals {
	_Atomic uint64_t read, accepted, duplicates, dropped, rejected, failed, retries;
};

struct sender {
	struct client *client;
	size_t batch_events;
	unsigned connections;
	double rate; /* events a second, 0 = as fast as it goes */
	enum record_form form;
	struct tally_str site;
	struct event_map map[SEND_MAPS];
	size_t nmap;
	const char *files[256];
	size_t nfiles;
	uint64_t give_up_s;

	struct ring *queue;
	struct gate *room, *work;
	_Atomic bool read_all, stop;
	_Atomic unsigned errors_shown;
	pthread_mutex_t err_lock;
	struct send_totals n;
	int64_t began_us, shown_us;
	bool progress;
	uint64_t bytes_done, bytes_all;
};

/* ---- send.c ---- */

/* [any thread] The first few errors are told. */
void send_show_error(struct sender *s, const char *where, uint64_t at, struct tally_str text);
void send_show_progress(struct sender *s, bool last);
void send_pause_ms(unsigned ms);

/* ---- send_read.c ---- */

/* All files, or stdin, into the queue. An exit code. */
int send_read(struct sender *s);

/* ---- send_post.c ---- */

void send_batch_free(struct send_batch *b);

struct send_worker {
	pthread_t thread;
	struct sender *sender;
	pthread_mutex_t *take;
};

/* A thread of its own, until all is read and the queue is empty. */
void *send_worker_main(void *worker);

#endif
