/* SPDX-License-Identifier: Apache-2.0 */
#include "door/plugs.h"

#include "base/log.h"

int door_plugs_open(struct door_plugs *p, void *owner, struct plug_set *set, const struct conf *conf, char why[512])
{
	pthread_mutex_init(&p->lock, NULL);
	p->owner = owner;
	return plug_chain_open(set, conf, TALLY_DOOR, owner, true, &p->chain, why);
}

void door_plugs_close(struct door_plugs *p)
{
	plug_chain_close(p->chain);
	pthread_mutex_destroy(&p->lock);
}

const struct conf *door_plugs_take(struct door_plugs *p)
{
	struct plug_chain *chain;
	char why[512];
	pthread_mutex_lock(&p->lock);
	struct plug_set *set = p->next;
	const struct conf *conf = p->next_conf;
	pthread_mutex_unlock(&p->lock);
	if (!set)
		return NULL;
	if (plug_chain_open(set, conf, TALLY_DOOR, p->owner, false, &chain, why) == 0) {
		plug_chain_close(p->chain);
		p->chain = chain;
	} else {
		log_error("door", "the new pipeline was not taken: %s", why);
	}
	pthread_mutex_lock(&p->lock);
	if (p->next == set)
		p->next = NULL;
	pthread_mutex_unlock(&p->lock);
	return conf;
}

void door_plugs_give(struct door_plugs *p, struct plug_set *set, const struct conf *conf)
{
	pthread_mutex_lock(&p->lock);
	p->next = set;
	p->next_conf = conf;
	pthread_mutex_unlock(&p->lock);
}

bool door_plugs_wait(struct door_plugs *p)
{
	pthread_mutex_lock(&p->lock);
	bool waiting = p->next != NULL;
	pthread_mutex_unlock(&p->lock);
	return waiting;
}
