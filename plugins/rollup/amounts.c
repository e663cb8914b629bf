/* SPDX-License-Identifier: Apache-2.0 */
/* Counts saturate and sums stay finite: a store refuses neither. */
#include <errno.h>
#include <float.h>

#include "rollup.h"

static int64_t add_count(int64_t a, int64_t b)
{
	int64_t sum;
	return !__builtin_add_overflow(a, b, &sum) ? sum : b > 0 ? INT64_MAX : INT64_MIN;
}

/* What the metric counts of a visit; false = it is no sum over visits. */
static bool of_visit(uint32_t kind, const struct tally_visit *v, int64_t *out)
{
	switch (kind) {
	case TALLY_VISITS:
		*out = v->visits;
		return true;
	case TALLY_BOUNCES:
		*out = v->bounces;
		return true;
	case TALLY_DURATION:
		*out = v->duration_us;
		return true;
	case TALLY_VIEWS:
		*out = v->views;
		return true;
	}
	return false;
}

static bool is_of_visits(uint32_t kind)
{
	static const struct tally_visit none;
	int64_t n;
	return of_visit(kind, &none, &n);
}

bool amounts_of_visits(const struct tally_rollup *r)
{
	for (uint32_t i = 0; i < r->nmetrics; i++)
		if (is_of_visits(r->metrics[i].kind))
			return true;
	return false;
}

bool amounts_of_events(const struct tally_rollup *r)
{
	for (uint32_t i = 0; i < r->nmetrics; i++)
		if (!is_of_visits(r->metrics[i].kind))
			return true;
	return false;
}

void amounts_add_visit(const struct tally_rollup *r, struct amount *am, const struct tally_visit *v, int sign)
{
	int64_t n;
	for (uint32_t i = 0; i < r->nmetrics; i++)
		if (of_visit(r->metrics[i].kind, v, &n))
			am[i].count = add_count(am[i].count, sign * n);
}

static double add_number(double a, double b)
{
	double sum = a + b;
	return sum > DBL_MAX ? DBL_MAX : sum < -DBL_MAX ? -DBL_MAX : sum;
}

static bool is(struct tally_str s, const char *text, size_t len)
{
	return s.len == len && memcmp(s.ptr, text, len) == 0;
}

static bool is_pageview(struct tally_str name)
{
	return is(name, "view", 4) || is(name, "pageview", 8);
}

/* The number a metric is about; a string is no number even if it looks like one. */
static bool number_of(const struct tally_metric *m, const struct tally_event *ev, double *out)
{
	if (!m->is_prop) {
		*out = ev->value;
		return ev->has_value != 0;
	}
	for (uint32_t i = 0; i < ev->nprops; i++) {
		const struct tally_prop *p = &ev->props[i];
		if (!is(p->key, m->field.ptr, m->field.len))
			continue;
		*out = p->number;
		return p->type == TALLY_PROP_NUMBER;
	}
	return false;
}

/* count: how many numbers; number: their sum, or the least or greatest. */
static void take_number(uint32_t kind, struct amount *a, double number, int64_t count)
{
	if (kind == TALLY_SUM)
		a->v.number = add_number(a->v.number, number);
	else if (a->count == 0 || (kind == TALLY_MIN ? number < a->v.number : number > a->v.number))
		a->v.number = number;
	a->count = add_count(a->count, count);
}

int amounts_add(struct rollup *ro, const struct tally_rollup *r, struct amount *am, const struct tally_event *ev,
	const uint64_t *visitor)
{
	int64_t weight = ev->weight ? ev->weight : 1;
	int rc = 0;
	double number;
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		uint32_t kind = r->metrics[i].kind;
		switch (kind) {
		case TALLY_EVENTS:
			am[i].count = add_count(am[i].count, weight);
			break;
		case TALLY_PAGEVIEWS:
			if (is_pageview(ev->name))
				am[i].count = add_count(am[i].count, weight);
			break;
		case TALLY_VISITORS:
			if (visitor)
				rc = people_add(ro, &am[i].v.people, *visitor);
			break;
		case TALLY_SUM:
		case TALLY_MIN:
		case TALLY_MAX:
			if (number_of(&r->metrics[i], ev, &number))
				take_number(kind, &am[i], kind == TALLY_SUM ? number * (double)weight : number, weight);
			break;
		case TALLY_QUANTILE:
			if (number_of(&r->metrics[i], ev, &number))
				rc = numbers_add(ro, &am[i].v.numbers, number, weight);
			break;
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

int amounts_merge(struct rollup *ro, const struct tally_rollup *r, struct amount *into, const struct amount *from)
{
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		uint32_t kind = r->metrics[i].kind;
		int rc = 0;
		if (kind == TALLY_EVENTS || kind == TALLY_PAGEVIEWS || is_of_visits(kind))
			into[i].count = add_count(into[i].count, from[i].count);
		else if (kind == TALLY_VISITORS)
			rc = people_merge(ro, &into[i].v.people, &from[i].v.people);
		else if (kind == TALLY_QUANTILE)
			rc = numbers_merge(ro, &into[i].v.numbers, &from[i].v.numbers);
		else if (from[i].count)
			take_number(kind, &into[i], from[i].v.number, from[i].count);
		if (rc != 0)
			return rc;
	}
	return 0;
}

struct amount *amounts_copy(struct rollup *ro, const struct tally_rollup *r, const struct amount *from)
{
	struct amount *am = ro->host->alloc(ro->in, r->nmetrics * sizeof *am);
	if (!am)
		return NULL;
	memcpy(am, from, r->nmetrics * sizeof *am);
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		uint32_t kind = r->metrics[i].kind;
		if (kind == TALLY_VISITORS && people_copy(ro, &am[i].v.people) != 0)
			return NULL;
		if (kind == TALLY_QUANTILE && numbers_copy(ro, &am[i].v.numbers) != 0)
			return NULL;
	}
	return am;
}

static int seal_people(struct rollup *ro, struct people *p, struct tally_amount *out)
{
	int rc = people_seal(ro, p);
	out->sketch = p->count ? p->data : NULL;
	out->sketch_len = rc == 0 ? p->count : 0;
	return rc;
}

static int seal_numbers(struct rollup *ro, struct numbers *nu, struct tally_amount *out)
{
	int rc = numbers_seal(ro, nu);
	out->sketch = nu->len ? nu->sketch : NULL;
	out->sketch_len = nu->len;
	return rc;
}

int amounts_seal(struct rollup *ro, const struct tally_rollup *r, struct amount *am, struct tally_amount *out)
{
	for (uint32_t i = 0; i < r->nmetrics; i++) {
		uint32_t kind = r->metrics[i].kind;
		int rc = 0;
		out[i] = (struct tally_amount){ .count = am[i].count };
		if (kind == TALLY_VISITORS)
			rc = seal_people(ro, &am[i].v.people, &out[i]);
		else if (kind == TALLY_QUANTILE)
			rc = seal_numbers(ro, &am[i].v.numbers, &out[i]);
		else
			out[i].number = am[i].v.number;
		if (rc != 0)
			return rc;
	}
	return 0;
}
