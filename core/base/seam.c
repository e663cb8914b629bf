/* SPDX-License-Identifier: Apache-2.0 */
#include "base/seam.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARMED 32

enum action { ACT_ERRNO, ACT_SHORT, ACT_STALL, ACT_KILL };

struct armed {
	char name[48];
	unsigned at;  /* fires on this passing, counted from 1 */
	bool onwards; /* and on every later one */
	enum action action;
	int value; /* errno, or milliseconds */
	unsigned passed, fired;
};

static struct armed armed[MAX_ARMED];
static _Atomic unsigned armed_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct {
	const char *name;
	int value;
} errno_names[] = {
	{ "EIO", EIO },
	{ "ENOSPC", ENOSPC },
	{ "EDQUOT", EDQUOT },
	{ "ENOMEM", ENOMEM },
	{ "EPIPE", EPIPE },
	{ "ECONNRESET", ECONNRESET },
	{ "EINTR", EINTR },
	{ "EROFS", EROFS },
	{ "EAGAIN", EAGAIN },
};

static int parse_action(struct armed *a, const char *word)
{
	if (strcmp(word, "short") == 0) {
		a->action = ACT_SHORT;
		return 0;
	}
	if (strcmp(word, "kill") == 0) {
		a->action = ACT_KILL;
		return 0;
	}
	if (sscanf(word, "stall=%d", &a->value) == 1) {
		a->action = ACT_STALL;
		return 0;
	}
	for (size_t i = 0; i < sizeof errno_names / sizeof *errno_names; i++)
		if (strcmp(word, errno_names[i].name) == 0) {
			a->action = ACT_ERRNO;
			a->value = errno_names[i].value;
			return 0;
		}
	return -EINVAL;
}

static int parse_one(struct armed *a, const char *spec)
{
	char count[16], word[32];
	*a = (struct armed){ 0 };
	if (sscanf(spec, "%47[^:]:%15[^:]:%31s", a->name, count, word) != 3)
		return -EINVAL;
	char *end;
	a->at = (unsigned)strtoul(count, &end, 10);
	a->onwards = *end == '+';
	return a->at ? parse_action(a, word) : -EINVAL;
}

int seam_arm(const char *spec)
{
	int rc = 0;
	char copy[1024], *rest = copy, *one;
	pthread_mutex_lock(&lock);
	unsigned n = 0;
	snprintf(copy, sizeof copy, "%s", spec ? spec : "");
	while (rc == 0 && (one = strsep(&rest, ",")) != NULL && n < MAX_ARMED)
		if (*one)
			rc = parse_one(&armed[n++], one);
	atomic_store(&armed_count, rc == 0 ? n : 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

/* Said before it acts, in one write, so that a test can count firings over kills. */
static void say_fired(const char *name)
{
	char text[80];
	int n = snprintf(text, sizeof text, "seam %.48s fired\n", name);
	ssize_t ignored = write(STDERR_FILENO, text, (size_t)n);
	(void)ignored;
}

static int fire(const char *name, enum action action, int value)
{
	say_fired(name);
	switch (action) {
	case ACT_ERRNO:
		return -value;
	case ACT_SHORT:
		return SEAM_SHORT;
	case ACT_STALL:
		nanosleep(&(struct timespec){ value / 1000, value % 1000 * 1000000L }, NULL);
		return 0;
	case ACT_KILL:
		kill(getpid(), SIGKILL);
		pause();
	}
	return 0;
}

int seam_pass(const char *name)
{
	unsigned n = atomic_load_explicit(&armed_count, memory_order_relaxed);
	if (!n)
		return 0;
	bool hit = false;
	enum action action = ACT_ERRNO;
	int value = 0;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < n; i++) { /* each entry counts every passing; the first that is due fires */
		struct armed *a = &armed[i];
		if (strcmp(a->name, name) != 0)
			continue;
		a->passed++;
		if (!hit && (a->passed == a->at || (a->onwards && a->passed > a->at))) {
			a->fired++;
			action = a->action;
			value = a->value;
			hit = true;
		}
	}
	pthread_mutex_unlock(&lock);
	return hit ? fire(name, action, value) : 0;
}

unsigned seam_fired(const char *name)
{
	unsigned fired = 0;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < atomic_load(&armed_count); i++)
		if (strcmp(armed[i].name, name) == 0)
			fired += armed[i].fired;
	pthread_mutex_unlock(&lock);
	return fired;
}

#ifdef TALLY_MUTANTS
bool seam_mutant(const char *name)
{
	static _Atomic bool said;
	const char *chosen = getenv("TALLY_MUTANT");
	if (!chosen || strcmp(chosen, name) != 0)
		return false;
	if (!atomic_exchange(&said, true))
		say_fired(name);
	return true;
}
#endif
