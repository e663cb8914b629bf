/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of a sink, read by the sink's own option table. */
#ifndef SHIP_OPTIONS_H
#define SHIP_OPTIONS_H

#include <tally/plugin.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/conf.h"

struct ship_option {
	const char *name;
	uint32_t type; /* enum tally_option_type */
	int64_t i;     /* INT, BOOL, SIZE (bytes), TIME (us) */
	double f;      /* FLOAT */
	const char *s; /* STRING */
};

struct ship_options {
	const struct ship_option *all;
	size_t n;
};

/* Every option of the table gets its value, given or default; strings live in the arena. -EINVAL with why: an unknown
 * name, a bad value, one missing. who names the sink in the message. */
must_check int ship_options_parse(const struct tally_option *table, const struct conf_sink *cs, struct arena *a,
	struct ship_options *out, char why[512]);

/* NULL = not in the table. */
const struct ship_option *ship_options_find(const struct ship_options *o, const char *name);

#endif
