/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums and hashes.
 * crc32c: Castagnoli polynomial 0x1EDC6F41, as in iSCSI (RFC 3720); the SSE4.2 instruction where there is one.
 * hash_keyed64/128: SipHash-2-4 (Aumasson, Bernstein 2012) for keys that strangers choose.
 * hash_table: SipHash-1-3 under the process's key, which is what its authors name for tables.
 * Trusted keys use XXH3 straight from xxhash.h. [any thread] */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* crc of the bytes, continuing from seed (0 to begin). */
uint32_t crc32c(uint32_t seed, const void *bytes, size_t len);

uint64_t hash_keyed64(const uint8_t key[16], const void *bytes, size_t len);

void hash_keyed128(const uint8_t key[16], const void *bytes, size_t len, uint8_t out[16]);

/* For tables in memory only: another process has other values. */
uint64_t hash_table(const void *bytes, size_t len);

/* The key of this process, random at its start: for tables in memory only, never for what is stored. */
const uint8_t *hash_process_key(void);

#endif
