/* SPDX-License-Identifier: Apache-2.0 */
/* A context for reading events in tests: a clock that stands, one site with a window, one without. */
#ifndef TESTS_EVENT_FIXTURE_H
#define TESTS_EVENT_FIXTURE_H

#include "event/event.h"

#define FIXTURE_NOW INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define FIXTURE_HOUR INT64_C(3600000000)

static inline const struct event_site *fixture_site(void *arg, struct tally_str name)
{
	static const struct event_site any = { .past_us = INT64_MAX, .future_us = 10 * INT64_C(60000000) };
	static const struct event_site strict = { .past_us = FIXTURE_HOUR, .future_us = 10 * INT64_C(60000000) };
	static const struct event_site open = { .past_us = INT64_MAX, .future_us = INT64_MAX };
	(void)arg;
	return str_eq(name, STR("strict")) ? &strict : str_eq(name, STR("open")) ? &open : &any;
}

static inline struct tally_str fixture_visitor(void *arg)
{
	(void)arg;
	return STR("v0");
}

static inline struct event_context fixture_context(void)
{
	return (struct event_context){
		.limits = { .event_bytes = 65536, .depth = 32, .max_events = 10000 },
		.default_site = STR("default"),
		.now_us = FIXTURE_NOW,
		.site = fixture_site,
		.anonymous = fixture_visitor,
	};
}

#endif
