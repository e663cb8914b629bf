/* SPDX-License-Identifier: Apache-2.0 */
/* Prints conf/tally.yaml, or with `man` the page tally.yaml(5), from the tables of core/conf. */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

static const char man_head[] =
	".TH TALLY.YAML 5 \"\" tally\n"
	".SH NAME\ntally.yaml \\- configuration of tallyd\n"
	".SH DESCRIPTION\n"
	"One YAML file. An unknown option is an error that names the nearest known one; everything refused is named with\n"
	"file, line and column.\n"
	".B tallyd \\-t\nchecks a file,\n.B tallyd \\-T\nprints what is in force.\n.PP\n"
	"${NAME} and ${NAME:\\-default} take a value from the environment; $${ is a plain ${.\n"
	"Sizes are written with B, KiB, MiB, GiB or TiB (kB, MB, GB, TB are powers of 1000), times with us, ms, s, m, h, d\n"
	"or w. Relative paths are under\n.BR data_dir .\n.PP\n"
	"A top\\-level\n.B include:\nnames a file, or a list of files, relative to the file that includes them. They are read\n"
	"first; then the including file is laid over them: mappings merge, lists follow one another, and a single value of the\n"
	"including file wins.\n"
	".SH OPTIONS\n";

static const char man_tail[] = ".SH SEE ALSO\n.BR tallyd (8),\n.BR tally (1)\n";

static int print(struct tally_str text)
{
	return fwrite(text.ptr, 1, text.len, stdout) == text.len ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct arena a;
	int rc;
	arena_init(&a, 0);
	if (argc > 1 && strcmp(argv[1], "man") == 0)
		rc = print(STR(man_head)) | print(conf_manual(&a)) | print(STR(man_tail));
	else
		rc = print(conf_document(&a));
	arena_free(&a);
	return rc | (fflush(stdout) != 0);
}
