# SPDX-License-Identifier: Apache-2.0
dist_check_SCRIPTS += tests/unit/floors.sh tests/unit/format.sh
EXTRA_DIST += tests/unit/unit.h
