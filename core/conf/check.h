/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between options, checked once all of them are read. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "base/check.h"
#include "conf/conf.h"
#include "conf/option.h"

/* One entry of `sinks:` is read: its name. */
int conf_check_sink(struct conf_reader *r, const struct conf_node *at, void *sink);

/* rollup.c: do metrics and dimensions of this rollup go together? 0 or -EINVAL with why not. */
must_check int conf_rollup_pairs(const struct conf_rollup *ru, char why[256]);

/* Everything is read; root: what the file says, for places. 0 or -EINVAL. */
must_check int conf_check(struct conf_reader *r, const struct conf_node *root, struct conf *c);

#endif
