/* SPDX-License-Identifier: Apache-2.0 */
/* From a whole head to a whole body. Three ways, in order of cost:
 *
 *     a length that fits behind the head    the body is a slice of the read buffer; nothing is copied
 *     a longer one                          spilled: room of exactly that length, read into directly
 *     chunked                               decoded in place, spilled into doubling room once the buffer is full */
#include "http/inner.h"

#include <errno.h>
#include <string.h>

static const struct http_fault too_large = { 413, "body_too_large", "the body is larger than this server takes" };
static const struct http_fault inflates = { 413, "body_too_large",
	"the decoded body is larger than this server takes" };
static const struct http_fault bad_coding = { 400, "bad_encoding", "the body is not what its Content-Encoding says" };
static const struct http_fault bad_chunk = { 400, "bad_chunk", "the chunked body is malformed" };
static const struct http_fault other_coding = { 415, "unsupported_encoding",
	"bodies are taken plain, as gzip or as zstd" };
static const struct http_fault other_expect = { 417, "expectation_failed", "the only expectation met is 100-continue" };

static int refuse(struct conn *c, const struct http_fault *fault)
{
	conn_refuse(c, fault);
	return -1;
}

static void fill_public(struct req *rq)
{
	struct http_request *p = &rq->pub;
	const struct http_head *h = &rq->head;
	p->method = h->method;
	p->path = h->path;
	p->query = h->query;
	p->fields = h->fields;
	p->nfields = h->nfields;
	p->keep_alive = h->keep_alive;
	p->head_only = str_eq(h->method, STR("HEAD"));
}

static const struct http_fault *judge_head(const struct http_server *s, struct req *rq)
{
	if (rq->head.expect_other)
		return &other_expect;
	rq->coding = coding_of(rq->head.encoding);
	if (rq->coding == CODING_UNKNOWN)
		return &other_coding;
	return rq->head.content_length > s->limits.body_bytes ? &too_large : NULL;
}

/* Room for the body; what has come of it lies behind the head. */
static void place(struct req *rq, struct buf *b)
{
	size_t come = b->end - b->start - rq->head.bytes, want = (size_t)rq->head.content_length;
	rq->stage = REQ_BODY;
	rq->body = b->data + b->start + rq->head.bytes;
	rq->body_len = 0;
	if (rq->head.chunked) {
		rq->chunked = (struct chunked){ 0 };
		rq->body_cap = b->cap - (size_t)(rq->body - b->data);
		return;
	}
	rq->body_cap = want;
	if (want <= b->cap - (size_t)(rq->body - b->data))
		return;
	rq->spilled = true;
	rq->body = arena_alloc(&rq->arena, want);
	memcpy(rq->body, b->data + b->end - come, come);
	rq->body_len = come;
	b->end -= come;
}

/* The gate's word. False: it has answered and the rest of the request is not wanted, or the client has gone. */
static bool pass_gate(struct conn *c)
{
	struct req *rq = c->rq;
	if (!c->server->gate)
		return true;
	rq->stage = REQ_GATE;
	if (!c->server->gate(&rq->pub))
		return false;
	if (!rq->conn) {
		req_give(rq);
		return false;
	}
	rq->stage = REQ_HEAD;
	return true;
}

int body_begin(struct conn *c)
{
	struct req *rq = c->rq;
	fill_public(rq);
	const struct http_fault *fault = judge_head(c->server, rq);
	if (fault)
		return refuse(c, fault);
	bool bodied = rq->head.chunked || rq->head.content_length > 0;
	if (bodied && !pass_gate(c))
		return -1;
	place(rq, c->buf);
	int rc = body_advance(c);
	if (rc == 0 && rq->head.expect_continue && rq->head.minor == 1 && rq->body_len == 0)
		conn_send_raw(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return c->state == CONN_OPEN ? rc : -1;
}

/* Room for n more bytes of a chunked body, outside the buffer. */
static void spill_chunked(struct req *rq, size_t n)
{
	size_t cap = rq->body_cap;
	if (rq->spilled && cap - rq->body_len >= n)
		return;
	if (cap < 2 * BUF_BYTES)
		cap = 2 * BUF_BYTES;
	while (cap - rq->body_len < n)
		cap *= 2;
	char *body = arena_alloc(&rq->arena, cap);
	memcpy(body, rq->body, rq->body_len);
	rq->body = body;
	rq->body_cap = cap;
	rq->spilled = true;
}

/*  head | body so far | raw …      |        raw: [body_len behind the head, end); decoded down to where the body ends
 *                     ^src         ^end     and, once that leaves less than a quarter of the room, into the arena */
static int advance_chunked(struct conn *c)
{
	struct req *rq = c->rq;
	struct buf *b = c->buf;
	size_t base = b->start + rq->head.bytes, src = base + (rq->spilled ? 0 : rq->body_len);
	size_t raw = b->end - src, made;
	if (rq->spilled || b->cap - b->end < b->cap / 4)
		spill_chunked(rq, raw);
	size_t eaten = raw;
	enum chunked_result rc = chunked_feed(&rq->chunked, b->data + src, &eaten, rq->body + rq->body_len, &made);
	if (rc == CHUNKED_BAD)
		return refuse(c, &bad_chunk);
	rq->body_len += made;
	if (rq->body_len > c->server->limits.body_bytes)
		return refuse(c, &too_large);
	if (rc == CHUNKED_DONE) {
		b->start = src + eaten;
		return 1;
	}
	b->end = base + (rq->spilled ? 0 : rq->body_len);
	return 0;
}

int body_advance(struct conn *c)
{
	struct req *rq = c->rq;
	struct buf *b = c->buf;
	if (rq->head.chunked)
		return advance_chunked(c);
	if (!rq->spilled) {
		size_t come = b->end - b->start - rq->head.bytes;
		rq->body_len = come < rq->body_cap ? come : rq->body_cap;
	}
	if (rq->body_len < rq->body_cap)
		return 0;
	b->start += rq->head.bytes + (rq->spilled ? 0 : rq->body_len);
	return 1;
}

char *body_direct(struct req *rq, size_t *room)
{
	if (!rq || rq->stage != REQ_BODY || !rq->spilled || rq->head.chunked)
		return NULL;
	*room = rq->body_cap - rq->body_len;
	return rq->body + rq->body_len;
}

int body_finish(struct conn *c)
{
	struct req *rq = c->rq;
	struct http_server *s = c->server;
	rq->pub.body = str_make(rq->body, rq->body_len);
	if (rq->coding == CODING_NONE || rq->body_len == 0)
		return 0;
	int rc = coding_decode(&s->coding, rq->coding, rq->pub.body, s->limits.inflated_bytes, s->limits.inflate_ratio,
		&rq->arena, &rq->pub.body);
	if (rc == 0)
		return 0;
	return refuse(c, rc == -EFBIG ? &inflates : &bad_coding);
}
