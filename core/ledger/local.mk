# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/ledger/admit.c core/ledger/book.c core/ledger/fate.c core/ledger/intake.c core/ledger/internal.h \
	core/ledger/ledger.c core/ledger/ledger.h \
	core/ledger/owed.c core/ledger/parted.c core/ledger/recall.c core/ledger/record.c
