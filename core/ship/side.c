/* SPDX-License-Identifier: Apache-2.0 */
/* What is written between two batches of the line, over its connection: so nothing of ours ever waits for a lock of ours,
 * and the position stands still meanwhile. After anything but a commit or a RETRY the store is looked at by the line's
 * next batch, as after any failure. */
#include <errno.h>
#include <stdio.h>

#include "ship/inner.h"

/* ---- the ship's thread ---- */

bool side_step(struct ship *s)
{
	pthread_mutex_lock(&s->side_lock);
	struct side_job *j = s->side;
	pthread_mutex_unlock(&s->side_lock);
	if (!j)
		return false;
	int rc = j->fn(s, j->arg);
	atomic_fetch_add(&s->changes, 1);
	pthread_mutex_lock(&s->side_lock);
	j->rc = rc;
	j->done = true;
	s->side = NULL;
	pthread_cond_broadcast(&s->side_moved);
	pthread_mutex_unlock(&s->side_lock);
	return true;
}

void side_end(struct ship *s)
{
	pthread_mutex_lock(&s->side_lock);
	s->side_over = true;
	if (s->side) {
		s->side->rc = -ESHUTDOWN;
		s->side->done = true;
		s->side = NULL;
	}
	pthread_cond_broadcast(&s->side_moved);
	pthread_mutex_unlock(&s->side_lock);
}

/* ---- whoever wants it ---- */

static int run(struct ship *s, int (*fn)(struct ship *s, void *arg), void *arg)
{
	struct side_job job = { .fn = fn, .arg = arg };
	pthread_mutex_lock(&s->side_lock);
	while (s->side && !s->side_over)
		pthread_cond_wait(&s->side_moved, &s->side_lock);
	if (s->side_over) {
		pthread_mutex_unlock(&s->side_lock);
		return -ESHUTDOWN;
	}
	s->side = &job;
	gate_knock(s->gate);
	while (!job.done)
		pthread_cond_wait(&s->side_moved, &s->side_lock);
	pthread_mutex_unlock(&s->side_lock);
	return job.rc;
}

struct side_call {
	struct tally_batch *batch;
	const struct tally_table *table;
	const char *name;
	char *words;
};

/* The store is in doubt, or another position() is due: the line's next batch finds out. */
static int ended(struct ship *s, struct side_call *c, int rc)
{
	if (rc != TALLY_SINK_OK)
		snprintf(c->words, 512, "%s", s->in->failure.message);
	if (rc != TALLY_SINK_OK && rc != TALLY_SINK_RETRY)
		s->at_known = false;
	return rc;
}

/* Positions are asked for again where they are not known; the row must stand where the line left it. */
static int look(struct ship *s)
{
	struct tally_position at;
	ship_host_clear(s->in, 0);
	int rc = s->in->sink->position(s->in->self, &at);
	if (rc != TALLY_SINK_OK)
		return rc;
	if (s->at_known && (at.lsn != s->at.lsn || at.mark != s->at.mark))
		return ship_host_fail(s->in, TALLY_SINK_MOVED, 0, "the position is not where the line left it");
	return rc;
}

static int open_table(struct ship *s, void *arg)
{
	struct side_call *c = arg;
	MUST(s->in->ntables == s->in->schema->ntables);
	s->in->tables[s->in->ntables++] = c->table;
	int rc = look(s);
	if (rc != TALLY_SINK_OK)
		s->in->ntables--;
	return ended(s, c, rc);
}

static int close_table(struct ship *s, void *arg)
{
	struct side_call *c = arg;
	if (s->in->ntables == s->in->schema->ntables)
		return TALLY_SINK_OK;
	MUST(s->in->tables[s->in->ntables - 1] == c->table);
	s->in->ntables--;
	return ended(s, c, look(s));
}

static int write_rows(struct ship *s, void *arg)
{
	struct side_call *c = arg;
	if (!s->at_known) {
		snprintf(c->words, 512, "the store is not in reach at the moment");
		return TALLY_SINK_RETRY;
	}
	c->batch->from = c->batch->to = s->at;
	ship_host_clear(s->in, 0);
	return ended(s, c, s->in->sink->write(s->in->self, c->batch));
}

static int drop_table(struct ship *s, void *arg)
{
	struct side_call *c = arg;
	ship_host_clear(s->in, 0);
	return ended(s, c, s->in->sink->drop(s->in->self, c->name));
}

int ship_side_open(struct ship *s, const struct tally_table *t, char words[512])
{
	return run(s, open_table, &(struct side_call){ .table = t, .words = words });
}

/* If the ship has ended its sink does not look at tables any more. */
void ship_side_close(struct ship *s, const struct tally_table *t)
{
	char words[512];
	(void)!run(s, close_table, &(struct side_call){ .table = t, .words = words });
}

int ship_side_write(struct ship *s, struct tally_batch *b, char words[512])
{
	return run(s, write_rows, &(struct side_call){ .batch = b, .words = words });
}

int ship_side_drop(struct ship *s, const char *table, char words[512])
{
	return run(s, drop_table, &(struct side_call){ .name = table, .words = words });
}

const struct tally_table *ship_table(const struct ship *s, enum schema_table which)
{
	return &s->in->schema->fixed[which];
}
