/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of test data that is no part of the tree: TALLY_DATA, or ../shared/data beside the sources. A test that
 * needs it skips where it is absent. */
#ifndef TESTS_DATA_H
#define TESTS_DATA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#define TEST_SKIPPED 77

static inline const char *data_path(const char *name)
{
	static char path[4096];
	const char *dir = getenv("TALLY_DATA"), *src = getenv("srcdir");
	if (dir)
		snprintf(path, sizeof path, "%s/%s", dir, name);
	else
		snprintf(path, sizeof path, "%s/../shared/data/%s", src ? src : ".", name);
	return path;
}

/* For the end of main(): says why and gives the exit code, or 0 if the data is there. */
static inline int data_missing(const char *test, const char *name)
{
	if (access(data_path(name), R_OK) == 0)
		return 0;
	printf("skipped %s: no %s; TALLY_DATA names the folder of test data\n", test, data_path(name));
	return TEST_SKIPPED;
}

/* The whole file, malloc'ed; NULL if it cannot be read. */
static inline char *data_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	long size;
	char *bytes;
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	bytes = malloc((size_t)size + 1);
	*len = bytes ? fread(bytes, 1, (size_t)size, f) : 0;
	fclose(f);
	return bytes;
}

/* The same of a .zst file, unpacked. */
static inline char *data_read_zst(const char *path, size_t *len)
{
	size_t packed_len = 0, cap = (size_t)1 << 20, rc = 1;
	char *packed = data_read(path, &packed_len), *bytes = malloc(cap);
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer in = { packed, packed_len, 0 };
	ZSTD_outBuffer out = { bytes, cap, 0 };
	while (packed && bytes && rc != 0 && !ZSTD_isError(rc)) {
		if (out.pos == out.size) {
			out.size *= 2;
			out.dst = bytes = realloc(bytes, out.size);
		}
		rc = ZSTD_decompressStream(z, &out, &in);
	}
	ZSTD_freeDStream(z);
	free(packed);
	*len = out.pos;
	return rc == 0 ? bytes : NULL;
}

#endif
