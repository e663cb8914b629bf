/* SPDX-License-Identifier: Apache-2.0 */
#include "main/args.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* value: where the option's argument goes; flag: what it switches on. */
static const struct option_row {
	char letter;
	const char *argument; /* NULL = none */
	size_t value, flag;
	const char *help;
} rows[] = {
#define VALUE(field) offsetof(struct args, field), 0
#define FLAG(field) 0, offsetof(struct args, field)
	{ 'c', "FILE", VALUE(config), "the configuration (default: the built-in one)" },
	{ 'd', "DATA_DIR", VALUE(data_dir), "where the spool, the node's identity and SQLite live" },
	{ 'p', "PLUGIN_DIR", VALUE(plugin_dir), "where the .so files are" },
	{ 't', NULL, FLAG(check), "check the configuration and exit: 0, or 1 with file:line:column: message" },
	{ 'T', NULL, FLAG(dump), "print the effective configuration, secrets masked" },
	{ 'V', NULL, FLAG(version), "print the version" },
	{ 'l', "[FILE.so]", VALUE(vet), "list plugins and sinks with their options, or vet one file" },
	{ 'h', NULL, FLAG(help), "this help" },
};

static void usage(FILE *f)
{
	fprintf(f, "usage: tallyd [-c FILE] [-d DATA_DIR] [-p PLUGIN_DIR] [-t] [-T] [-V] [-l [FILE.so]]\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		fprintf(f, "  -%c %-11s %s\n", rows[i].letter, rows[i].argument ? rows[i].argument : "", rows[i].help);
}

static const struct option_row *find(char letter)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static int refuse(const char *arg, const char *why)
{
	fprintf(stderr, "tallyd: %s %s\n", arg, why);
	usage(stderr);
	return 2;
}

/* `-l` alone lists; with a file behind it that file is vetted. */
static int take(struct args *out, const struct option_row *r, int argc, char **argv, int *i)
{
	if (!r->argument) {
		*(bool *)((char *)out + r->flag) = true;
		return 0;
	}
	bool optional = r->argument[0] == '[';
	bool there = *i + 1 < argc && (!optional || argv[*i + 1][0] != '-');
	if (!there && !optional)
		return refuse(argv[*i], "needs an argument");
	if (optional)
		out->list = true;
	if (there)
		*(const char **)((char *)out + r->value) = argv[++*i];
	return 0;
}

int args_parse(int argc, char **argv, struct args *out)
{
	*out = (struct args){ 0 };
	for (int i = 1; i < argc; i++) {
		const struct option_row *r = argv[i][0] == '-' && strlen(argv[i]) == 2 ? find(argv[i][1]) : NULL;
		if (!r)
			return refuse(argv[i], "is not an option");
		int rc = take(out, r, argc, argv, &i);
		if (rc)
			return rc;
	}
	if (out->help)
		usage(stdout);
	return 0;
}
