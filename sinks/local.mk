# SPDX-License-Identifier: Apache-2.0
include sinks/sqlite/local.mk
include sinks/mariadb/local.mk
include sinks/file/local.mk
include sinks/null/local.mk
