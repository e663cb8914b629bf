/* SPDX-License-Identifier: Apache-2.0 */
/* A real server on a loop and clients on real sockets, all in one thread: the loop turns while a client waits, so a
 * test needs no sleep and no second thread. */
#ifndef TESTS_HTTP_RIG_H
#define TESTS_HTTP_RIG_H

#include "http/http.h"

#define RIG_HELD 128
#define RIG_BIG (16u << 20) /* more than the sockets of a connection hold */

/* What it answers by path: /hold keeps the request in held[], /big is 16 MiB of rig_byte(), /copy the same but not static,
 * /stream begins a streamed answer and keeps it, everything else is 200 with `METHOD path?query|body`. */
struct rig {
	uv_loop_t loop;
	struct http_server *server;
	char address[100]; /* as connected to */
	struct http_request *held[RIG_HELD];
	unsigned nheld, handled;
	bool closed; /* the server's done was called */
};

/* What /big has at this place: no two pieces of it look alike. */
static inline char rig_byte(size_t at)
{
	return (char)(at * 2654435761u >> 24);
}

/* address NULL = 127.0.0.1:0; limits NULL = the usual ones */
void rig_open(struct rig *r, const char *address, const struct http_limits *limits);
/* Drains; asserts that nothing is left on the loop. */
void rig_close(struct rig *r);
/* Lets the loop turn until done(arg), at most 10 s. */
bool rig_turn_until(struct rig *r, bool (*done)(void *arg), void *arg);
/* One turn without waiting. */
void rig_turn(struct rig *r);
/* Lets it turn until handlers hold n requests. */
void rig_wait_held(struct rig *r, unsigned n);
struct http_stats rig_stats(struct rig *r);

struct client {
	struct rig *rig;
	int fd;
	char *in; /* received and not yet given out as a reply */
	size_t len, cap;
	bool eof, reset;
	bool refused; /* sending fails: the server has gone */
};

struct reply {
	int status;
	bool close;    /* said Connection: close */
	size_t length; /* Content-Length, 0 if there is none */
	char head[4096];
	char *body; /* NUL behind it; to be freed */
	size_t body_len;
};

void client_open(struct client *c, struct rig *r);
void client_close(struct client *c);
/* The loop turns while the socket is full; stops when the server has gone. */
void client_send(struct client *c, const void *bytes, size_t len);
/* One try: *len becomes what the socket took. */
void client_send_some(struct client *c, const void *bytes, size_t *len);
void client_say(struct client *c, const char *text);
/* A whole answer is there, or the connection has ended. */
bool client_has_reply(struct client *c);
/* Waits for one whole answer (head_only: to HEAD). False = the connection ended before. */
bool client_reply(struct client *c, struct reply *reply, bool head_only);
/* The same, asserts the status, frees the body. */
void client_expect(struct client *c, int status);
void client_expect_body(struct client *c, int status, const char *body);
/* Waits for the end of the connection; true = an orderly one with nothing unread. */
bool client_ends(struct client *c);
/* Takes what has come without waiting for more. */
void client_poll(struct client *c);

#endif
