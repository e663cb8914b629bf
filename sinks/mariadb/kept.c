/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared statements of a reader's connection, by their text: most questions look up the same few things first. */
#include "mariadb.h"

#include <stdlib.h>
#include <string.h>

#define SQL_MAX 4096 /* longer ones are lists of values: no two are alike */

void md_kept_let_go(struct md_kept *k)
{
	if (k->st)
		mysql_stmt_close(k->st);
	free(k->sql);
	*k = (struct md_kept){ 0 };
}

void md_kept_forget(struct md_kept_list *list)
{
	for (size_t i = 0; i < MD_KEPT_MAX; i++)
		md_kept_let_go(&list->all[i]);
}

struct md_kept *md_kept_place(struct md_kept_list *list, const char *sql)
{
	struct md_kept *oldest = &list->all[0];
	if (strlen(sql) > SQL_MAX)
		return NULL;
	for (size_t i = 0; i < MD_KEPT_MAX; i++) {
		struct md_kept *k = &list->all[i];
		if (k->sql && strcmp(k->sql, sql) == 0) {
			k->used = ++list->clock;
			return k;
		}
		if (k->used < oldest->used)
			oldest = k;
	}
	md_kept_let_go(oldest);
	oldest->sql = strdup(sql);
	oldest->used = ++list->clock;
	return oldest->sql ? oldest : NULL;
}
