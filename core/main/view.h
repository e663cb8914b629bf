/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon shows of itself: readiness, the ledger, freshness, gauges, status. arg is the struct daemon. */
#ifndef MAIN_VIEW_H
#define MAIN_VIEW_H

#include "main/daemon.h"

bool view_ready(void *arg, char why[256]);
struct tally_str view_ledger(void *arg, struct arena *a);
bool view_freshness(void *arg, int64_t *complete_through_us, double *lag_seconds);
uint64_t view_changes(void *arg);
void view_gauges(void *arg);
struct tally_str view_status(struct daemon *d, struct arena *a);
struct tally_str view_plugins(struct daemon *d, struct arena *a);

/* plug_services.count */
void view_plugin_count(const char *plugin, const char *name, int64_t by);

#endif
