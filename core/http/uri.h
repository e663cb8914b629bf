/* SPDX-License-Identifier: Apache-2.0 */
/* Percent escapes in paths and queries (RFC 3986 §2.1). */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes in place, strictly: false if an escape is broken or stands for a control character. */
bool uri_decode_path(char *path, size_t *len);

#endif
