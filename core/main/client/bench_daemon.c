/* SPDX-License-Identifier: Apache-2.0 */
/* The tallyd that is measured: its own process, folder and ports; it ends with us, however we end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/client/bench.h"
#include "text/tree.h"

#define START_S 30
#define STOP_S 30
#define SETTLE_TRIES 60 /* a flush gives up after a minute */

static const char *in_folder(const struct bench *b, const char *name)
{
	return arena_printf(&b->c->arena, "%s/%s", b->folder, name);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* ---- where, and with what ---- */

/* Beside this program, or in ../sbin, as it is installed. */
static const char *find_tallyd(const struct bench *b)
{
	static const char *const places[] = { "tallyd", "../sbin/tallyd" };
	char self[BENCH_PATH];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		return NULL;
	self[n] = 0;
	*strrchr(self, '/') = 0;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		const char *path = arena_printf(&b->c->arena, "%s/%s", self, places[i]);
		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

/* A port that is free now; 0 = none. */
static unsigned free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool found = fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 &&
		     getsockname(fd, (struct sockaddr *)&a, &len) == 0;
	if (fd >= 0)
		close(fd);
	return found ? ntohs(a.sin_port) : 0;
}

static int write_conf(const struct bench *b, const char *ack)
{
	const char *path = in_folder(b, "tally.yaml");
	FILE *f = fopen(path, "we");
	if (f)
		fprintf(f,
			"listen: 127.0.0.1:%u\nadmin: 127.0.0.1:%u\nack: %s\nack_timeout: 30s\n"
			"rollups:\n  - { name: total, by: [], metrics: [events, visitors] }\n"
			"  - { name: pages, by: [\"event:name\", \"event:page\"], metrics: [events, visitors] }\n"
			"sinks: [ sqlite: { path: tally.db, flush: 50ms } ]\n",
			b->port, b->admin_port, ack);
	if (f && fclose(f) == 0)
		return 0;
	return bench_refuse("%s: %s", path, strerror(errno));
}

/* ---- talking to it ---- */

/* The status, or -1. body: as long as the arena. */
static long ask(const struct bench *b, unsigned port, const char *path, bool post, struct tally_str *body)
{
	struct client to = { .url = arena_printf(&b->c->arena, "http://127.0.0.1:%u", port) };
	struct call *call = call_open(&to);
	struct call_answer an;
	long status = call_send(call, path, post ? &STR("") : NULL, "application/json", &an) ? -1 : an.status;
	if (body && status > 0)
		*body = str_of(arena_printf(&b->c->arena, "%.*s", (int)an.body.len, an.body.ptr ? an.body.ptr : ""));
	call_close(call);
	return status;
}

/* ---- its life ---- */

static void run_tallyd(const struct bench *b, const char *tallyd, pid_t parent)
{
	const char *argv[] = { tallyd, "-c", in_folder(b, "tally.yaml"), "-d", in_folder(b, "data"),
		b->plugin_dir ? "-p" : NULL, b->plugin_dir, NULL };
	int log = open(in_folder(b, "tallyd.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	setpgid(0, 0); /* an INT from the terminal is ours alone */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(127);
	execv(tallyd, (char *const *)argv);
	_exit(127);
}

static bool has_ended(struct bench *b)
{
	if (b->daemon && waitpid(b->daemon, NULL, WNOHANG) == b->daemon)
		b->daemon = 0;
	return b->daemon == 0;
}

/* Its last words, as it wrote them. */
static int say_log(const struct bench *b, const char *what)
{
	char tail[2048];
	int fd = open(in_folder(b, "tallyd.log"), O_RDONLY | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	ssize_t n =
		fd >= 0 ? pread(fd, tail, sizeof tail, size > (off_t)sizeof tail ? size - (off_t)sizeof tail : 0) : 0;
	if (fd >= 0)
		close(fd);
	return bench_refuse("%s:\n%.*s", what, (int)(n > 0 ? n : 0), tail);
}

static int wait_ready(struct bench *b)
{
	int64_t until = clock_mono_us() + START_S * 1000000;
	while (!bench_stopped && clock_mono_us() < until) {
		if (has_ended(b))
			return say_log(b, "tallyd ended at its start");
		if (ask(b, b->port, "/readyz", false, NULL) == 200)
			return 0;
		pause_ms(20);
	}
	return bench_stopped ? -1 : say_log(b, "tallyd is not ready after 30 s");
}

int bench_daemon_start(struct bench *b)
{
	const char *tallyd = find_tallyd(b);
	if (!tallyd)
		return bench_refuse("tallyd is not beside this program and not in ../sbin; install both");
	b->port = free_port();
	b->admin_port = free_port();
	if (!b->port || !b->admin_port)
		return bench_refuse("no free port on 127.0.0.1");
	if (write_conf(b, "written"))
		return -1;
	pid_t self = getpid();
	b->daemon = fork();
	if (b->daemon == 0)
		run_tallyd(b, tallyd, self);
	if (b->daemon < 0) {
		b->daemon = 0;
		return bench_refuse("no process can be started: %s", strerror(errno));
	}
	return wait_ready(b);
}

int bench_daemon_ack(struct bench *b, const char *ack)
{
	struct tally_str words = STR("");
	if (write_conf(b, ack))
		return -1;
	if (ask(b, b->admin_port, "/admin/reload", true, &words) == 200)
		return 0;
	return bench_refuse("tallyd does not reload: %.*s", (int)words.len, words.ptr);
}

static uint64_t number_of(const struct tree_node *in, struct tally_str key)
{
	const struct tree_node *n = tree_get(in, key);
	return n && n->kind == JSON_NUMBER ? (uint64_t)n->number : 0;
}

int bench_daemon_settle(struct bench *b)
{
	struct tally_str body = STR("");
	const struct tree_node *doc;
	long status = 0;
	for (int i = 0; i < SETTLE_TRIES && status != 200 && !bench_stopped; i++)
		status = ask(b, b->admin_port, "/admin/flush", true, NULL);
	if (status != 200)
		return bench_stopped ? -1 : say_log(b, "what was accepted does not get into the store");
	if (ask(b, b->port, "/v1/ledger", false, &body) != 200 || tree_parse(&b->c->arena, body, 16, &doc, NULL))
		return bench_refuse("tallyd does not tell its ledger");
	const struct tree_node *sites = tree_get(doc, STR("sites")), *site = sites ? sites->first : NULL;
	const struct tree_node *sinks = site ? tree_get(site, STR("sinks")) : NULL;
	uint64_t taken = number_of(site, STR("taken")), stored = number_of(sinks ? sinks->first : NULL, STR("stored"));
	if (taken == b->accepted && stored == taken)
		return 0;
	return bench_refuse("%llu events were acknowledged, %llu taken, %llu stored: please report this",
		(unsigned long long)b->accepted, (unsigned long long)taken, (unsigned long long)stored);
}

void bench_daemon_stop(struct bench *b)
{
	int64_t until = clock_mono_us() + STOP_S * 1000000;
	if (b->daemon)
		kill(b->daemon, SIGTERM);
	while (!has_ended(b) && clock_mono_us() < until)
		pause_ms(20);
	if (b->daemon) {
		kill(b->daemon, SIGKILL);
		waitpid(b->daemon, NULL, 0);
		b->daemon = 0;
	}
}
