/* SPDX-License-Identifier: Apache-2.0 */
/* Where this log parted from a store. `tally spool adopt` gives what follows a START record to a new node, and must know
 * which one: the daemon may have started several times since, each time acknowledging events. So the first START after
 * which a line found its store parted is noted in data_dir/parted-LINE, until that line finds its place again. The note
 * is a hint: without it adopt asks. [line] */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "ledger/internal.h"

static void note_path(const struct ledger *l, const char *line, char out[4200])
{
	int at = snprintf(out, 4200, "%s/parted-", l->conf->data_dir);
	snprintf(out + at, 4200 - (size_t)at, "%.100s", line);
	for (char *p = out + at; *p; p++)
		if (*p == '/')
			*p = '_';
}

void ledger_note_parted(struct ledger *l, const char *line)
{
	char path[4200], text[32];
	uint64_t start = atomic_load(&l->start_lsn);
	if (start == UINT64_MAX)
		return; /* nothing was accepted since */
	note_path(l, line, path);
	int fd = file_open("ledger.parted", path, O_WRONLY | O_CREAT | O_EXCL, 0640);
	if (fd == -EEXIST)
		return; /* parted before: the older note counts */
	int n = snprintf(text, sizeof text, "%llu\n", (unsigned long long)start);
	struct iovec iov = { text, (size_t)n };
	int rc = fd < 0 ? fd : file_write("ledger.parted", fd, &iov, 1, 0);
	if (rc == 0)
		rc = file_sync("ledger.parted", fd);
	if (fd >= 0)
		file_close(fd);
	if (rc == 0)
		rc = file_sync_dir("ledger.parted", l->conf->data_dir);
	if (rc < 0)
		log_warn("ledger", "cannot note in %s that the store of %s has parted: %s", path, line, strerror(-rc));
}

void ledger_note_found(struct ledger *l, const char *line)
{
	char path[4200];
	note_path(l, line, path);
	int rc = file_unlink("ledger.parted", path);
	if (rc < 0 && rc != -ENOENT)
		log_warn("ledger", "cannot remove %s: %s", path, strerror(-rc));
}
