/* SPDX-License-Identifier: Apache-2.0 */
/* A sink that takes everything, compiled by test_abi against each released header. */
#include <tally/sink.h>

static int sink_open(const struct tally_sink_host *host, struct tally_sink_instance *in, void **self)
{
	(void)host;
	*self = in;
	return 0;
}

static void sink_close(void *self)
{
	(void)self;
}

static int sink_position(void *self, struct tally_position *out)
{
	(void)self;
	out->lsn = 7;
	out->mark = 8;
	return TALLY_SINK_OK;
}

static int sink_write(void *self, const struct tally_batch *batch)
{
	(void)self;
	return batch->nrows == 3 && batch->to.mark == 5 ? TALLY_SINK_OK : TALLY_SINK_STOP;
}

const struct tally_sink tally_sink = {
	TALLY_SINK_HEAD,
	"oldsink",
	"1.0",
	"takes everything",
	.open = sink_open,
	.close = sink_close,
	.position = sink_position,
	.write = sink_write,
};
