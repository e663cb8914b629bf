/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that takes the daemon down with it, and the event that makes it do so.
 *
 * Each thread says which hook of which plugin it is about to call, and on which event. A fatal signal (or an exit() out
 * of a hook) writes that down in data_dir/crashes before the process ends. The event on which hooks died CRASH_MOST times
 * is parked: from the next start on no hook sees it again, and it goes where events go that cannot be stored. A kill from
 * outside, a loss of power, a hook that hangs leave nothing behind: only what is certain is counted.
 *
 * One for the process, since a signal finds nothing else. crash_open() and crash_forget() before any hook runs. */
#ifndef PLUG_CRASH_H
#define PLUG_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

#define CRASH_MOST 3

/* Reads what earlier runs left, says it in the log, and listens. A folder that takes no file is said and lived without. */
void crash_open(const char *data_dir);

/* Records before lsn are gone, and with them what was noted about their events. */
void crash_forget(uint64_t lsn);

/* [any thread] What the hooks called next are about: an event of the record at lsn, with that record's time; time 0 = the
 * item idx of a pending record. lsn 0 = no event that will be seen again. */
void crash_about(uint64_t lsn, uint32_t idx, int64_t time_us);

/* [any thread] Around each call of a hook. plugin, hook: live as long as the call. has_event: the hook is given the event
 * of crash_about(); no event is to blame for any other. */
void crash_enter(const char *plugin, const char *hook, bool has_event);
void crash_leave(void);

/* [any thread] The plugin on which this event is parked, or NULL. */
extern unsigned crash_parked_count;
const char *crash_find_parked(uint64_t lsn, uint32_t idx, int64_t time_us);
static inline const char *crash_parked(uint64_t lsn, uint32_t idx, int64_t time_us)
{
	return crash_parked_count ? crash_find_parked(lsn, idx, time_us) : 0;
}

#endif
