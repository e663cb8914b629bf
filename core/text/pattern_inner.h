/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled pattern: steps of a machine that is in many of them at once. */
#ifndef TEXT_PATTERN_INNER_H
#define TEXT_PATTERN_INNER_H

#include <stdint.h>

#include "text/pattern.h"

enum pattern_op {
	PAT_BYTE,  /* eats the byte `byte` */
	PAT_SET,   /* eats a byte of sets[set] */
	PAT_BEGIN, /* goes on at the beginning of the text */
	PAT_END,   /* goes on at its end */
	PAT_JUMP,  /* goes on at here + to */
	PAT_SPLIT, /* goes on at here + 1 and at here + to */
	PAT_DONE   /* the text matches */
};

struct pattern_step {
	uint8_t op, byte;
	uint16_t set;
	int32_t to; /* relative, so that code can be moved and copied */
};

struct pattern_set {
	uint64_t bits[4];
};

struct pattern {
	const struct pattern_step *steps;
	const struct pattern_set *sets;
	size_t n;
};

static inline bool pattern_set_has(const struct pattern_set *s, unsigned char c)
{
	return s->bits[c >> 6] >> (c & 63) & 1;
}

#endif
