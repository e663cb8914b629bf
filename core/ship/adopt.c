/* SPDX-License-Identifier: Apache-2.0 */
/* A line's tables found under its old name: an operator says which, the ship's thread hands it to the sink before it
 * asks for the position the next time. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "ship/inner.h"

#define LOOK_NS 2000000

static int ask(struct ship *s, const char *from, const struct ship_adopting *with, char words[512])
{
	int rc = 0;
	pthread_mutex_lock(&s->stats_lock);
	if (s->adopt.state == ADOPT_ASKED) {
		rc = -EBUSY;
		snprintf(words, 512, "another adopt of this line is under way");
	} else if (!s->stats.stopped) {
		rc = -EALREADY;
		snprintf(words, 512, "the line %s does not stand in front of another line's tables", s->in->name);
	} else {
		s->adopt.state = ADOPT_ASKED;
		s->adopt.with = *with;
		snprintf(s->adopt.from, sizeof s->adopt.from, "%s", from);
	}
	pthread_mutex_unlock(&s->stats_lock);
	return rc;
}

static bool is_over(struct ship *s, int *rc, char words[512])
{
	pthread_mutex_lock(&s->stats_lock);
	bool over = s->adopt.state == ADOPT_DONE;
	*rc = over && s->adopt.rc == TALLY_SINK_OK ? 0 : -EINVAL;
	if (over)
		snprintf(words, 512, "%s", s->adopt.words);
	pthread_mutex_unlock(&s->stats_lock);
	return over;
}

/* What was asked is taken back if nobody has come to it. */
static int give_up(struct ship *s, char words[512])
{
	int rc;
	if (is_over(s, &rc, words))
		return rc;
	pthread_mutex_lock(&s->stats_lock);
	s->adopt.state = ADOPT_NONE;
	pthread_mutex_unlock(&s->stats_lock);
	snprintf(words, 512,
		"the store of %s did not answer in time; nothing was changed, or `tally status` shows it at work",
		s->in->name);
	return -ETIMEDOUT;
}

int ship_adopt(struct ship *s, const char *from, const struct ship_adopting *with, int64_t wait_us, char words[512])
{
	int64_t until = clock_mono_us() + wait_us;
	int rc = ask(s, from, with, words);
	if (rc)
		return rc;
	while (!is_over(s, &rc, words)) {
		if (clock_mono_us() >= until)
			return give_up(s, words);
		ship_nudge(s);
		nanosleep(&(struct timespec){ 0, LOOK_NS }, NULL);
	}
	return rc;
}

/* First what is beside the store: killed in between, it is there when the same is asked again. */
static int take_over(struct ship *s, const char *from, const struct ship_adopting *with)
{
	char words[256];
	int rc = with->before(with->arg, from, words);
	if (rc)
		return ship_host_fail(s->in, TALLY_SINK_STOP, -rc, "%s", words);
	rc = s->in->sink->adopt(s->in->self, from);
	with->after(with->arg, from, rc == TALLY_SINK_OK);
	return rc;
}

void adopt_if_asked(struct ship *s)
{
	char from[sizeof s->adopt.from];
	pthread_mutex_lock(&s->stats_lock);
	bool asked = s->adopt.state == ADOPT_ASKED;
	struct ship_adopting with = s->adopt.with;
	snprintf(from, sizeof from, "%s", s->adopt.from);
	pthread_mutex_unlock(&s->stats_lock);
	if (!asked)
		return;
	ship_host_clear(s->in, 0);
	int rc = take_over(s, from, &with);
	if (rc == TALLY_SINK_OK)
		log_info(s->in->room, "goes on with what was the line %s until now", from);
	pthread_mutex_lock(&s->stats_lock);
	s->adopt.state = ADOPT_DONE;
	s->adopt.rc = rc;
	snprintf(s->adopt.words, sizeof s->adopt.words, "%s", s->in->failure.message);
	pthread_mutex_unlock(&s->stats_lock);
}
