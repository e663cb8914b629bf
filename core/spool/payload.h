/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside the records that carry events.
 *
 * EVENTS:  u32 terms bytes, terms, u32 n, n events in spool form.
 * REDIS:   u32 head bytes, head (the redis door's own), u32 n, n events. No terms: nothing is counted while pending.
 * RELEASE: u32 terms bytes, terms, u64 lsn of its REDIS record, u32 n, n verdict bytes (enum payload_verdict).
 * VOID:    u32 0, u64 lsn of its REDIS record.
 * CHECKPOINT: the ledger's terms, absolute, as of this place.
 * DEAD:    u32 0, u16 line name bytes, name, u64 lsn, u32 idx, i32 code, u16 message bytes, message:
 *          that event of that line is a dead letter.
 * LETTERS: u32 0, u16 line name bytes, name, u16 enum payload_letters, u32 n, n letters: u64 lsn, u32 idx, i64 received,
 *          and for REPLAY the event in spool form. That line alone takes out those letters that its store has at that
 *          moment, and for REPLAY sends their events through its stages; no other line sees them.
 * `terms` are counts since the last group of what was refused, dropped, doubled and rejected (core/meter). */
#ifndef SPOOL_PAYLOAD_H
#define SPOOL_PAYLOAD_H

enum payload_verdict { PAYLOAD_TAKEN = 0, PAYLOAD_NOT_TAKEN = 1 };
enum payload_letters { PAYLOAD_REPLAY = 0, PAYLOAD_PURGE = 1 };

#endif
