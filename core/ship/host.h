/* SPDX-License-Identifier: Apache-2.0 */
/* The table lent to sinks, and what stands behind their opaque instance.
 *
 * An instance is made before its sink is opened and outlives its close. The last failure is written by the thread that
 * runs the sink and read by it. */
#ifndef SHIP_HOST_H
#define SHIP_HOST_H

#include <stdbool.h>
#include <tally/sink.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"
#include "conf/plugopt.h"
#include "ship/schema.h"
#include "ship/ship.h"

#define SHIP_MESSAGE_BYTES 256

/* What the sink said last. The message is plain ASCII without control characters, whatever the server sent. */
struct ship_failure {
	int rc, code;
	size_t rows_index, row; /* BAD_ROW */
	char message[SHIP_MESSAGE_BYTES];
};

/* The rows refused since ship_host_clear(). More of them than `allowed` are not written down: the sink is told to stop
 * looking for more. */
struct ship_refusals {
	struct ship_refused *rows;
	size_t n, cap, allowed;
	bool too_many;
};

struct tally_sink_instance {
	struct arena arena;
	const struct tally_sink *sink;
	const struct schema *schema;
	const struct tally_table **tables; /* [ship] the schema's, and one that a rebuild makes */
	size_t ntables;
	const char *name, *room; /* "main", "sink main" */
	const char *prefix, *data_dir;
	char node[37];
	const struct conf_value *options;
	size_t noptions;
	struct ship_failure failure;
	struct ship_refusals refusals;
	char state_name[32], state_words[SHIP_MESSAGE_BYTES]; /* what stands badly now; "" = nothing */
	void *self;                                           /* the sink's own; NULL until opened */
	uint32_t gives; /* TALLY_GIVES_…, what the pipeline gives; set by the line while the ship lies idle */
	bool had_later; /* [ship] the store has had the columns that came with later versions */
	/* the configuration's, `default` first; set as `gives` is */
	struct ship_zone {
		const char *site, *zone;
	} * zones;
	size_t nzones;
	struct arena zone_arena;
	char zone_words[SHIP_MESSAGE_BYTES]; /* where the store's are others, "" = nowhere */
};

/* Makes the instance and opens the sink. Strings of cs and c are copied, the schema is borrowed. -EINVAL with why. */
must_check int ship_host_open(const struct tally_sink *sink, const struct conf_sink *cs, const struct conf *c,
	const struct schema *schema, const char *node_uuid, struct tally_sink_instance **out, char why[512]);
void ship_host_close(struct tally_sink_instance *in);

/* Before a call into the sink: nothing has been said yet, and at most so many rows may be refused. */
void ship_host_clear(struct tally_sink_instance *in, size_t allowed);

/* True: they are others than before. */
bool ship_host_set_zones(struct tally_sink_instance *in, const struct conf *c);

/* For the core's own findings about a store, in the same words and place as the sink's. Returns rc. */
int ship_host_fail(struct tally_sink_instance *in, int rc, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
