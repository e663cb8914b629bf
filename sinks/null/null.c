/* SPDX-License-Identifier: Apache-2.0 */
/* The null sink takes everything and keeps nothing: for measuring a line, and for a node that only answers live.
 *
 * Its position lives in memory. After a restart it stands at the beginning, so the line goes through what the spool
 * still holds once more; nobody is told twice, since nobody is told. */
#include <inttypes.h>
#include <stdlib.h>
#include <tally/sink.h>

struct nothing {
	const struct tally_sink_host *host;
	struct tally_sink_instance *in;
	struct tally_position at;
	uint64_t batches, rows;
};

static int null_open(const struct tally_sink_host *host, struct tally_sink_instance *in, void **self)
{
	struct nothing *s = calloc(1, sizeof *s);
	if (!s)
		return host->fail(in, TALLY_SINK_STOP, 0, "out of memory");
	s->host = host;
	s->in = in;
	*self = s;
	return 0;
}

static void null_close(void *self)
{
	struct nothing *s = self;
	s->host->log(s->in, TALLY_LOG_INFO, "took %" PRIu64 " rows in %" PRIu64 " batches and kept none", s->rows,
		s->batches);
	free(s);
}

static int null_position(void *self, struct tally_position *out)
{
	*out = ((struct nothing *)self)->at;
	return TALLY_SINK_OK;
}

static int null_write(void *self, const struct tally_batch *b)
{
	struct nothing *s = self;
	if (b->from.lsn != s->at.lsn || b->from.mark != s->at.mark)
		return s->host->fail(s->in, TALLY_SINK_MOVED, 0, "the position is not where this batch begins");
	for (size_t i = 0; i < b->nrows; i++)
		s->rows += b->rows[i].n;
	s->batches++;
	s->at = b->to;
	return TALLY_SINK_OK;
}

const struct tally_sink tally_sink = {
	TALLY_SINK_HEAD,
	.name = "null",
	.version = "1.0",
	.summary = "takes everything and keeps nothing",
	.open = null_open,
	.close = null_close,
	.position = null_position,
	.write = null_write,
};
