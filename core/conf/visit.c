/* SPDX-License-Identifier: Apache-2.0 */
/* Dimensions of a visit that are props of its events: the names of the query language, and the keys that the plugin
 * enrich (and the reading of a URL) set. */
#include <string.h>

#include "conf/conf.h"

static const struct {
	const char *name, *key;
} visits[] = {
	{ "visit:source", "$source" },
	{ "visit:channel", "$channel" },
	{ "visit:utm_source", "utm_source" },
	{ "visit:utm_medium", "utm_medium" },
	{ "visit:utm_campaign", "utm_campaign" },
	{ "visit:utm_content", "utm_content" },
	{ "visit:utm_term", "utm_term" },
	{ "visit:device", "$device" },
	{ "visit:browser", "$browser" },
	{ "visit:os", "$os" },
	{ "visit:country", "$country" },
};

const char *conf_visit_key(struct tally_str name)
{
	for (size_t i = 0; i < sizeof visits / sizeof *visits; i++)
		if (str_eq(str_of(visits[i].name), name))
			return visits[i].key;
	return NULL;
}

const char *conf_visit_name(struct tally_str key)
{
	for (size_t i = 0; i < sizeof visits / sizeof *visits; i++)
		if (str_eq(str_of(visits[i].key), key))
			return visits[i].name;
	return NULL;
}
