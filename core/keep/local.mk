# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += core/keep/verify.c core/keep/verify.h core/keep/verify_inner.h core/keep/verify_read.c \
	core/keep/verify_sketch.c
libtallycore_la_SOURCES += core/keep/rebuild.c core/keep/rebuild.h core/keep/rebuild_fill.c core/keep/rebuild_inner.h \
	core/keep/rebuild_look.c core/keep/rebuild_sums.c core/keep/rebuild_swap.c core/keep/rebuild_visits.c
