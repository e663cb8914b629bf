/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP room alone: reads any request and answers 204. What it costs is compared with nginx's `return 204`.
 *
 *     http204 [ADDRESS]     default 127.0.0.1:9020; ends at SIGTERM or SIGINT */
#include <stdio.h>

#include "http/http.h"

static struct http_server *server;
static uv_signal_t signals[2];

static void answer(struct http_request *rq)
{
	http_respond(rq, &(struct http_answer){ .status = 204 });
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)signal;
	(void)number;
	http_server_close(server, 1000000, NULL, NULL);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&signals[i], NULL);
}

int main(int argc, char **argv)
{
	char why[256];
	uv_loop_t *loop = uv_default_loop();
	struct http_limits limits = { .connections = 10000 };
	int rc = http_server_open(
		loop, argc > 1 ? argv[1] : "127.0.0.1:9020", true, &limits, answer, NULL, &server, why);
	if (rc < 0) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	for (int i = 0; i < 2; i++) {
		uv_signal_init(loop, &signals[i]);
		uv_signal_start(&signals[i], on_signal, i ? SIGINT : SIGTERM);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	return uv_loop_close(loop) == 0 ? 0 : 1;
}
