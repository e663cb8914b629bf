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

__attribute__((format(printf, 1, 2))) static bool run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	MUST(n > 0 && n < (int)sizeof command);
	if (system(command) == 0)
		return true;
	fprintf(stderr, "failed: %s\n", command);
	return false;
}

void so_dir_make(struct so_dir *d)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(d->path, sizeof d->path, "%.40s/tally-plug-XXXXXX", tmp ? tmp : "/tmp");
	MUST(mkdtemp(d->path) != NULL);
}

void so_dir_remove(struct so_dir *d)
{
	MUST(run("rm -rf '%s'", d->path));
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

bool so_compile(const struct so_dir *d, const char *name, const char *file, const char *flags)
{
	return run(TEST_CC " -std=c11 -O0 -fPIC -shared %s -o '%s/%s.so' '%s'", flags, d->path, name, file);
}

bool so_shell(const struct so_dir *d, const char *command)
{
	return run("cd '%s' && %s", d->path, command);
}

void so_build(const struct so_dir *d, const char *name, const char *source, const char *flags)
{
	char file[64], all[1024];
	snprintf(file, sizeof file, "%s.c", name);
	so_write(d, file, source, strlen(source));
	snprintf(all, sizeof all, "-I'" TEST_SRCDIR "/core/include' %s", flags);
	MUST(so_compile(d, name, so_path(d, file), all));
}

void so_build_probe(const struct so_dir *d, const char *name, const char *flags)
{
	char all[1024];
	snprintf(all, sizeof all, "-I'" TEST_SRCDIR "/core/include' -DPROBE_NAME='\"%s\"' %s", name, flags);
	MUST(so_compile(d, name, TEST_SRCDIR "/tests/plug/probe.c", all));
}
