# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += tests/e2e/lib/servers.sh
