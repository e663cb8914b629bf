/* SPDX-License-Identifier: Apache-2.0 */
/* The parameters of a query string, percent-decoded ('+' is a space). */
#ifndef DESK_PARAMS_H
#define DESK_PARAMS_H

#include "base/check.h"
#include "desk/out.h"

#define PARAMS_MAX 64

struct params {
	struct tally_str name[PARAMS_MAX], value[PARAMS_MAX];
	size_t n;
};

/* -EINVAL: not UTF-8 once decoded, or more than PARAMS_MAX. Values live in the arena. */
must_check int params_read(struct params *p, struct arena *a, struct tally_str query);

/* The first of that name; false = absent, and *out is empty. */
bool params_get(const struct params *p, const char *name, struct tally_str *out);
/* The nth of that name, from 0. */
bool params_nth(const struct params *p, const char *name, size_t nth, struct tally_str *out);
/* A name that is not in the list, or NULL. */
const char *params_unknown(const struct params *p, const char *const *legal);

#endif
