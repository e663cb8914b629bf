/* SPDX-License-Identifier: Apache-2.0 */
/* Dimensions of a visit that are props of its first event: the names of the query language, and the keys that the plugin
 * enrich (and the reading of a URL) set. */
#include <string.h>

#include "conf/conf.h"

static const char *const keys[TALLY_VISIT_VALUES] = TALLY_VISIT_KEYS;
static const char *const names[TALLY_VISIT_VALUES] = {
	[TALLY_VISIT_SOURCE] = "visit:source",
	[TALLY_VISIT_CHANNEL] = "visit:channel",
	[TALLY_VISIT_UTM_SOURCE] = "visit:utm_source",
	[TALLY_VISIT_UTM_MEDIUM] = "visit:utm_medium",
	[TALLY_VISIT_UTM_CAMPAIGN] = "visit:utm_campaign",
	[TALLY_VISIT_UTM_CONTENT] = "visit:utm_content",
	[TALLY_VISIT_UTM_TERM] = "visit:utm_term",
	[TALLY_VISIT_DEVICE] = "visit:device",
	[TALLY_VISIT_BROWSER] = "visit:browser",
	[TALLY_VISIT_OS] = "visit:os",
	[TALLY_VISIT_COUNTRY] = "visit:country",
};

static int find(const char *const *list, struct tally_str text)
{
	for (int i = 0; i < TALLY_VISIT_VALUES; i++)
		if (str_eq(str_of(list[i]), text))
			return i;
	return -1;
}

int conf_visit_value(struct tally_str key)
{
	return find(keys, key);
}

const char *conf_visit_key(struct tally_str name)
{
	int i = find(names, name);
	return i < 0 ? NULL : keys[i];
}

const char *conf_visit_name(struct tally_str key)
{
	int i = find(keys, key);
	return i < 0 ? NULL : names[i];
}
