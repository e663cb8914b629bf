/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket. It is polled rather than given to uv_listen(): so accepting can stop and go on (a pause, no
 * descriptors left) without a spin, and lanes can share a port. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/seam.h"
#include "http/inner.h"

#define BACKLOG 4096
#define ACCEPT_BATCH 64           /* then the others of the loop have their turn */
#define ACCEPT_REST_US 200000     /* out of descriptors */
#define COMPLAIN_EVERY_US 1000000 /* in the log */

/* ---- accepting ---- */

static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\n"
			   "Content-Type: application/problem+json\r\n"
			   "Content-Length: 123\r\n"
			   "Retry-After: 1\r\n"
			   "Connection: close\r\n\r\n"
			   "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
			   "\"code\":\"too_many_connections\",\"detail\":\"try again later\"}\n";

static void turn_away(struct http_server *s, int fd)
{
	s->stats.refused_connections++;
	ssize_t unheeded = send(fd, busy, sizeof busy - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)unheeded;
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void peer_text(const struct sockaddr_storage *from, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	if (from->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, text, INET6_ADDRSTRLEN);
	else if (from->ss_family != AF_INET6)
		strcpy(text, "unix");
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, text, INET6_ADDRSTRLEN);
}

/* Without a descriptor the client stays in the backlog; trying again at once would only burn the processor. */
static void rest_a_while(struct http_server *s, int error)
{
	int64_t now = now_us(s);
	s->accept_again_us = now + ACCEPT_REST_US;
	listen_stop(s);
	if (now - s->complained_us < COMPLAIN_EVERY_US)
		return;
	s->complained_us = now;
	log_warn("http", "accept: %s; %llu connections are open, the next waits", strerror(error),
		(unsigned long long)s->stats.open);
}

/* 1 = took one, 0 = nobody there or no way to take one. */
static int accept_one(struct http_server *s)
{
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof from;
	char peer[INET6_ADDRSTRLEN];
	int fd = -seam_pass("http.accept");
	errno = fd;
	fd = fd ? -1 : accept4(s->listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EINTR || errno == ECONNABORTED)
			return 1;
		if (errno != EAGAIN)
			rest_a_while(s, errno);
		return 0;
	}
	if (s->stats.open >= s->limits.connections) {
		turn_away(s, fd);
		return 1;
	}
	peer_text(&from, peer);
	conn_start(s, fd, peer, s->unix_path != NULL);
	return 1;
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	struct http_server *s = poll->data;
	for (int i = 0; i < ACCEPT_BATCH && s->listening && accept_one(s); i++)
		;
}

void listen_stop(struct http_server *s)
{
	if (s->listening)
		uv_poll_stop(&s->listener);
	s->listening = false;
}

void listen_resume(struct http_server *s)
{
	if (s->listening || s->paused || s->closing || now_us(s) < s->accept_again_us)
		return;
	s->listening = uv_poll_start(&s->listener, UV_READABLE, on_listener) == 0;
}

/* ---- opening ---- */

static int fail(char why[256], const char *address, const char *what, int error)
{
	snprintf(why, 256, "%s: %s: %s", address, what, strerror(error));
	return -error;
}

static int set_on(int fd, int level, int option)
{
	int one = 1;
	return setsockopt(fd, level, option, &one, sizeof one);
}

/* TCP_NODELAY is inherited by what is accepted. */
static int bind_tcp(const struct addrinfo *ai, bool reuse_port)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) == 0 && set_on(fd, IPPROTO_TCP, TCP_NODELAY) == 0 &&
		(!reuse_port || set_on(fd, SOL_SOCKET, SO_REUSEPORT) == 0) &&
		bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	return -error;
}

/*  127.0.0.1:8470   [::1]:8470   :8470
 *  ^host     ^port               an empty host is every address */
static int split_address(const char *address, char *host, size_t host_bytes, const char **port)
{
	const char *colon = strrchr(address, ':');
	if (!colon || !colon[1])
		return -EINVAL;
	const char *from = address, *to = colon;
	if (*from == '[' && to > from && to[-1] == ']') {
		from++;
		to--;
	}
	if ((size_t)(to - from) >= host_bytes)
		return -EINVAL;
	memcpy(host, from, (size_t)(to - from));
	host[to - from] = 0;
	*port = colon + 1;
	return 0;
}

static int open_tcp(struct http_server *s, const char *address, bool reuse_port, char why[256])
{
	char host[256];
	const char *port;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found;
	if (split_address(address, host, sizeof host, &port) < 0)
		return fail(why, address, "not host:port, [v6]:port or a path", EINVAL);
	int rc = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (rc != 0) {
		snprintf(why, 256, "%s: %s", address, gai_strerror(rc));
		return -EINVAL;
	}
	int fd = bind_tcp(found, reuse_port);
	freeaddrinfo(found);
	if (fd < 0)
		return fail(why, address, "cannot listen", -fd);
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	getsockname(fd, (struct sockaddr *)&at, &len);
	s->port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
						 : ((struct sockaddr_in *)&at)->sin_port);
	s->listen_fd = fd;
	return 0;
}

/* A socket nobody answers at is left over from a killed process and removed. Anything else is not ours. */
static int remove_stale(const struct sockaddr_un *at)
{
	struct stat st;
	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 ? 0 : errno;
	close(fd);
	if (rc != ECONNREFUSED)
		return rc == 0 ? -EADDRINUSE : -rc;
	return unlink(at->sun_path) == 0 ? 0 : -errno;
}

/* fchmod() before bind(): the socket never exists with wider rights. */
static int bind_unix(int fd, const struct sockaddr_un *at)
{
	int rc = remove_stale(at);
	if (rc < 0)
		return rc;
	if (fchmod(fd, 0660) < 0 || bind(fd, (const struct sockaddr *)at, sizeof *at) < 0 ||
		chmod(at->sun_path, 0660) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static int open_unix(struct http_server *s, const char *path, char why[256])
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof at.sun_path)
		return fail(why, path, "cannot listen", ENAMETOOLONG);
	strcpy(at.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(why, path, "cannot listen", errno);
	int rc = bind_unix(fd, &at);
	struct stat st;
	if (rc < 0 || stat(path, &st) < 0) {
		close(fd);
		return fail(why, path, "cannot listen", rc < 0 ? -rc : errno);
	}
	s->unix_path = strdup(path);
	MUST(s->unix_path != NULL);
	s->unix_inode = st.st_ino;
	s->listen_fd = fd;
	return 0;
}

int listen_open(struct http_server *s, const char *address, bool reuse_port, char why[256])
{
	int rc = strchr(address, '/') ? open_unix(s, address, why) : open_tcp(s, address, reuse_port, why);
	if (rc < 0)
		return rc;
	MUST(uv_poll_init(s->loop, &s->listener, s->listen_fd) == 0);
	s->listener.data = s;
	listen_resume(s);
	return 0;
}
