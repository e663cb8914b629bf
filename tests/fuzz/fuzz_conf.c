/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file: refused with a place and words, or loaded; and what is loaded is printed as a file
 * that loads and prints the same. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NULL = refused. */
static struct conf *load(const void *bytes, size_t len, struct conf_error *err)
{
	char path[64];
	struct conf *c = NULL;
	int fd = memfd_create("conf", MFD_CLOEXEC);
	MUST(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int rc = conf_load(path, NULL, NULL, &c, err);
	close(fd);
	MUST((rc == 0) == (c != NULL));
	MUST(rc == 0 || strncmp(err->text, "/", 1) == 0 || strncmp(err->text, "default", 7) == 0);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_error err = { "" };
	struct conf *c = load(data, size, &err);
	if (!c)
		return 0;
	struct arena a;
	arena_init(&a, 0);
	struct tally_str first = conf_dump(c, &a);
	conf_free(c);
	c = load(first.ptr, first.len, &err);
	if (!c)
		fprintf(stderr, "%s\n%s", err.text, first.ptr);
	MUST(c != NULL);
	MUST(str_eq(conf_dump(c, &a), first));
	conf_free(c);
	arena_free(&a);
	return 0;
}
