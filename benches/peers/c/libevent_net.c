/* libevent, in the works of net.h; with LIBEVENT_CHANGELIST=1 in the environment it keeps its changelist. */
#include "runner.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include "net.h"

static _Thread_local struct event_base *base;
static _Thread_local struct event *events;

static void on_request(evutil_socket_t fd, short what, void *arg) { (void)what, (void)arg, answer(fd); }
static void on_stamp(evutil_socket_t fd, short what, void *arg) { (void)what, (void)arg, receive(fd); }

static void on_low(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    drown((struct event *)arg - events);
}

static void open_loop(size_t sources)
{
    struct event_config *config = event_config_new();
    if (getenv("LIBEVENT_CHANGELIST"))
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    if (is("flood"))
        event_config_set_max_dispatch_interval(config, NULL, LIMIT, 1);
    base = event_base_new_with_config(config);
    need(base != NULL, "event_base_new");
    event_config_free(config);
    if (is("flood"))
        event_base_priority_init(base, 2);
    events = calloc(sources, sizeof *events);
}

static void add(size_t i, int fd, event_callback_fn callback, int priority, const struct timeval *timeout)
{
    event_assign(&events[i], base, fd, EV_READ | EV_PERSIST, callback, &events[i]);
    if (is("flood"))
        event_priority_set(&events[i], priority);
    need(event_add(&events[i], timeout) == 0, "event_add");
}

static void add_connection(size_t i, int fd) { add(i, fd, on_request, 0, NULL); }
static void add_urgent(size_t i, int fd) { add(i, fd, on_stamp, 0, NULL); }
static void add_low(size_t i, int fd) { add(i, fd, on_low, 1, NULL); }

static void add_idle(size_t i, int fd)
{
    static const struct timeval idle = { IDLE_S, 0 };
    add(i, fd, on_request, 0, &idle);
}

static void run_loop(void) { event_base_loop(base, 0); }
static void stop_loop(void) { event_base_loopbreak(base); }
static void look(void) { event_base_loop(base, EVLOOP_NONBLOCK); }
