/* SPDX-License-Identifier: Apache-2.0 */
/* jansson behind a few functions: its header and text/json.h cannot meet in one source. */
#ifndef TESTS_JSON_ORACLE_H
#define TESTS_JSON_ORACLE_H

#include <stddef.h>

struct oracle;

/* NULL = refused, *why says why; or why is NULL too: refused for a rule of jansson's own (a NUL in a key). */
struct oracle *oracle_parse(const char *bytes, size_t len, const char **why);
void oracle_free(struct oracle *o);

/* n f t # " [ { */
char oracle_kind(const struct oracle *o);
double oracle_number(const struct oracle *o);
const char *oracle_text(const struct oracle *o, size_t *len);
size_t oracle_count(const struct oracle *o);
const struct oracle *oracle_at(const struct oracle *o, size_t index);
const struct oracle *oracle_get(const struct oracle *o, const char *key);

#endif
