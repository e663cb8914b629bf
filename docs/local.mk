# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += docs/plugin-guide.md docs/plugins.md
EXTRA_DIST += docs/architecture.md docs/decisions
