/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian integers in byte buffers, for everything that lies on disk. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_PAIR(bits)                                          \
	static inline uint##bits##_t get_u##bits(const void *p)   \
	{                                                         \
		uint##bits##_t v;                                 \
		memcpy(&v, p, sizeof v);                          \
		return le##bits##toh(v);                          \
	}                                                         \
	static inline void put_u##bits(void *p, uint##bits##_t v) \
	{                                                         \
		v = htole##bits(v);                               \
		memcpy(p, &v, sizeof v);                          \
	}

BYTES_PAIR(16)
BYTES_PAIR(32)
BYTES_PAIR(64)

#undef BYTES_PAIR

static inline double get_f64(const void *p)
{
	uint64_t u = get_u64(p);
	double d;
	memcpy(&d, &u, sizeof d);
	return d;
}

static inline void put_f64(void *p, double d)
{
	uint64_t u;
	memcpy(&u, &d, sizeof u);
	put_u64(p, u);
}

#endif
