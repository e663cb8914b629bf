# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Packages by apt-get, only those that are missing, and without a service starting now or at the next boot.
# a|b: either will do; the first is installed if none is there.

build_packages='gcc libc6-dev make autoconf automake libtool pkg-config|pkgconf libuv1-dev libhiredis-dev
	libmariadb-dev uuid-dev libsqlite3-dev libyaml-dev zlib1g-dev libzstd-dev libxxhash-dev libjansson-dev
	libcurl4-openssl-dev|libcurl4-gnutls-dev libmaxminddb-dev curl tzdata'
test_packages='g++ libcmocka-dev mariadb-server mariadb-client redis-server redis-tools sqlite3 jq zstd xz-utils
	prometheus clang-format-14 python3 procps util-linux'

installed() { dpkg-query -W -f='${db:Status-Abbrev}\n' "$1" 2>/dev/null | grep -q '^.i'; }

# missing_of LIST: what is to be installed of it
missing_of() {
	local want one
	for want in $1; do
		for one in ${want//|/ }; do
			installed "$one" && continue 2
		done
		printf '%s ' "${want%%|*}"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# ---- no service starts: policy-rc.d says so while packages are configured; what was there comes back

policy=/usr/sbin/policy-rc.d
policy_kept=$policy.before-tally

forbid_services() {
	# a kept one is from a run that was killed: it is the original, and what stands there is ours
	[ ! -e $policy ] || [ -e $policy_kept ] || as_root mv $policy $policy_kept || return 1
	printf '#!/bin/sh\n# made by the bootstrap of tally while it installs packages\nexit 101\n' |
		as_root tee $policy >/dev/null && as_root chmod 755 $policy
}

allow_services() {
	as_root rm -f $policy
	[ ! -e $policy_kept ] || as_root mv $policy_kept $policy
}

# Links that start a service at boot.
boot_links() {
	find /etc/systemd/system /etc/rc?.d -type l \( -path '*.wants/*' -o -path '*.requires/*' -o -name 'S*' \
		-o -path '/etc/systemd/system/*.service' \) 2>/dev/null | LC_ALL=C sort
}

# disable_new BEFORE: removes the links that were not there before
disable_new() {
	local link
	while read -r link; do
		case $link in
		/etc/rc*)
			# K instead of S: known, and not started
			as_root mv "$link" "${link%/*}/K01$(basename "$link" | cut -c4-)"
			;;
		*) as_root rm -f "$link" ;;
		esac
	done < <(LC_ALL=C comm -13 <(printf '%s\n' "$1") <(boot_links))
}

# need_packages LIST: they are there, or the program ends
need_packages() {
	local missing before rc
	if ! command -v dpkg-query >/dev/null; then
		say "no dpkg here: taking it that these are installed: $(echo $1)"
		return 0
	fi
	missing=$(missing_of "$1")
	[ -n "$missing" ] || return 0
	say "installing: $missing"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "needs root or sudo to install: $missing"
	before=$(boot_links)
	trap 'allow_services; disable_new "$before"' EXIT
	trap 'exit 130' INT TERM HUP
	forbid_services || die "cannot write $policy"
	as_root apt-get -q update || say "apt-get update failed; trying with the lists that are there"
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $missing
	rc=$?
	trap - EXIT INT TERM HUP
	allow_services
	disable_new "$before"
	[ $rc = 0 ] || die "apt-get could not install: $missing"
}
