/* SPDX-License-Identifier: Apache-2.0 */
/* Building a zone span by span. */
#include "zone/spans.h"

#include <stdlib.h>
#include <string.h>

struct zone *zone_make(const char *name, int32_t first_offset)
{
	struct zone *z = calloc(1, sizeof *z);
	MUST(z != NULL);
	z->name = strdup(name);
	MUST(z->name != NULL);
	z->fold_end = INT64_MAX;
	zone_span(z, ZONE_NEVER, first_offset);
	return z;
}

static void grow(struct zone *z)
{
	size_t cap = z->n ? z->n * 2 : 1;
	z->from = realloc(z->from, cap * sizeof *z->from);
	z->offset = realloc(z->offset, cap * sizeof *z->offset);
	MUST(z->from != NULL && z->offset != NULL);
}

void zone_span(struct zone *z, int64_t from, int32_t offset)
{
	while (z->n && from <= z->from[z->n - 1] && from != ZONE_NEVER)
		z->n--;
	if (z->n && z->offset[z->n - 1] == offset)
		return;
	if ((z->n & (z->n - 1)) == 0) /* 0 or a power of two: full */
		grow(z);
	z->from[z->n] = z->n ? from : ZONE_NEVER;
	z->offset[z->n++] = offset;
}

void zone_seal(struct zone *z)
{
	z->high = calloc(z->n, sizeof *z->high);
	MUST(z->high != NULL);
	z->high[0] = ZONE_NEVER;
	for (size_t i = 1; i < z->n; i++) {
		int64_t last = z->from[i] + z->offset[i - 1] - 1;
		z->high[i] = last > z->high[i - 1] ? last : z->high[i - 1];
	}
}

void zone_free(struct zone *z)
{
	if (!z)
		return;
	free(z->name);
	free(z->from);
	free(z->high);
	free(z->offset);
	free(z);
}
