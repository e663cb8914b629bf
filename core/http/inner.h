/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share: the server, its connections, the request in hand. Everything here belongs to the
 * loop's thread.
 *
 *     listen.c  accepts                  wait.c   deadlines
 *     conn.c    reads, runs, closes      body.c   from a whole head to a whole body
 *     send.c    answers and writes       pool.c   buffers, requests and connections used again
 *
 * Lifetimes: a connection ends in uv_close()'s callback. A request outlives its connection if its handler has not
 * answered yet: then conn is NULL and the buffer its slices point into is the request's. The server outlives both. */
#ifndef HTTP_INNER_H
#define HTTP_INNER_H

#include "http/answer.h"
#include "http/chunked.h"
#include "http/coding.h"
#include "http/head.h"
#include "http/http.h"

#define BUF_BYTES (64 * 1024)    /* only what is received is ever touched of it */
#define OUT_FLUSH (64 * 1024)    /* answers to pipelined requests go out together up to here */
#define OUT_KEEP (256 * 1024)    /* an answer buffer larger than this is given back */
#define COPY_MAX (16 * 1024)     /* a larger body is written from where it lies */
#define STREAM_MAX (1024 * 1024) /* unsent bytes of a stream before its reader counts as gone */
#define LINGER_US 2000000        /* reading on behind a last answer, so that no reset overtakes it */
#define LINGER_BYTES (4u << 20)
#define BODY_RATE 1024 /* bytes a second: slower is no progress */

/* data[0, start): eaten. [start, end): received and not eaten; while a request is in hand its head and body lie here.
 * [end, cap): room. Its bytes move only when no request is in hand; a request begins in the first half, so a head of
 * full length and COPY_MAX more bytes always fit behind start. */
struct buf {
	struct buf *next; /* in the pool */
	size_t start, end, cap;
	char data[];
};

/* From REQ_GATE on somebody else holds the request, and it outlives its connection. */
enum req_stage { REQ_HEAD, REQ_BODY, REQ_GATE, REQ_HANDED, REQ_STREAM };

struct req {
	struct http_request pub; /* first: http_respond() is given its address */
	struct http_server *server;
	struct conn *conn; /* NULL: the client has gone */
	struct buf *buf;   /* set when conn is NULL */
	struct req *next;  /* in the pool */
	struct arena arena;
	struct http_head head;
	enum req_stage stage;
	enum coding_kind coding;
	struct chunked chunked;
	/* The body as received: in the buffer behind the head, or (spilled) in the arena.
	 * [0, body_len): come; body_cap: room, for a known length exactly that length. */
	char *body;
	size_t body_len, body_cap;
	bool spilled;
	char peer[46];
	struct http_field fields[]; /* limits.head_fields of them */
};

enum wait { WAIT_NONE, WAIT_IDLE, WAIT_HEAD, WAIT_BODY, WAIT_WRITE, WAIT_LINGER, WAIT_KINDS };

enum conn_state {
	CONN_OPEN,
	CONN_ENDING,  /* the last answer is on its way out */
	CONN_LINGER,  /* it is out, our side is shut, what still comes is thrown away */
	CONN_CLOSING, /* uv_close() was called */
};

struct conn {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	};
	struct http_server *server;
	struct conn *next, *prev;           /* all of the server's; in the pool by next */
	struct conn *wait_next, *wait_prev; /* with the same kind of deadline */
	struct conn *ready_next;
	struct req *rq;  /* in hand, or NULL */
	struct buf *buf; /* NULL while idle */
	int64_t deadline_us;
	size_t progress; /* WAIT_BODY: received, WAIT_WRITE: queued, when the deadline was set; LINGER: thrown away */
	unsigned writes; /* uv_write() in flight */
	enum wait wait;
	enum conn_state state;
	bool reading, eof, running, ready;
	bool must_linger; /* bytes may still come from the client: see LINGER_US */
	unsigned char peer_len;
	char peer[46];
};

struct wait_list {
	struct conn *first, *last;
	int64_t period_us;
};

struct http_server {
	uv_loop_t *loop;
	struct http_limits limits;
	http_handler handler;
	http_gate gate;
	void *lane;
	uv_poll_t listener;
	uv_timer_t timer;
	int listen_fd, port;
	char *unix_path; /* NULL for TCP */
	uint64_t unix_inode;
	bool listening, paused, closing, timer_closed;
	int64_t accept_again_us; /* out of descriptors: not before this */
	int64_t complained_us;
	int64_t drain_until_us;
	void (*done)(void *arg);
	void *done_arg;
	struct conn *conns;
	struct wait_list waits[WAIT_KINDS];
	struct conn *ready;
	unsigned depth;         /* conn_run() calls on the stack */
	struct http_out out;    /* answers composed and not yet written… */
	struct conn *out_owner; /* …of this connection */
	struct http_date date;
	struct coding coding;
	struct buf *free_bufs;
	struct req *free_reqs;
	struct conn *free_conns;
	unsigned n_free_bufs, n_free_reqs, n_free_conns;
	unsigned reqs_out; /* requests not in the pool */
	struct http_stats stats;
};

static inline int64_t now_us(const struct http_server *s)
{
	return (int64_t)uv_now(s->loop) * 1000;
}

/* pool.c: none of them returns NULL */
struct buf *buf_take(struct http_server *s);
void buf_give(struct http_server *s, struct buf *b);
struct req *req_take(struct conn *c);
void req_give(struct req *rq);
struct conn *conn_take(struct http_server *s);
void conn_give(struct conn *c);
void pool_free(struct http_server *s);

/* wait.c: a connection waits for one thing at a time; the same thing again keeps its deadline, except WAIT_IDLE. */
void conn_wait(struct conn *c, enum wait kind);
void wait_setup(struct http_server *s);
/* Closes, answers 408 or gives more time, for each deadline that has passed. */
void wait_tick(struct http_server *s);
/* After a pause: everybody's time begins anew. */
void wait_restart_all(struct http_server *s);

/* conn.c */
void conn_start(struct http_server *s, int fd, const char *peer, bool is_unix);
/* Goes as far as the received bytes and the handler's answers allow. */
void conn_run(struct conn *c);
/* After a request was answered: runs now, or as soon as the run in progress has ended. */
void conn_run_soon(struct conn *c);
void conn_close(struct conn *c);
void conn_set_reading(struct conn *c);

/* body.c: 1 = the request is whole, 0 = more is to come, -1 = it has been refused */
int body_begin(struct conn *c);
int body_advance(struct conn *c);
/* Where the body's next bytes are to be read to directly; NULL = through the buffer. */
char *body_direct(struct req *rq, size_t *room);
/* Decodes the content coding. 0, or -1: refused. */
int body_finish(struct conn *c);

/* send.c */
void conn_flush(struct conn *c);
void conn_send_raw(struct conn *c, const char *bytes, size_t len);
/* Refuses the request in hand with a problem and ends the connection behind it. */
void conn_refuse(struct conn *c, const struct http_fault *fault);

/* server.c */
void server_conn_gone(struct http_server *s);
void server_maybe_free(struct http_server *s);

/* listen.c */
int listen_open(struct http_server *s, const char *address, bool reuse_port, char why[256]);
void listen_stop(struct http_server *s);
void listen_resume(struct http_server *s);

#endif
