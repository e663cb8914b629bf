/* SPDX-License-Identifier: Apache-2.0 */
/* Last in, first out, so that the memory in use is the memory in the cache: with all requests answered at once a whole
 * server works in one buffer and one arena. What is kept is bounded; the rest goes back to the allocator. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/inner.h"

#define KEEP_BUFS 64
#define KEEP_REQS 256
#define KEEP_CONNS 256

struct buf *buf_take(struct http_server *s)
{
	struct buf *b = s->free_bufs;
	if (b) {
		s->free_bufs = b->next;
		s->n_free_bufs--;
	} else {
		size_t cap = 2 * (s->limits.head_bytes + COPY_MAX);
		if (cap < BUF_BYTES)
			cap = BUF_BYTES;
		b = memory_alloc(sizeof *b + cap);
		MUST(b != NULL);
		b->cap = cap;
	}
	b->start = b->end = 0;
	return b;
}

void buf_give(struct http_server *s, struct buf *b)
{
	if (!b)
		return;
	if (s->n_free_bufs >= KEEP_BUFS) {
		free(b);
		return;
	}
	b->next = s->free_bufs;
	s->free_bufs = b;
	s->n_free_bufs++;
}

static struct req *req_new(struct http_server *s)
{
	struct req *rq = memory_alloc(sizeof *rq + s->limits.head_fields * sizeof rq->fields[0]);
	MUST(rq != NULL);
	arena_init(&rq->arena, 0);
	rq->server = s;
	return rq;
}

struct req *req_take(struct conn *c)
{
	struct http_server *s = c->server;
	struct req *rq = s->free_reqs;
	if (rq) {
		s->free_reqs = rq->next;
		s->n_free_reqs--;
	} else {
		rq = req_new(s);
	}
	s->reqs_out++;
	rq->pub = (struct http_request){
		.arena = &rq->arena,
		.peer = str_make(rq->peer, c->peer_len),
		.lane = s->lane,
	};
	memcpy(rq->peer, c->peer, sizeof rq->peer);
	rq->conn = c;
	rq->buf = NULL;
	rq->stage = REQ_HEAD;
	rq->coding = CODING_NONE;
	rq->body = NULL;
	rq->body_len = rq->body_cap = 0;
	rq->spilled = false;
	head_start(&rq->head, rq->fields, s->limits.head_fields, s->limits.head_bytes);
	return rq;
}

void req_give(struct req *rq)
{
	struct http_server *s = rq->server;
	buf_give(s, rq->buf);
	s->reqs_out--;
	if (s->n_free_reqs >= KEEP_REQS) {
		arena_free(&rq->arena);
		free(rq);
	} else {
		arena_reset(&rq->arena);
		rq->next = s->free_reqs;
		s->free_reqs = rq;
		s->n_free_reqs++;
	}
}

struct conn *conn_take(struct http_server *s)
{
	struct conn *c = s->free_conns;
	if (c) {
		s->free_conns = c->next;
		s->n_free_conns--;
	} else {
		c = memory_alloc(sizeof *c);
		MUST(c != NULL);
	}
	*c = (struct conn){ .server = s };
	return c;
}

void conn_give(struct conn *c)
{
	struct http_server *s = c->server;
	if (s->n_free_conns >= KEEP_CONNS) {
		free(c);
		return;
	}
	c->next = s->free_conns;
	s->free_conns = c;
	s->n_free_conns++;
}

void pool_free(struct http_server *s)
{
	while (s->free_bufs) {
		struct buf *b = s->free_bufs;
		s->free_bufs = b->next;
		free(b);
	}
	while (s->free_reqs) {
		struct req *rq = s->free_reqs;
		s->free_reqs = rq->next;
		arena_free(&rq->arena);
		free(rq);
	}
	while (s->free_conns) {
		struct conn *c = s->free_conns;
		s->free_conns = c->next;
		free(c);
	}
}
