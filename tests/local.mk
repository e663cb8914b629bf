# SPDX-License-Identifier: Apache-2.0
include tests/unit/local.mk
include tests/plug/local.mk
include tests/e2e/local.mk
include tests/fault/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/abi/local.mk
include tests/sample/local.mk
