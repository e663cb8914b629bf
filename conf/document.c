/* SPDX-License-Identifier: Apache-2.0 */
/* Prints conf/tally.yaml, or with `man` the options' section of the man page, from the tables of core/conf. */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"

int main(int argc, char **argv)
{
	struct arena a;
	arena_init(&a, 0);
	struct tally_str text = argc > 1 && strcmp(argv[1], "man") == 0 ? conf_manual(&a) : conf_document(&a);
	int rc = fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? 0 : 1;
	arena_free(&a);
	return rc;
}
