/* SPDX-License-Identifier: Apache-2.0 */
/* A library for LD_PRELOAD that makes calls of a whole process fail, libraries included: allocations, and what is done
 * with sockets. Built for `make check`, never installed.
 *
 * TALLY_SHIM names a file that test and process map together: 16 entries of 64 bytes, little-endian, so that a running
 * process can be armed, asked how often a call passed and disarmed, and the counts outlive a kill:
 *
 *     0 name[16] | 16 port | 20 action | 24 value | 28 every | 32 at (u64) | 40 passed (u64) | 48 fired (u64) | 56 -
 *
 * Names: alloc (malloc, calloc, realloc), open, send, recv, accept, connect. port: of either end of the socket, 0 = any.
 * It fires on passing number `at`, and with `every` = n > 0 on each n-th one behind it. An entry with action 0 only
 * counts. Every firing is a line on stderr: "shim NAME fired". */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 16

enum action {
	ACT_NONE,
	ACT_ERRNO,   /* the call fails with errno `value` */
	ACT_SHORT,   /* one byte of what was asked for */
	ACT_STALL,   /* `value` ms, then as usual */
	ACT_SWALLOW, /* send: told as done, but the connection is cut and nothing leaves */
	ACT_CUT,     /* the connection is cut, then as usual */
};

struct entry {
	char name[16];
	uint32_t port, action;
	int32_t value;
	uint32_t every;
	uint64_t at;
	_Atomic uint64_t passed, fired;
	uint64_t unused;
};

_Static_assert(sizeof(struct entry) == 64, "as in the head of this file");

static struct entry *entries;

static void __attribute__((constructor)) map_entries(void)
{
	const char *path = getenv("TALLY_SHIM");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *p = mmap(NULL, ENTRIES * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		entries = p;
}

/* No allocation on the way: an entry may be about those. */
static void say(const char *name)
{
	char line[64];
	size_t n = strnlen(name, 16);
	memcpy(line, "shim ", 5);
	memcpy(line + 5, name, n);
	memcpy(line + 5 + n, " fired\n", 7);
	long unheeded = syscall(SYS_write, 2, line, n + 12);
	(void)unheeded;
}

static bool is_due(const struct entry *e, uint64_t passing)
{
	if (e->at == 0 || passing < e->at)
		return false;
	return passing == e->at || (e->every && (passing - e->at) % e->every == 0);
}

static unsigned port_of(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)a)->sin_port);
	return a->ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)a)->sin6_port) : 0;
}

static bool has_port(int fd, unsigned port)
{
	struct sockaddr_storage a = { 0 }, b = { 0 };
	socklen_t na = sizeof a, nb = sizeof b;
	bool local = getsockname(fd, (struct sockaddr *)&a, &na) == 0 && port_of(&a) == port;
	return local || (getpeername(fd, (struct sockaddr *)&b, &nb) == 0 && port_of(&b) == port);
}

/* The entry that fires on this passing, or NULL. fd < 0: no socket. */
static const struct entry *pass(const char *name, int fd, unsigned port)
{
	const struct entry *hit = NULL;
	int before = errno;
	for (int i = 0; entries && i < ENTRIES; i++) {
		struct entry *e = &entries[i];
		if (e->name[0] != name[0] || strncmp(e->name, name, sizeof e->name) != 0)
			continue;
		if (e->port && e->port != port && (fd < 0 || !has_port(fd, e->port)))
			continue;
		uint64_t n = atomic_fetch_add(&e->passed, 1) + 1;
		if (hit || !e->action || !is_due(e, n))
			continue;
		atomic_fetch_add(&e->fired, 1);
		say(e->name);
		hit = e;
	}
	errno = before;
	if (hit && hit->action == ACT_STALL)
		nanosleep(&(struct timespec){ hit->value / 1000, hit->value % 1000 * 1000000L }, NULL);
	if (hit && hit->action == ACT_CUT)
		shutdown(fd, SHUT_RDWR);
	return hit;
}

static bool fails(const struct entry *e)
{
	if (e && e->action == ACT_ERRNO)
		errno = e->value;
	return e && e->action == ACT_ERRNO;
}

/* ---- allocation ---- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return fails(pass("alloc", -1, 0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(pass("alloc", -1, 0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(pass("alloc", -1, 0)) ? NULL : __libc_realloc(p, n);
}

/* ---- files and sockets: straight to the kernel, so nothing has to be looked up ---- */

int open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(pass("open", -1, 0)) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails(pass("open", -1, 0)) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
	return fails(pass("accept", fd, 0)) ? -1 : (int)syscall(SYS_accept4, fd, at, len, flags);
}

int accept(int fd, struct sockaddr *at, socklen_t *len)
{
	return accept4(fd, at, len, 0);
}

int connect(int fd, const struct sockaddr *at, socklen_t len)
{
	struct sockaddr_storage a = { 0 };
	memcpy(&a, at, len < sizeof a ? len : sizeof a);
	return fails(pass("connect", -1, port_of(&a))) ? -1 : (int)syscall(SYS_connect, fd, at, len);
}

static bool is_socket(int fd)
{
	struct stat st;
	return entries && syscall(SYS_fstat, fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* What is sent or received passes here as one piece of memory list; which: SYS_sendmsg or SYS_recvmsg. */
static ssize_t move(const char *name, long which, int fd, struct msghdr *m, int flags)
{
	const struct entry *e = is_socket(fd) ? pass(name, fd, 0) : NULL;
	struct msghdr one = *m;
	struct iovec first;
	if (fails(e))
		return -1;
	if (e && e->action == ACT_SWALLOW) {
		size_t all = 0;
		for (size_t i = 0; i < m->msg_iovlen; i++)
			all += m->msg_iov[i].iov_len;
		shutdown(fd, SHUT_RDWR);
		return (ssize_t)all;
	}
	if (e && e->action == ACT_SHORT && m->msg_iovlen && m->msg_iov[0].iov_len > 1) {
		first = (struct iovec){ m->msg_iov[0].iov_base, 1 };
		one.msg_iov = &first;
		one.msg_iovlen = 1;
	}
	ssize_t n = syscall(which, fd, &one, flags);
	m->msg_namelen = one.msg_namelen;
	m->msg_controllen = one.msg_controllen;
	m->msg_flags = one.msg_flags;
	return n;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct msghdr copy = *m;
	return move("send", SYS_sendmsg, fd, &copy, flags);
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t len)
{
	struct iovec v = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_name = (void *)(uintptr_t)to, .msg_namelen = len, .msg_iov = &v, .msg_iovlen = 1 };
	return move("send", SYS_sendmsg, fd, &m, flags);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	return sendto(fd, p, n, flags, NULL, 0);
}

ssize_t write(int fd, const void *p, size_t n)
{
	return is_socket(fd) ? sendto(fd, p, n, 0, NULL, 0) : syscall(SYS_write, fd, p, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n };
	return is_socket(fd) ? move("send", SYS_sendmsg, fd, &m, 0) : syscall(SYS_writev, fd, v, n);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	return move("recv", SYS_recvmsg, fd, m, flags);
}

ssize_t recvfrom(int fd, void *restrict p, size_t n, int flags, struct sockaddr *restrict from, socklen_t *restrict len)
{
	struct iovec v = { p, n };
	struct msghdr m = { .msg_name = from, .msg_namelen = from && len ? *len : 0, .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t got = move("recv", SYS_recvmsg, fd, &m, flags);
	if (from && len)
		*len = m.msg_namelen;
	return got;
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
	return recvfrom(fd, p, n, flags, NULL, NULL);
}

ssize_t read(int fd, void *p, size_t n)
{
	return is_socket(fd) ? recvfrom(fd, p, n, 0, NULL, NULL) : syscall(SYS_read, fd, p, n);
}

ssize_t readv(int fd, const struct iovec *v, int n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n };
	return is_socket(fd) ? move("recv", SYS_recvmsg, fd, &m, 0) : syscall(SYS_readv, fd, v, n);
}
