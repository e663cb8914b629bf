/* SPDX-License-Identifier: Apache-2.0 */
/* Records of an input file, whatever its form, as JSON objects: NDJSON lines, elements of a JSON array, CSV rows (an
 * object of header names and texts; plain numbers stay numbers). Reads in chunks; memory is one record and one chunk. */
#ifndef CLIENT_RECORDS_H
#define CLIENT_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/check.h"
#include "base/str.h"

enum record_form { RECORDS_AUTO, RECORDS_NDJSON, RECORDS_JSON, RECORDS_CSV };

/* One record; json dies with the call. line: where it began in the file, from 1; bytes: read of the file so far. */
typedef void (*record_fn)(void *arg, struct tally_str json, uint64_t line, uint64_t bytes);

/* Calls fn for every record of f. name is for messages and tells the form by its ending where form is RECORDS_AUTO
 * (".csv", ".json", else the first byte). 0, or -EINVAL: the rest cannot be read, why says the reason and the place. */
must_check int records_read(FILE *f, const char *name, enum record_form form, record_fn fn, void *arg, char why[256]);

#endif
