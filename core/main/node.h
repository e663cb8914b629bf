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

/* Makes data_dir if it is absent. 0 or -errno with why. */
must_check int node_open(const char *data_dir, struct node *out, char why[256]);

#endif
