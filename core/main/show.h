/* SPDX-License-Identifier: Apache-2.0 */
/* What tallyd prints instead of running: each returns the exit code. */
#ifndef MAIN_SHOW_H
#define MAIN_SHOW_H

#include "conf/conf.h"
#include "plug/plug.h"

int show_version(void);
int show_conf(const struct conf *c);
int show_plugins(const struct conf *c);
int show_file(const char *path);

/* -t: the configuration is read already; this opens plugins, zones and sink options without connecting. */
int show_check(const struct conf *c);

/* The checks that need more than the file: zones exist, sinks are there. 0 or -EINVAL with why. */
int check_conf(const struct conf *c, char why[512]);

/* No two sinks write into the same tables. 0 or -EINVAL with why. */
int check_stores(const struct conf *c, struct plug_set *set, char why[512]);

/* Each lookup has a store that can be read so. 0 or -EINVAL with why. */
int check_lookups(const struct conf *c, const struct plug_set *set, char why[512]);

#endif
