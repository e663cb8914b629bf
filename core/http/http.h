/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 on a libuv loop: request heads, bodies, answers, connections. Knows no route: whoever opens a server hands
 * it one function. A server and all its connections belong to the thread of its loop.
 *
 * A connection has one request in hand at a time; what a client pipelines behind it waits in the socket or the read
 * buffer, so answers leave in order. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

/* 0 = the usual value, in brackets. Time-outs: header from the first byte of a request to the end of its head; body: in
 * each such period 1 KiB a second must come, and of a queued answer something must leave; idle: between requests. */
struct http_limits {
	size_t head_bytes;      /* [16 KiB] more is 431 */
	unsigned head_fields;   /* [64] more is 431 */
	size_t body_bytes;      /* [2 MiB] as received: more is 413 */
	size_t inflated_bytes;  /* [8 MiB] after gzip or zstd: more is 413 */
	unsigned inflate_ratio; /* [100] inflated / received: more is 413, once 64 KiB have come out */
	unsigned connections;   /* [1024] of this server: past it, accepted and closed at once with 503 */
	int64_t header_timeout_us, body_timeout_us, idle_timeout_us; /* [10 s, 10 s, 30 s] */
};

struct http_field {
	struct tally_str name, value; /* name in lower case */
};

/* A request, whole: head and decoded body. Lives in its arena until http_respond() has been called for it. */
struct http_request {
	struct arena *arena;                  /* the request's own: a handler may allocate from it */
	struct tally_str method, path, query; /* path percent-decoded; query as sent, without '?' */
	const struct http_field *fields;
	size_t nfields;
	struct tally_str body;
	struct tally_str peer; /* "127.0.0.1" or "unix" */
	bool keep_alive, head_only;
	void *user; /* the handler's, NULL at first */
	void *lane; /* as given to http_server_open() */
};

struct http_answer {
	int status;
	struct tally_str type; /* content type; empty = none */
	struct tally_str body; /* copied before http_respond() returns, unless static_body */
	bool static_body;
	bool close;                      /* close the connection behind it */
	const struct http_field *fields; /* further header fields, copied */
	size_t nfields;
};

struct http_server;

/* [loop] The request is complete. Answer now or later, exactly once, with http_respond() on the loop's thread. A request
 * whose client has gone is still to be answered (the answer goes nowhere). */
typedef void (*http_handler)(struct http_request *rq);

/* [loop] The head of a request is whole, its body not yet read. True = read it and hand the request over as usual;
 * false = answered here with http_respond() or http_problem(): the body is not read and the connection closes. */
typedef bool (*http_gate)(struct http_request *rq);

/* address: "host:port", "[v6]:port" or a path (UNIX socket, mode 0660, a stale one is replaced). reuse_port: several
 * servers share one port. 0 or -errno with the words in why.
 * Also makes the process ignore SIGPIPE, unless it has a handler for it. */
must_check int http_server_open(uv_loop_t *loop, const char *address, bool reuse_port, const struct http_limits *limits,
	http_handler handler, void *lane, struct http_server **out, char why[256]);

/* [loop] Asks gate about every request before its body is read; NULL = none. */
void http_server_set_gate(struct http_server *s, http_gate gate);

/* The port it listens on (for port 0). */
int http_server_port(const struct http_server *s);

/* [loop] Stops or resumes reading from all connections and accepting (back-pressure). */
void http_server_pause(struct http_server *s, bool pause);

/* [loop] Stops accepting; connections close as their answers leave; done is called when none is left or after
 * timeout_us. The server is freed after done; requests still held by handlers may be answered even then. */
void http_server_close(struct http_server *s, int64_t timeout_us, void (*done)(void *arg), void *arg);

struct http_stats {
	uint64_t accepted, open, requests, refused_connections, timeouts, bad_requests;
};
void http_server_stats(const struct http_server *s, struct http_stats *out);

/* [loop] Takes the request: it must not be touched afterwards. */
void http_respond(struct http_request *rq, const struct http_answer *answer);

/* [loop] A streamed answer (server-sent events): head now, chunks later. http_stream_write returns -EPIPE once the
 * client has gone or is more than 1 MiB behind; http_stream_end must still be called, once. */
void http_stream_begin(struct http_request *rq, const struct http_answer *head);
must_check int http_stream_write(struct http_request *rq, struct tally_str chunk);
void http_stream_end(struct http_request *rq);

/* NULL = absent. name in lower case. */
const struct http_field *http_field_get(const struct http_request *rq, const char *name);

/* The decoded value of a query parameter ('+' is a space); false = absent. -- the first one of that name. */
bool http_query_get(const struct http_request *rq, const char *name, struct tally_str *out);
/* Walks all parameters: *at starts at 0; false at the end. */
bool http_query_next(
	struct arena *a, struct tally_str query, size_t *at, struct tally_str *name, struct tally_str *value);

/* RFC 9457: {"type":"about:blank","title":…,"status":…,"code":code,"detail":…}; detail is printf. Retry-After in
 * seconds if > 0. */
void http_problem(struct http_request *rq, int status, const char *code, int retry_after_s, const char *detail, ...)
	__attribute__((format(printf, 5, 6)));

const char *http_status_text(int status);

#endif
