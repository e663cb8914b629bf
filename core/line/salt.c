/* SPDX-License-Identifier: Apache-2.0 */
/* The salts of visitors on their way into the store and out of it (core/door/salt_share.c): they ride in the next batch,
 * or in one of their own. A batch that comes to nothing takes them with it; who gave them looks into the store. */
#include "line/internal.h"

void line_order_salts(struct line *l, const struct line_salts *order)
{
	pthread_mutex_lock(&l->lock);
	l->salts = *order;
	pthread_mutex_unlock(&l->lock);
	atomic_store(&l->salts_due, true);
	gate_knock(l->gate);
}

bool salts_wait(const struct line *l)
{
	return atomic_load(&l->salts_due) && ship_sink(l->ship)->deletes;
}

void salts_add(struct line *l, struct batch *b)
{
	if (!salts_wait(l) || b->letters.lsn)
		return;
	atomic_store(&l->salts_due, false);
	pthread_mutex_lock(&l->lock);
	struct line_salts order = l->salts;
	l->salts = (struct line_salts){ 0 };
	pthread_mutex_unlock(&l->lock);
	if (order.put)
		batch_add_salt(b, order.day, order.salt);
	for (size_t i = 0; i < order.ngone; i++)
		batch_add_gone_salt(b, order.gone[i]);
}
