/* SPDX-License-Identifier: Apache-2.0 */
#include "pending.h"

#include <stdlib.h>

static struct run *run_at(const struct pending *p, size_t i)
{
	return &p->runs[(p->head + i) & (p->cap - 1)];
}

static bool grow(struct pending *p)
{
	struct pending made = { .cap = p->cap ? p->cap * 2 : 64, .n = p->n };
	made.runs = calloc(made.cap, sizeof *made.runs);
	if (!made.runs)
		return false;
	for (size_t i = 0; i < p->n; i++)
		made.runs[i] = *run_at(p, i);
	free(p->runs);
	*p = made;
	return true;
}

bool pending_add(struct pending *p, uint64_t ticket, uint64_t number)
{
	struct run *last = p->n ? run_at(p, p->n - 1) : NULL;
	if (last && last->ticket == ticket && last->count && last->first + last->count == number &&
		last->count < UINT32_MAX) {
		last->count++;
		return true;
	}
	if (p->n == p->cap && !grow(p))
		return false;
	*run_at(p, p->n++) = (struct run){ ticket, number, 1 };
	return true;
}

/* Tickets settle nearly in the order in which they came, so the one asked for stands near the front. */
bool pending_take(struct pending *p, uint64_t ticket, struct run *out)
{
	size_t i = 0;
	while (i < p->n && !(run_at(p, i)->ticket == ticket && run_at(p, i)->count))
		i++;
	if (i == p->n)
		return false;
	*out = *run_at(p, i);
	run_at(p, i)->count = 0;
	while (p->n && run_at(p, 0)->count == 0) {
		p->head = (p->head + 1) & (p->cap - 1);
		p->n--;
	}
	return true;
}

void pending_free(struct pending *p)
{
	free(p->runs);
	*p = (struct pending){ 0 };
}
