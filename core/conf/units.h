/* SPDX-License-Identifier: Apache-2.0 */
/* Units in text: what conf.h does not offer to other rooms. [any thread] */
#ifndef CONF_UNITS_H
#define CONF_UNITS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"

/* "5%" to 0.05; whole text, 0..100 or -EINVAL. */
must_check int conf_parse_share(const char *text, double *out);

/* The text that parses to the same value, in the largest unit that divides it. endless: the word for INT64_MAX. */
char *conf_print_size(struct arena *a, uint64_t v);
char *conf_print_time(struct arena *a, int64_t us, const char *endless);
char *conf_print_share(struct arena *a, double share);

#endif
