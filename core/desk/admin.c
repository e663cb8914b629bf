/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator asks: alive, ready, metrics, ledger. No plugin stands before these. */
#include "desk/inner.h"
#include "meter/meter.h"

static void text(struct visit *v, int status, struct tally_str type, struct tally_str body)
{
	v->rq->answer =
		(struct desk_answer){ .status = status, .type = type, .body = body, .cache_control = "no-store" };
}

static void ready(struct visit *v)
{
	const struct desk_view *view = &v->desk->opt.view;
	char why[256] = "", replicas[256] = "";
	if (!view->ready || view->ready(view->arg, why)) {
		if (v->desk->store)
			store_note(v->desk->store, replicas); /* answers come from elsewhere */
		text(v, 200, STR("text/plain; charset=utf-8"),
			str_of(arena_printf(&v->rq->arena, "ready%s%s%s%s\n", *why ? "; " : "", why,
				*replicas ? "; " : "", replicas)));
		return;
	}
	text(v, 503, STR("text/plain; charset=utf-8"), str_of(arena_printf(&v->rq->arena, "not ready: %s\n", why)));
}

static void ledger(struct visit *v)
{
	const struct desk_view *view = &v->desk->opt.view;
	if (!view->ledger) {
		visit_problem(v, 503, "not_ready", 1, "the ledger is not open");
		return;
	}
	text(v, 200, STR("application/json"), view->ledger(view->arg, &v->rq->arena));
}

bool admin_answer(struct visit *v)
{
	const struct desk_ask *ask = &v->rq->ask;
	switch (route_find(ask->method, ask->path).route) {
	case ROUTE_HEALTH:
		text(v, 200, STR("text/plain; charset=utf-8"), STR("alive\n"));
		return true;
	case ROUTE_READY:
		ready(v);
		return true;
	case ROUTE_METRICS:
		text(v, 200, STR("text/plain; version=0.0.4; charset=utf-8"), meter_print(&v->rq->arena));
		return true;
	case ROUTE_LEDGER:
		ledger(v);
		return true;
	default:
		return false;
	}
}
