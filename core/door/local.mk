# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/door/address.c core/door/client.c core/door/cors.c core/door/ingest.c core/door/internal.h \
	core/door/lane.c core/door/lane.h core/door/pixel.c core/door/plugs.c core/door/plugs.h \
	core/door/redis.c core/door/redis.h core/door/redis_back.c core/door/redis_batch.c core/door/redis_error.c \
	core/door/redis_fate.c core/door/redis_head.c core/door/redis_inner.h core/door/redis_link.c \
	core/door/redis_place.c core/door/redis_script.c \
	core/door/salt.c core/door/salt.h core/door/salt_share.c \
	core/door/visitor.c

check_PROGRAMS += tests/unit/test_redis_head
tests_unit_test_redis_head_SOURCES = tests/unit/test_redis_head.c
