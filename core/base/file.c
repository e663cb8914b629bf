/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/seam.h"

#define ENTRIES_MAX 1024 /* of one pwritev; the Linux limit */

static void (*watch_fn)(void *arg, const struct file_act *act);
static void *watch_arg;

void file_watch(void (*fn)(void *arg, const struct file_act *act), void *arg)
{
	watch_fn = fn;
	watch_arg = arg;
}

static void tell(struct file_act act)
{
	if (watch_fn)
		watch_fn(watch_arg, &act);
}

/* ---- descriptors kept back ---- */

#define SPARES 8

static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static int spares[SPARES], nspares, null_fd = -1;

void file_keep_spares(void)
{
	pthread_mutex_lock(&spare_lock);
	if (null_fd < 0)
		null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (null_fd >= 0 && nspares < SPARES) {
		int fd = fcntl(null_fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			break;
		spares[nspares++] = fd;
	}
	pthread_mutex_unlock(&spare_lock);
}

static bool give_up_spare(void)
{
	pthread_mutex_lock(&spare_lock);
	bool had = nspares > 0;
	if (had)
		close(spares[--nspares]);
	pthread_mutex_unlock(&spare_lock);
	return had;
}

/* The descriptor's place goes to what is kept back without being free for a moment: a client would have it. */
static bool keep_as_spare(int fd)
{
	pthread_mutex_lock(&spare_lock);
	bool kept = null_fd >= 0 && nspares < SPARES && dup3(null_fd, fd, O_CLOEXEC) == fd;
	if (kept)
		spares[nspares++] = fd;
	pthread_mutex_unlock(&spare_lock);
	return kept;
}

static bool may_try_again(int error)
{
	return error == EINTR || ((error == EMFILE || error == ENFILE) && give_up_spare());
}

static int open_anyway(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && may_try_again(errno));
	return fd;
}

int file_open(const char *seam, const char *path, int flags, mode_t mode)
{
	int rc = seam_pass(seam);
	if (rc < 0)
		return rc;
	int fd = open_anyway(path, flags, mode);
	if (fd < 0)
		return -errno;
	tell((struct file_act){ .op = FILE_OPENED, .fd = fd, .path = path });
	return fd;
}

/* Takes the first n bytes off iov. Gives the entries that remain. */
static int advance(struct iovec **iov, int iovcnt, size_t n)
{
	while (iovcnt && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		++*iov;
		iovcnt--;
	}
	if (iovcnt) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
	return iovcnt;
}

static void tell_written(int fd, const struct iovec *iov, size_t n, uint64_t off)
{
	for (; watch_fn && n; iov++) {
		size_t len = iov->iov_len < n ? iov->iov_len : n;
		tell((struct file_act){ .op = FILE_WRITTEN, .fd = fd, .off = off, .bytes = iov->iov_base, .len = len });
		off += len;
		n -= len;
	}
}

/* One pwritev, or half of its first entry where a seam asks for a short one. */
static ssize_t write_some(const char *seam, int fd, const struct iovec *iov, int iovcnt, uint64_t off)
{
	ssize_t n;
	int rc = seam_pass(seam);
	if (rc == -EINTR)
		return 0;
	if (rc < 0)
		return rc;
	struct iovec half = { iov->iov_base, iov->iov_len / 2 };
	if (rc == SEAM_SHORT)
		n = pwritev(fd, &half, 1, (off_t)off);
	else
		n = pwritev(fd, iov, iovcnt < ENTRIES_MAX ? iovcnt : ENTRIES_MAX, (off_t)off);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 && rc != SEAM_SHORT ? -EIO : n;
}

int file_write(const char *seam, int fd, struct iovec *iov, int iovcnt, uint64_t off)
{
	iovcnt = advance(&iov, iovcnt, 0);
	while (iovcnt) {
		ssize_t n = write_some(seam, fd, iov, iovcnt, off);
		if (n < 0)
			return (int)n;
		tell_written(fd, iov, (size_t)n, off);
		off += (uint64_t)n;
		iovcnt = advance(&iov, iovcnt, (size_t)n);
	}
	return 0;
}

ssize_t file_read(const char *seam, int fd, void *buf, size_t len, uint64_t off)
{
	size_t got = 0;
	int rc = seam_pass(seam);
	if (rc < 0)
		return rc;
	while (got < len) {
		ssize_t n = pread(fd, (char *)buf + got, len - got, (off_t)(off + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int file_sync(const char *seam, int fd)
{
	int rc = seam_pass(seam);
	if (rc >= 0)
		rc = fdatasync(fd) < 0 ? -errno : 0;
	tell((struct file_act){ .op = rc < 0 ? FILE_SYNC_FAILED : FILE_SYNCED, .fd = fd });
	return rc;
}

int file_sync_dir(const char *seam, const char *dir)
{
	int rc = seam_pass(seam);
	if (rc < 0)
		return rc;
	int fd = open_anyway(dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) < 0 ? -errno : 0;
	if (!keep_as_spare(fd))
		close(fd);
	if (rc == 0)
		tell((struct file_act){ .op = FILE_DIR_SYNCED, .fd = -1, .path = dir });
	return rc;
}

int file_rename(const char *seam, const char *from, const char *to)
{
	int rc = seam_pass(seam);
	if (rc < 0)
		return rc;
	if (rename(from, to) < 0)
		return -errno;
	tell((struct file_act){ .op = FILE_RENAMED, .fd = -1, .path = from, .bytes = to, .len = strlen(to) });
	return 0;
}

int file_unlink(const char *seam, const char *path)
{
	int rc = seam_pass(seam);
	if (rc < 0)
		return rc;
	if (unlink(path) < 0)
		return -errno;
	tell((struct file_act){ .op = FILE_UNLINKED, .fd = -1, .path = path });
	return 0;
}

int file_space(const char *seam, const char *dir, uint64_t *total, uint64_t *available)
{
	struct statvfs st;
	int rc = seam_pass(seam);
	if (rc < 0)
		return rc;
	if (statvfs(dir, &st) < 0)
		return -errno;
	*total = (uint64_t)st.f_blocks * st.f_frsize;
	*available = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

void file_close(int fd)
{
	tell((struct file_act){ .op = FILE_CLOSED, .fd = fd });
	if (!keep_as_spare(fd))
		close(fd);
}
