/* SPDX-License-Identifier: Apache-2.0 */
/* Between json.c and json_string.c only. */
#ifndef TEXT_JSON_INNER_H
#define TEXT_JSON_INNER_H

#include "text/json.h"

/* Notes the first error. Always -EINVAL. */
int json_fail(struct json *j, const char *code, const char *at, const char *message);

/* Assumes: j->at is behind the opening quote. Eats through the closing one. */
must_check int json_string(struct json *j, struct tally_str *out);

#endif
