/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_BYTES 2048

static _Atomic int least_level = LOG_INFO;
static _Atomic int line_format = LOG_KV;

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_setup(enum log_level least, enum log_format format)
{
	atomic_store(&least_level, (int)least);
	atomic_store(&line_format, (int)format);
}

/* Escapes C0 controls, DEL, the quote and the backslash; other bytes pass. Ensures: out is terminated. */
static void escape(char *out, size_t room, const char *in)
{
	size_t n = 0;
	for (; *in && n + 7 < room; in++) {
		unsigned char c = (unsigned char)*in;
		if (c == '"' || c == '\\')
			n += (size_t)snprintf(out + n, room - n, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(out + n, room - n, "\\u%04x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = 0;
}

void log_line(enum log_level level, const char *room, const char *fmt, ...)
{
	if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
		return;
	char raw[LINE_BYTES / 2], text[LINE_BYTES], line[LINE_BYTES + 256], when[40];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	escape(text, sizeof text, raw);

	int64_t now = clock_wall_us();
	time_t sec = (time_t)(now / 1000000);
	struct tm tm;
	gmtime_r(&sec, &tm);
	size_t n = strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof when - n, ".%03dZ", (int)(now / 1000 % 1000));

	bool json = atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_JSON;
	const char *name = level_names[level];
	int len =
		json ? snprintf(line, sizeof line,
			       "{\"time\":\"%s\",\"level\":\"%s\",\"room\":\"%s\",\"msg\":\"%s\"}\n", when, name, room,
			       text)
		     : snprintf(line, sizeof line, "time=%s level=%s room=\"%s\" msg=\"%s\"\n", when, name, room, text);
	if (len >= (int)sizeof line)
		len = (int)sizeof line - 1;
	ssize_t ignored = write(STDERR_FILENO, line, (size_t)len);
	(void)ignored;
}
