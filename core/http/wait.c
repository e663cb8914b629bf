/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines without a timer for each connection: all that wait for the same thing wait equally long, so a list in order
 * of arrival is a list in order of deadlines, and one timer looks at the heads of five lists. */
#include "http/inner.h"

static const struct http_fault too_slow = { 408, "request_timeout", "the request did not come in time" };

static void unlink_wait(struct conn *c)
{
	struct wait_list *l = &c->server->waits[c->wait];
	if (c->wait == WAIT_NONE)
		return;
	*(c->wait_prev ? &c->wait_prev->wait_next : &l->first) = c->wait_next;
	*(c->wait_next ? &c->wait_next->wait_prev : &l->last) = c->wait_prev;
	c->wait = WAIT_NONE;
}

static size_t progress_of(const struct conn *c, enum wait kind)
{
	if (kind == WAIT_WRITE)
		return uv_stream_get_write_queue_size(&c->stream);
	return kind == WAIT_BODY ? c->rq->body_len : 0;
}

static void link_wait(struct conn *c, enum wait kind)
{
	struct wait_list *l = &c->server->waits[kind];
	c->wait = kind;
	c->deadline_us = now_us(c->server) + l->period_us;
	c->progress = progress_of(c, kind);
	c->wait_next = NULL;
	c->wait_prev = l->last;
	*(l->last ? &l->last->wait_next : &l->first) = c;
	l->last = c;
}

void conn_wait(struct conn *c, enum wait kind)
{
	if (kind == c->wait && kind != WAIT_IDLE)
		return;
	unlink_wait(c);
	if (kind != WAIT_NONE)
		link_wait(c, kind);
}

static bool made_progress(const struct conn *c)
{
	size_t now = progress_of(c, c->wait);
	if (c->wait == WAIT_WRITE)
		return now < c->progress;
	uint64_t want = (uint64_t)(c->server->waits[WAIT_BODY].period_us / 1000) * BODY_RATE / 1000;
	return now >= c->progress + (want ? want : 1);
}

static void expire(struct conn *c)
{
	enum wait kind = c->wait;
	if ((kind == WAIT_BODY || kind == WAIT_WRITE) && made_progress(c)) {
		unlink_wait(c);
		link_wait(c, kind);
		return;
	}
	if (kind != WAIT_IDLE && kind != WAIT_LINGER)
		c->server->stats.timeouts++;
	if (kind == WAIT_HEAD || kind == WAIT_BODY)
		conn_refuse(c, &too_slow);
	else
		conn_close(c);
}

void wait_setup(struct http_server *s)
{
	s->waits[WAIT_IDLE].period_us = s->limits.idle_timeout_us;
	s->waits[WAIT_HEAD].period_us = s->limits.header_timeout_us;
	s->waits[WAIT_BODY].period_us = s->limits.body_timeout_us;
	s->waits[WAIT_WRITE].period_us = s->limits.body_timeout_us;
	s->waits[WAIT_LINGER].period_us = LINGER_US;
}

void wait_tick(struct http_server *s)
{
	int64_t now = now_us(s);
	for (int kind = WAIT_IDLE; kind < WAIT_KINDS; kind++) {
		struct wait_list *l = &s->waits[kind];
		if (s->paused && kind != WAIT_WRITE && kind != WAIT_LINGER)
			continue;
		while (l->first && l->first->deadline_us <= now)
			expire(l->first);
	}
}

void wait_restart_all(struct http_server *s)
{
	for (struct conn *c = s->conns; c; c = c->next) {
		enum wait kind = c->wait;
		unlink_wait(c);
		if (kind != WAIT_NONE)
			link_wait(c, kind);
	}
}
