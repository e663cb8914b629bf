# SPDX-License-Identifier: Apache-2.0
include plugins/rollup/local.mk
include plugins/enrich/local.mk
include plugins/cache/local.mk
include plugins/degrade/local.mk
include plugins/dedup/local.mk
include plugins/session/local.mk
