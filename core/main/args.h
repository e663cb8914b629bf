/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of tallyd, by table. */
#ifndef MAIN_ARGS_H
#define MAIN_ARGS_H

#include <stdbool.h>

struct args {
	const char *config, *data_dir, *plugin_dir; /* NULL = not given */
	bool check, dump, version, list, help;
	const char *vet; /* -l FILE.so */
};

/* 0; 2 (usage, said on stderr). */
int args_parse(int argc, char **argv, struct args *out);

#endif
