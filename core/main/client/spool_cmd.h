/* SPDX-License-Identifier: Apache-2.0 */
/* What the offline commands `tally spool check|dump|adopt` share. They work on a data_dir, not through the daemon. */
#ifndef CLIENT_SPOOL_CMD_H
#define CLIENT_SPOOL_CMD_H

#include <sys/types.h>

#include "main/client/client.h"
#include "main/node.h"
#include "spool/look.h"
#include "text/write.h"

struct spool_cmd {
	struct client *c;
	const char *data_dir;
	char dir[4096]; /* data_dir/spool */
	struct node node;
	uint64_t from, to; /* --from, --to; 0 and UINT64_MAX if not given */
	bool as_new_node, force;
};

/* Who holds the lock of that spool: a pid, 0 = nobody, -1 = somebody who cannot be named. Leaves the lock alone. */
pid_t spool_holder(const char *dir);

int spool_check(struct spool_cmd *cmd);
int spool_dump(struct spool_cmd *cmd);
int spool_adopt(struct spool_cmd *cmd);

/* Members of a JSON object that is being written. */
void spool_put_uint(struct text_out *o, const char *key, uint64_t n);
void spool_put_hex(struct text_out *o, const char *key, uint64_t n);
void spool_put_time(struct text_out *o, const char *key, int64_t us); /* left out if 0 */

/* Prints why on stderr; the exit code of what cannot be done. */
int spool_refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

const char *spool_type_name(uint32_t type);

#endif
