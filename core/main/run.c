/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread while everything runs: signals, and the level every 250 ms. */
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/daemon.h"
#include "main/level.h"

struct watch {
	struct daemon *daemon;
	uv_loop_t loop;
	uv_signal_t term, intr, hup, usr2;
	uv_timer_t timer;
};

static void on_stop(uv_signal_t *h, int signum)
{
	struct watch *w = h->data;
	static bool asked;
	if (asked) {
		log_warn("tallyd", "second signal: ending at once");
		_exit(0); /* nothing acknowledged at `written` or above is lost by this */
	}
	asked = true;
	log_info("tallyd", "signal %d: draining", signum);
	uv_stop(&w->loop);
}

static void on_hup(uv_signal_t *h, int signum)
{
	struct watch *w = h->data;
	char words[1024];
	(void)signum;
	(void)!daemon_reload(w->daemon, words); /* logs what became of it */
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
	level_sample(w->daemon->ledger, clock_mono_us());
}

static void watch_signal(struct watch *w, uv_signal_t *h, uv_signal_cb fn, int signum)
{
	uv_signal_init(&w->loop, h);
	h->data = w;
	uv_signal_start(h, fn, signum);
}

static void close_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	uv_close(h, NULL);
}

/* A second TERM while the parts close must still end the process at once: the loop is no longer run then, so the plain
 * handler takes over. */
static void at_once(int signum)
{
	(void)signum;
	_exit(0);
}

void daemon_run(struct daemon *d)
{
	struct watch w = { .daemon = d };
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&w.loop);
	watch_signal(&w, &w.term, on_stop, SIGTERM);
	watch_signal(&w, &w.intr, on_stop, SIGINT);
	watch_signal(&w, &w.hup, on_hup, SIGHUP);
	watch_signal(&w, &w.usr2, on_usr2, SIGUSR2);
	uv_timer_init(&w.loop, &w.timer);
	w.timer.data = &w;
	uv_timer_start(&w.timer, on_timer, LEVEL_EVERY_MS, LEVEL_EVERY_MS);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	uv_walk(&w.loop, close_handle, NULL);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	uv_loop_close(&w.loop);
	signal(SIGTERM, at_once);
	signal(SIGINT, at_once);
}
