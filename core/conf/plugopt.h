/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables: what `pipeline: - NAME: { … }` and `sinks: - NAME: { … }` say, read by the table that the plugin or
 * sink exports. Pure; values live in the arena that is given. */
#ifndef CONF_PLUGOPT_H
#define CONF_PLUGOPT_H

#include <stddef.h>
#include <stdint.h>
#include <tally/plugin.h>

#include "base/arena.h"
#include "base/check.h"

struct conf_pair;

#define CONF_OPTIONS_MAX 64 /* in one table */
#define CONF_WHY 512

struct conf_value {
	const char *name;
	uint32_t type; /* enum tally_option_type */
	int64_t i;     /* INT, BOOL, SIZE (bytes), TIME (us) */
	double d;      /* FLOAT */
	const char *s; /* STRING */
};

/* Names, types and defaults of a table are such that conf_options_parse() can use it. -EINVAL with why. */
must_check int conf_options_vet(const struct tally_option *table, char why[CONF_WHY]);

/* A value for every row of the table, given or default. who: "plugin dedup", place: of the whole entry. -EINVAL with
 * why: an unknown name (names the nearest), a bad value, one that must be given. Strings are copied to the arena. */
must_check int conf_options_parse(const struct tally_option *table, const struct conf_pair *given, size_t ngiven,
	const char *who, const char *place, struct arena *a, struct conf_value **out, size_t *nout, char why[CONF_WHY]);

/* What kind of value: "a size (64MiB)". */
const char *conf_option_words(uint32_t type);

#endif
