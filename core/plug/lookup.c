/* SPDX-License-Identifier: Apache-2.0 */
/* host->lookup(): what the configuration declares is known when an instance opens, what is in it while an event comes in. */
#include <errno.h>

#include "lookup/lookup.h"
#include "plug/inner.h"

static struct lookup_held *held(struct tally_instance *in)
{
	const struct plug_services *s = plug_services();
	struct lookups *l = s->lookups ? s->lookups() : NULL;
	if (!in->lookups && l)
		in->lookups = lookup_held_open(l);
	return in->lookups;
}

static int result(enum lookup_found found)
{
	switch (found) {
	case LOOKUP_FOUND:
		return 1;
	case LOOKUP_MISSING:
		return 0;
	case LOOKUP_UNREAD:
		return -ENODATA;
	case LOOKUP_NO_COLUMN:
		return -ENOENT;
	case LOOKUP_FOUNDS:
	case LOOKUP_UNKNOWN:
		break;
	}
	return -EINVAL;
}

int plug_lookup(struct tally_instance *in, struct tally_str name, struct tally_str key, struct tally_str column,
	struct tally_str *text, uint32_t *type)
{
	struct lookup_value v;
	if (in->why) /* open() */
		return conf_lookup(in->conf, name) ? 0 : -EINVAL;
	if (!in->entering)
		return -EPERM;
	if (!held(in))
		return -EINVAL;
	enum lookup_found found = lookup_held_find(in->lookups, name, key, column, &v);
	if (found == LOOKUP_FOUND) {
		*text = v.text;
		*type = v.type == LOOKUP_NUMBER ? TALLY_PROP_NUMBER : TALLY_PROP_STRING;
	}
	return result(found);
}

void plug_lookup_end(struct tally_instance *in)
{
	if (in->lookups)
		lookup_held_release(in->lookups);
}
