/* SPDX-License-Identifier: Apache-2.0 */
#include "plug/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"

#define NOTE_BYTES 128 /* one write, so that two threads that die at once do not mix */
#define NOTE_MAGIC 0x48535243u
#define NOTES_MOST 4096
#define STACK_BYTES 16384

/* On disk: u32 magic, u32 idx, u64 lsn, i64 time, hook[24], plugin[80]; texts padded with zeros. */
struct note {
	uint64_t lsn;
	int64_t time_us;
	uint32_t idx;
	char hook[25], plugin[81];
	unsigned times; /* this event so far */
};

static struct note notes[NOTES_MOST]; /* one an event and plugin */
static size_t nnotes;
unsigned crash_parked_count;
static char path[4096];
static int fd = -1;

/* What this thread is at. `in` is set last and cleared first. */
static _Thread_local struct {
	const char *volatile in; /* plugin, NULL = in no hook */
	const char *hook;
	uint64_t lsn;
	int64_t time_us;
	uint32_t idx;
	bool has_event, has_stack;
} here;

/* ---- when it happens ---- */

static void say(const char *text)
{
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
	(void)ignored;
}

static void put_text(char *out, const char *text, size_t room)
{
	for (size_t i = 0; i < room && text[i]; i++)
		out[i] = text[i];
}

/* [signal handler] */
static void write_down(void)
{
	char p[NOTE_BYTES] = { 0 };
	put_u32(p, NOTE_MAGIC);
	if (here.has_event) {
		put_u32(p + 4, here.idx);
		put_u64(p + 8, here.lsn);
		put_u64(p + 16, (uint64_t)here.time_us);
	}
	put_text(p + 24, here.hook, 24);
	put_text(p + 48, here.in, 80);
	say("plugin ");
	say(here.in);
	say(": the daemon dies in its ");
	say(here.hook);
	say("()\n");
	ssize_t ignored = fd >= 0 ? write(fd, p, sizeof p) : 0;
	(void)ignored;
	here.in = NULL;
}

static void on_exit_in_hook(void)
{
	if (here.in)
		write_down();
}

/* A sanitizer catches these signals itself, on stacks of its own: a build with one leaves them to it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

static void catch_signals(void)
{
}

static void lend_stack(void)
{
}

#else

static _Thread_local char stack[STACK_BYTES]; /* for a hook that ran out of its own */

static void on_fatal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (here.in && info->si_code != SI_USER)
		write_down();
	raise(sig); /* the handler is gone by now: the default ends the process */
}

static void catch_signals(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct sigaction sa = { .sa_sigaction = on_fatal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER };
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		MUST(sigaction(fatal[i], &sa, NULL) == 0);
}

static void lend_stack(void)
{
	stack_t st = { .ss_sp = stack, .ss_size = sizeof stack };
	(void)!sigaltstack(&st, NULL);
}

#endif

static void listen(void)
{
	catch_signals();
	MUST(atexit(on_exit_in_hook) == 0);
}

/* ---- what earlier runs left ---- */

static struct note *find(uint64_t lsn, uint32_t idx, int64_t time_us)
{
	for (size_t i = 0; i < nnotes; i++)
		if (notes[i].lsn == lsn && notes[i].idx == idx && notes[i].time_us == time_us)
			return &notes[i];
	return NULL;
}

static void read_note(const char *p)
{
	if (get_u32(p) != NOTE_MAGIC)
		return;
	struct note n = { .idx = get_u32(p + 4), .lsn = get_u64(p + 8), .time_us = (int64_t)get_u64(p + 16) };
	memcpy(n.hook, p + 24, 24);
	memcpy(n.plugin, p + 48, 80);
	struct note *old = find(n.lsn, n.idx, n.time_us);
	if (!old && nnotes == NOTES_MOST)
		return;
	n.times = 1 + (old ? old->times : 0);
	*(old ? old : &notes[nnotes++]) = n;
	if (n.lsn && n.times == CRASH_MOST)
		crash_parked_count++;
}

static void tell(const struct note *n)
{
	if (!n->lsn)
		log_error("plug", "plugin %s took the daemon down in its %s()", n->plugin, n->hook);
	else if (n->times < CRASH_MOST)
		log_error("plug",
			"plugin %s took the daemon down in its %s() of event lsn %llu idx %u; %u more and the event is parked",
			n->plugin, n->hook, (unsigned long long)n->lsn, n->idx, CRASH_MOST - n->times);
	else
		log_error("plug",
			"plugin %s took the daemon down %u times in its %s() of event lsn %llu idx %u: the event is parked, no "
			"plugin sees it again; mend the plugin",
			n->plugin, n->times, n->hook, (unsigned long long)n->lsn, n->idx);
}

static void read_all(void)
{
	char p[NOTE_BYTES];
	uint64_t at = 0;
	for (; file_read("crash.read", fd, p, sizeof p, at) == sizeof p; at += sizeof p)
		read_note(p);
	if (ftruncate(fd, (off_t)at)) /* half a note would be the beginning of the next one */
		log_warn("plug", "%s cannot be cut at its last whole note: %s", path, strerror(errno));
	for (size_t i = 0; i < nnotes; i++)
		tell(&notes[i]);
}

void crash_open(const char *data_dir)
{
	nnotes = crash_parked_count = 0;
	snprintf(path, sizeof path, "%s/crashes", data_dir);
	fd = file_open("crash.open", path, O_RDWR | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		log_warn("plug", "%s: %s; an event that takes the daemon down will not be parked", path, strerror(-fd));
	else
		read_all();
	listen();
}

/* ---- forgetting ---- */

static bool keep_note(int to, const struct note *n)
{
	char p[NOTE_BYTES] = { 0 };
	put_u32(p, NOTE_MAGIC);
	put_u32(p + 4, n->idx);
	put_u64(p + 8, n->lsn);
	put_u64(p + 16, (uint64_t)n->time_us);
	put_text(p + 24, n->hook, 24);
	put_text(p + 48, n->plugin, 80);
	for (unsigned i = 0; i < n->times; i++)
		if (write(to, p, sizeof p) != sizeof p)
			return false;
	return true;
}

/* A new file takes the place of the old one whole, or the old one stays. */
void crash_forget(uint64_t lsn)
{
	char fresh[sizeof path + 4];
	bool good = true;
	if (fd < 0 || !nnotes)
		return;
	snprintf(fresh, sizeof fresh, "%s.new", path);
	int to = file_open("crash.open", fresh, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	for (size_t i = 0; to >= 0 && good && i < nnotes; i++)
		if (notes[i].lsn >= lsn && notes[i].lsn)
			good = keep_note(to, &notes[i]);
	if (to < 0 || !good || file_rename("crash.rename", fresh, path)) {
		if (to >= 0)
			close(to);
		return;
	}
	close(fd);
	fd = to;
}

/* ---- while it runs ---- */

void crash_about(uint64_t lsn, uint32_t idx, int64_t time_us)
{
	here.lsn = lsn;
	here.idx = idx;
	here.time_us = time_us;
}

void crash_enter(const char *plugin, const char *hook, bool has_event)
{
	if (!here.has_stack) {
		lend_stack();
		here.has_stack = true;
	}
	here.hook = hook;
	here.has_event = has_event;
	here.in = plugin;
}

void crash_leave(void)
{
	here.in = NULL;
}

const char *crash_find_parked(uint64_t lsn, uint32_t idx, int64_t time_us)
{
	const struct note *n = find(lsn, idx, time_us);
	return n && n->lsn && n->times >= CRASH_MOST ? n->plugin : NULL;
}
