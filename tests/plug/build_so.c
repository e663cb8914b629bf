/* SPDX-License-Identifier: Apache-2.0 */
#include "build_so.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

/* Set by the build: the compiler as configured, and where the source lies. */
#ifndef TEST_CC
#define TEST_CC "cc"
#endif

__attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
{
	char command[2048];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	MUST(n > 0 && n < (int)sizeof command);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

void so_dir_make(struct so_dir *d)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(d->path, sizeof d->path, "%.40s/tally-plug-XXXXXX", tmp ? tmp : "/tmp");
	MUST(mkdtemp(d->path) != NULL);
}

void so_dir_remove(struct so_dir *d)
{
	run("rm -rf '%s'", d->path);
}

const char *so_path(const struct so_dir *d, const char *name)
{
	static char paths[5][256];
	static unsigned at;
	char *p = paths[at++ % 5];
	snprintf(p, sizeof paths[0], "%s/%s", d->path, name);
	return p;
}

void so_write(const struct so_dir *d, const char *name, const void *bytes, size_t len)
{
	FILE *f = fopen(so_path(d, name), "w");
	MUST(f != NULL && fwrite(bytes, 1, len, f) == len);
	MUST(fclose(f) == 0);
}

static void compile(const struct so_dir *d, const char *name, const char *source, const char *flags)
{
	run(TEST_CC " -std=c11 -O0 -fPIC -shared -I'%s/core/include' -I'%s' %s -o '%s/%s.so' '%s'", TEST_SRCDIR,
		d->path, flags, d->path, name, source);
}

void so_build(const struct so_dir *d, const char *name, const char *source, const char *flags)
{
	char file[64];
	snprintf(file, sizeof file, "%s.c", name);
	so_write(d, file, source, strlen(source));
	compile(d, name, so_path(d, file), flags);
}

void so_build_probe(const struct so_dir *d, const char *name, const char *flags)
{
	char all[512];
	snprintf(all, sizeof all, "-DPROBE_NAME='\"%s\"' %s", name, flags);
	compile(d, name, TEST_SRCDIR "/tests/plug/probe.c", all);
}
