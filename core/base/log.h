/* SPDX-License-Identifier: Apache-2.0 */
/* One line an event of note, to stderr: `2026-… level room message` (kv) or a JSON object (json).
 * Control characters and quotes in the message are escaped, so no event content can forge a line.
 * [any thread]; a line is one write(2). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_KV, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);

/* room is a short constant such as "spool" or "sink main". */
void log_line(enum log_level level, const char *room, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(room, ...) log_line(LOG_DEBUG, room, __VA_ARGS__)
#define log_info(room, ...) log_line(LOG_INFO, room, __VA_ARGS__)
#define log_warn(room, ...) log_line(LOG_WARN, room, __VA_ARGS__)
#define log_error(room, ...) log_line(LOG_ERROR, room, __VA_ARGS__)

#endif
