/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread while everything runs: signals, and the level every 250 ms. */
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "main/daemon.h"
#include "main/level.h"

#define END_S 15 /* from the signal to the end, whatever hangs */

/* Lives to the end of the process: its signal handlers are replaced, never taken away, so that no signal finds none. */
struct watch {
	struct daemon *daemon;
	uv_loop_t loop;
	uv_signal_t term, intr, hup, usr2;
	uv_timer_t timer;
	uv_async_t reloaded;
	uv_thread_t reloader;
	bool reloading, reload_again; /* HUPs that come while one is taken are one more */
};

/* A second TERM must end the process at once, also when the loop is no longer run. */
static void at_once(int signum)
{
	(void)signum;
	_exit(0); /* nothing acknowledged at `written` or above is lost by this */
}

static volatile sig_atomic_t early_hup;

static void note_hup(int signum)
{
	(void)signum;
	early_hup = 1;
}

void daemon_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, at_once);
	signal(SIGINT, at_once);
	signal(SIGHUP, note_hup);
}

static void on_stop(uv_signal_t *h, int signum)
{
	struct watch *w = h->data;
	static bool asked;
	if (asked) {
		log_warn("tallyd", "second signal: ending at once");
		at_once(signum);
	}
	asked = true;
	log_info("tallyd", "signal %d: draining", signum);
	uv_stop(&w->loop);
}

/* ---- reload: on a thread of its own, so that it never stands between a TERM and its effect ---- */

static void reload_main(void *arg)
{
	struct watch *w = arg;
	char words[1024];
	(void)!daemon_reload(w->daemon, words); /* logs what became of it */
	uv_async_send(&w->reloaded);
}

static void start_reload(struct watch *w)
{
	w->reload_again = false;
	w->reloading = uv_thread_create(&w->reloader, reload_main, w) == 0;
	if (!w->reloading)
		log_error("reload", "nothing was taken: no thread can be made; send HUP again");
}

static void on_hup(uv_signal_t *h, int signum)
{
	struct watch *w = h->data;
	(void)signum;
	if (w->reloading)
		w->reload_again = true;
	else
		start_reload(w);
}

static void on_reloaded(uv_async_t *h)
{
	struct watch *w = h->data;
	uv_thread_join(&w->reloader);
	w->reloading = false;
	if (w->reload_again)
		start_reload(w);
}

static void on_usr2(uv_signal_t *h, int signum)
{
	(void)h;
	(void)signum;
	log_warn("tallyd", "USR2: handing over to a new binary is not implemented in this version; restart instead");
}

static void on_timer(uv_timer_t *h)
{
	struct watch *w = h->data;
	file_keep_spares();
	memory_keep_reserve();
	level_sample(w->daemon->ledger, clock_mono_us());
}

static void watch_signal(struct watch *w, uv_signal_t *h, uv_signal_cb fn, int signum)
{
	uv_signal_init(&w->loop, h);
	h->data = w;
	uv_signal_start(h, fn, signum);
}

/* A store that neither answers nor refuses may hold its line up for as long as it likes. What was acknowledged is on disk by
 * now, and the lines find it there at the next start. */
static void give_up(int signum)
{
	static const char words[] =
		"tally: some part does not end; ending without it, the spool holds what is not stored\n";
	ssize_t unheeded = write(STDERR_FILENO, words, sizeof words - 1);
	(void)unheeded;
	at_once(signum);
}

void daemon_run(struct daemon *d)
{
	static struct watch w;
	w.daemon = d;
	uv_loop_init(&w.loop);
	watch_signal(&w, &w.term, on_stop, SIGTERM);
	watch_signal(&w, &w.intr, on_stop, SIGINT);
	watch_signal(&w, &w.hup, on_hup, SIGHUP);
	watch_signal(&w, &w.usr2, on_usr2, SIGUSR2);
	uv_async_init(&w.loop, &w.reloaded, on_reloaded);
	uv_timer_init(&w.loop, &w.timer);
	w.timer.data = w.reloaded.data = &w;
	uv_timer_start(&w.timer, on_timer, LEVEL_EVERY_MS, LEVEL_EVERY_MS);
	if (early_hup)
		start_reload(&w);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	signal(SIGTERM, at_once);
	signal(SIGINT, at_once);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGALRM, give_up);
	alarm(END_S);
	atomic_store(&d->stopping, true);
	if (w.reloading)
		uv_thread_join(&w.reloader);
}
