/* SPDX-License-Identifier: Apache-2.0 */
/* Matching. Instead of trying one way after another, which is what makes matchers run for ever, all ways are gone at
 * once: the set of steps that the bytes so far lead to, each at most once. */
#include <string.h>

#include "text/pattern_inner.h"

struct ways {
	uint16_t at[PATTERN_STEPS_MAX + 1];
	size_t n;
};

struct match {
	const struct pattern *p;
	uint32_t seen[PATTERN_STEPS_MAX + 1]; /* the round in which a step was last added */
	uint32_t round;
	bool first, last; /* place in the text */
	bool done;
};

/* Step i and all that follow it without eating a byte. The depth is bounded by the steps of a pattern. */
static void add(struct match *m, struct ways *w, size_t i)
{
	for (;;) {
		const struct pattern_step *s = &m->p->steps[i];
		if (m->seen[i] == m->round)
			return;
		m->seen[i] = m->round;
		switch (s->op) {
		case PAT_DONE:
			m->done = true;
			return;
		case PAT_JUMP:
			i = (size_t)((int32_t)i + s->to);
			continue;
		case PAT_SPLIT:
			add(m, w, i + 1);
			i = (size_t)((int32_t)i + s->to);
			continue;
		case PAT_BEGIN:
		case PAT_END:
			if (!(s->op == PAT_BEGIN ? m->first : m->last))
				return;
			i++;
			continue;
		default:
			w->at[w->n++] = (uint16_t)i;
			return;
		}
	}
}

static void step(struct match *m, const struct ways *from, struct ways *to, unsigned char c)
{
	for (size_t i = 0; i < from->n && !m->done; i++) {
		const struct pattern_step *s = &m->p->steps[from->at[i]];
		if (s->op == PAT_BYTE ? s->byte == c : pattern_set_has(&m->p->sets[s->set], c))
			add(m, to, (size_t)from->at[i] + 1);
	}
}

bool pattern_matches(const struct pattern *p, struct tally_str text)
{
	struct ways ways[2];
	struct match m;
	m.p = p;
	m.round = 0;
	m.done = false;
	memset(m.seen, 0, p->n * sizeof *m.seen);
	bool anchored = p->steps[0].op == PAT_BEGIN;
	ways[0].n = 0;
	for (size_t i = 0;; i++) {
		struct ways *now = &ways[i & 1], *next = &ways[~i & 1];
		m.first = i == 0;
		m.last = i == text.len;
		if (i == 0)
			m.round++; /* later ones were begun by step() */
		if (i == 0 || !anchored)
			add(&m, now, 0);
		if (m.done || i == text.len || (anchored && now->n == 0))
			return m.done;
		next->n = 0;
		m.round++;
		m.first = false;
		m.last = i + 1 == text.len;
		step(&m, now, next, (unsigned char)text.ptr[i]);
		if (m.done)
			return true;
	}
}
