/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for what is bounded and must go on: a reserve is kept back, and given up when the system has no more. What is
 * under way is finished out of it; the doors refuse what comes (memory_is_short()) until the reserve is whole again.
 * Only when even that does not help the process ends, which is as a kill -9: nothing acknowledged is lost by it.
 * [any thread] */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Never NULL; free() gives it back. */
void *memory_alloc(size_t bytes);
void *memory_zalloc(size_t n, size_t size);
void *memory_grow(void *p, size_t bytes);

/* Fills the reserve, at start and again now and then. */
void memory_keep_reserve(void);

/* The reserve had to be given up and is not whole again. */
bool memory_is_short(void);

#endif
