/* SPDX-License-Identifier: Apache-2.0 */
/* Shared objects made on the spot, in a folder of their own, with the compiler that built the tests. */
#ifndef TESTS_BUILD_SO_H
#define TESTS_BUILD_SO_H

#include <stdbool.h>
#include <stddef.h>

struct so_dir {
	char path[64];
};

/* A new folder that only we can write to. */
void so_dir_make(struct so_dir *d);
void so_dir_remove(struct so_dir *d);

/* "DIR/NAME", in static memory that the next four calls leave alone. */
const char *so_path(const struct so_dir *d, const char *name);

/* Writes DIR/NAME.c and compiles it to DIR/NAME.so with these flags. The test fails with the compiler's words if it does
 * not compile. */
void so_build(const struct so_dir *d, const char *name, const char *source, const char *flags);

/* The same from tests/plug/probe.c, as a plugin of this name. */
void so_build_probe(const struct so_dir *d, const char *name, const char *flags);

/* Any C file, any flags: the header folder must be among them. False if it does not compile; the words go to stderr. */
bool so_compile(const struct so_dir *d, const char *name, const char *file, const char *flags);

/* One command of the shell, in the folder. False if it fails. */
bool so_shell(const struct so_dir *d, const char *command);

/* Any file. */
void so_write(const struct so_dir *d, const char *name, const void *bytes, size_t len);

#endif
