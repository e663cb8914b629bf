/* SPDX-License-Identifier: Apache-2.0 */
/* A day of a shop as NDJSON: Friday 2024-11-29 in Berlin, the same bytes every time.
 *
 * 656 visits spread over the day, most of them in the evening. A visit lands on the front page or on an item, looks at
 * some items, clicks some into the cart, and one in eight pays. Times are in UTC with milliseconds, in order. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define VISITS 656
#define EVENTS_MAX (VISITS * 32)
#define DAY_BEGINS_MS 1732834800000 /* 2024-11-28T23:00:00Z = 2024-11-29 00:00 in Berlin */

struct item {
	const char *name, *category;
	unsigned cents;
};

static const struct item items[] = {
	{ "kettle", "kitchen", 3490 },
	{ "teapot", "kitchen", 2450 },
	{ "toaster", "kitchen", 4999 },
	{ "lamp", "home", 5900 },
	{ "rug", "home", 12900 },
	{ "candle", "home", 890 },
	{ "novel", "books", 1400 },
	{ "atlas", "books", 4200 },
	{ "notebook", "books", 650 },
	{ "scarf", "clothes", 2990 },
	{ "gloves", "clothes", 1990 },
	{ "raincoat", "clothes", 8900 },
};

static const char *const referrers[] = { "", "", "https://search.example/?q=gifts", "https://search.example/?q=lamp",
	"https://news.example/friday", "https://social.example/p/81" };

/* Visits beginning in each hour of the day, in parts of 100. */
static const unsigned char hours[24] = { 1, 1, 0, 0, 0, 1, 2, 4, 5, 5, 5, 5, 6, 5, 4, 4, 5, 6, 8, 9, 9, 8, 5, 2 };

struct event {
	int64_t time_ms;
	unsigned order; /* as made: the second key, so that the order is whole */
	const char *name;
	unsigned visitor;
	const struct item *item; /* or NULL */
	const char *page;        /* a page without an item */
	const char *referrer;
	unsigned cents; /* 0 = no value */
};

static struct event events[EVENTS_MAX];
static unsigned nevents;
static uint64_t state = 20241129;

/* splitmix64, public domain, Sebastiano Vigna 2015 */
static unsigned chance(unsigned below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % below);
}

static void add(int64_t *now_ms, struct event e)
{
	if (nevents == EVENTS_MAX)
		abort();
	e.time_ms = *now_ms;
	e.order = nevents;
	events[nevents++] = e;
	*now_ms += 2000 + chance(90000);
}

static int64_t begin_of_visit(void)
{
	unsigned part = chance(100), hour = 0;
	while (part >= hours[hour])
		part -= hours[hour++];
	return DAY_BEGINS_MS + (int64_t)hour * 3600000 + chance(3600000);
}

/* Cheaper things at the front of each shelf are looked at more. */
static const struct item *pick(void)
{
	unsigned n = sizeof items / sizeof *items, a = chance(n), b = chance(n);
	return &items[a < b ? a : b];
}

static void visit(void)
{
	const struct item *cart[16];
	unsigned visitor = chance(420), in_cart = 0, looks = 1 + chance(8);
	int64_t now = begin_of_visit();
	if (chance(3))
		add(&now, (struct event){ .name = "view",
				  .visitor = visitor,
				  .page = "/",
				  .referrer = referrers[chance(sizeof referrers / sizeof *referrers)] });
	for (unsigned i = 0; i < looks; i++) {
		const struct item *it = pick();
		add(&now, (struct event){ .name = "view", .visitor = visitor, .item = it });
		if (chance(3) != 0)
			continue;
		add(&now, (struct event){ .name = "click", .visitor = visitor, .item = it });
		cart[in_cart++] = it;
	}
	if (in_cart == 0 || chance(100) < 65)
		return;
	add(&now, (struct event){ .name = "view", .visitor = visitor, .page = "/checkout" });
	for (unsigned i = 0; i < in_cart; i++)
		add(&now, (struct event){
				  .name = "purchase", .visitor = visitor, .item = cart[i], .cents = cart[i]->cents });
}

static int earlier(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void print(const struct event *e, unsigned number)
{
	printf("{\"id\":\"day-%05u\",\"site\":\"shop.example\",\"name\":\"%s\",\"time\":%" PRId64
	       ",\"visitor\":\"v%03u\"",
		number, e->name, e->time_ms, e->visitor);
	if (e->item)
		printf(",\"page\":\"/item/%s\"", e->item->name);
	else
		printf(",\"page\":\"%s\"", e->page);
	if (e->referrer && *e->referrer)
		printf(",\"referrer\":\"%s\"", e->referrer);
	if (e->cents)
		printf(",\"value\":%u.%02u", e->cents / 100, e->cents % 100);
	if (e->item)
		printf(",\"props\":{\"item\":\"%s\",\"category\":\"%s\"}", e->item->name, e->item->category);
	puts("}");
}

int main(void)
{
	for (unsigned i = 0; i < VISITS; i++)
		visit();
	qsort(events, nevents, sizeof *events, earlier);
	for (unsigned i = 0; i < nevents; i++)
		print(&events[i], i + 1);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
