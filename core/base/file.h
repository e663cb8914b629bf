/* SPDX-License-Identifier: Apache-2.0 */
/* The file calls whose failure tally must survive, each behind a named seam (base/seam.h), so that a test can make the
 * N-th one fail, be short, stall or kill. Every function gives 0 or more, or -errno; none retries what the kernel
 * refused, apart from EINTR and the rest of a short write.
 *
 * A test may also watch what was done (file_watch): that is how crash images are made. [any thread] */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/check.h"

/* fd (close-on-exec) or -errno. */
must_check int file_open(const char *seam, const char *path, int flags, mode_t mode);

/* Writes all of iov at off by pwritev; iov is used up. After an error any part of it may be in the file. */
must_check int file_write(const char *seam, int fd, struct iovec *iov, int iovcnt, uint64_t off);

/* Reads until len or the end of the file; gives the bytes read or -errno. */
must_check ssize_t file_read(const char *seam, int fd, void *buf, size_t len, uint64_t off);

/* fdatasync, once. After an error the descriptor must never be synced again: Linux forgets what it failed to write. */
must_check int file_sync(const char *seam, int fd);

/* fsync of a directory, so that names made or removed in it last. */
must_check int file_sync_dir(const char *seam, const char *dir);

must_check int file_rename(const char *seam, const char *from, const char *to);
must_check int file_unlink(const char *seam, const char *path);

/* What the file system behind dir holds and what of it an ordinary user may still take. */
must_check int file_space(const char *seam, const char *dir, uint64_t *total, uint64_t *available);

enum file_op {
	FILE_OPENED,
	FILE_WRITTEN,
	FILE_SYNCED,
	FILE_SYNC_FAILED,
	FILE_DIR_SYNCED,
	FILE_RENAMED,
	FILE_UNLINKED,
	FILE_CLOSED,
};

/* One thing done. path: of OPENED, DIR_SYNCED, RENAMED (from) and UNLINKED; bytes: of WRITTEN, and the new name of
 * RENAMED. Apart from a failed sync only what succeeded is told, and of a broken write the part that was done. */
struct file_act {
	enum file_op op;
	int fd;
	const char *path;
	uint64_t off;
	const void *bytes;
	size_t len;
};

/* For tests: fn hears of everything done from now on, on the thread that does it; NULL ends it. Set it while no other
 * thread uses files. */
void file_watch(void (*fn)(void *arg, const struct file_act *act), void *arg);

/* Keeps a few descriptors back, so that file_open() finds one when connections have taken all the others. Again now and
 * then: those that were given up are kept back anew as soon as there are some. [any thread] */
void file_keep_spares(void);

/* Ignores the result: by then everything of worth was synced. */
void file_close(int fd);

#endif
