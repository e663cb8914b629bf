/* SPDX-License-Identifier: Apache-2.0 */
/* The node's identity: a random UUID in data_dir/node, made once. */
#ifndef MAIN_NODE_H
#define MAIN_NODE_H

#include <stdint.h>

#include "base/check.h"

struct node {
	uint8_t uuid[16];
	char text[37]; /* 36 characters and a NUL */
};

#define NODE_ADOPTING "adopting" /* in data_dir while `tally spool adopt` works on it: no daemon starts there */

/* Makes data_dir if it is absent. 0 or -errno with why. */
must_check int node_open(const char *data_dir, struct node *out, char why[256]);

/* The identity of a data_dir that has one. 0; -ENOENT: it has none; another -errno with why. */
must_check int node_read(const char *data_dir, struct node *out, char why[256]);

void node_draw(struct node *out);
/* Replaces it, durably and whole. */
must_check int node_write(const char *data_dir, const struct node *n);
/* So for any small text file of data_dir. */
must_check int node_write_file(const char *data_dir, const char *name, const char *text);

#endif
