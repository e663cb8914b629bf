/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/seam.h"
#include "unit.h"

static char path[] = "/tmp/tally-file-XXXXXX";

static int make(void **state)
{
	int fd = mkstemp(path);
	*state = NULL;
	return fd < 0 ? -1 : close(fd);
}

static int clean(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_all(int fd, const char *seams, int want)
{
	char out[16] = { 0 };
	char text[] = "abcdefghij";
	struct iovec iov[3] = { { text, 4 }, { text, 0 }, { text + 4, 6 } };
	assert_int_equal(seam_arm(seams), 0);
	assert_int_equal(file_write("t.write", fd, iov, 3, 2), want);
	assert_int_equal(seam_arm(NULL), 0);
	if (want)
		return;
	assert_int_equal(file_read("t.read", fd, out, sizeof out, 2), 10);
	assert_string_equal(out, "abcdefghij");
	assert_int_equal(ftruncate(fd, 0), 0);
}

static void writes_go_on_after_short_ones_and_interrupts(void **state)
{
	(void)state;
	int fd = file_open("t.open", path, O_RDWR, 0);
	assert_true(fd >= 0);
	write_all(fd, NULL, 0);
	write_all(fd, "t.write:1:short", 0);
	write_all(fd, "t.write:1:short,t.write:2:short,t.write:3:short", 0);
	write_all(fd, "t.write:1:EINTR,t.write:2:short", 0);
	write_all(fd, "t.write:1:short,t.write:2:ENOSPC", -ENOSPC);
	write_all(fd, "t.write:1:EIO", -EIO);
	file_close(fd);
}

static unsigned told[FILE_CLOSED + 1];

static void count(void *arg, const struct file_act *act)
{
	(void)arg;
	told[act->op]++;
}

static void the_watch_hears_what_was_done(void **state)
{
	(void)state;
	char text[] = "xyz";
	struct iovec iov = { text, 3 };
	file_watch(count, NULL);
	int fd = file_open("t.open", path, O_RDWR, 0);
	assert_int_equal(file_write("t.write", fd, &iov, 1, 0), 0);
	assert_int_equal(file_sync("t.sync", fd), 0);
	assert_int_equal(seam_arm("t.sync:1:EIO,t.unlink:1:EROFS,t.rename:1:EIO"), 0);
	assert_int_equal(file_sync("t.sync", fd), -EIO);
	assert_int_equal(file_unlink("t.unlink", path), -EROFS);
	assert_int_equal(file_rename("t.rename", path, "/nowhere/x"), -EIO);
	assert_int_equal(seam_arm(NULL), 0);
	assert_int_equal(file_sync_dir("t.dirsync", "/tmp"), 0);
	file_close(fd);
	file_watch(NULL, NULL);
	assert_int_equal(told[FILE_OPENED], 1);
	assert_int_equal(told[FILE_WRITTEN], 1);
	assert_int_equal(told[FILE_SYNCED], 1);
	assert_int_equal(told[FILE_SYNC_FAILED], 1);
	assert_int_equal(told[FILE_DIR_SYNCED], 1);
	assert_int_equal(told[FILE_UNLINKED] + told[FILE_RENAMED], 0);
	assert_int_equal(told[FILE_CLOSED], 1);
}

static void errors_come_back_as_negative_errno(void **state)
{
	(void)state;
	uint64_t total, available;
	assert_int_equal(file_open("t.open", "/nowhere/x", O_RDONLY, 0), -ENOENT);
	assert_int_equal(file_unlink("t.unlink", "/nowhere/x"), -ENOENT);
	assert_int_equal(file_rename("t.rename", "/nowhere/x", path), -ENOENT);
	assert_int_equal(file_sync_dir("t.dirsync", "/nowhere"), -ENOENT);
	assert_int_equal(file_space("t.space", "/nowhere", &total, &available), -ENOENT);
	assert_int_equal(file_space("t.space", "/tmp", &total, &available), 0);
	assert_true(available <= total);
	assert_int_equal(file_sync("t.sync", -1), -EBADF);
}

/* Connections may have taken all descriptors; what the spool opens is found all the same, and what it closes is kept. */
static void spares_serve_when_descriptors_are_used_up(void **state)
{
	(void)state;
	enum { MOST = 64 };
	int taken[MOST], n = 0, ours[8], none;
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ MOST, before.rlim_max }), 0);
	file_keep_spares();
	while (n < MOST && (taken[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	assert_true(n < MOST);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++)
			assert_true((ours[i] = file_open("t.open", path, O_RDWR, 0)) >= 0);
		assert_int_equal(file_open("t.open", path, O_RDWR, 0), -EMFILE);
		for (int i = 0; i < 8; i++)
			file_close(ours[i]);
		none = open("/dev/null", O_RDONLY | O_CLOEXEC); /* what was closed is nobody else's */
		assert_int_equal(none, -1);
		assert_int_equal(file_sync_dir("t.dirsync", "/tmp"), 0);
	}
	while (n)
		close(taken[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_go_on_after_short_ones_and_interrupts),
		cmocka_unit_test(the_watch_hears_what_was_done),
		cmocka_unit_test(errors_come_back_as_negative_errno),
		cmocka_unit_test(spares_serve_when_descriptors_are_used_up),
	};
	return cmocka_run_group_tests_name("file", tests, make, clean);
}
