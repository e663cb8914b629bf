# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/plug/chain.c \
	core/plug/change.c \
	core/plug/crash.c core/plug/crash.h \
	core/plug/describe.c \
	core/plug/file.c \
	core/plug/host.c \
	core/plug/inner.h \
	core/plug/load.c \
	core/plug/lookup.c \
	core/plug/pipeline.c \
	core/plug/plug.h \
	core/plug/set.c \
	core/plug/state.c \
	core/plug/stations.c
