/* libevent; with LIBEVENT_CHANGELIST=1 in the environment it keeps its changelist. */
#include "runner.h"
#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;
static struct event *events;
static uint64_t hops;
static const struct timeval idle = { 60, 0 };

static void on_pipe(evutil_socket_t fd, short what, void *arg)
{
    size_t i = (struct event *)arg - events;
    (void)fd, (void)what;
    pass_on(i);
    hops++;
}

static void on_pipe_again(evutil_socket_t fd, short what, void *arg)
{
    on_pipe(fd, what, arg);
    event_del(arg);
    event_add(arg, &idle);
}

static void count(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    hops++;
}

static double ring(uint64_t ops)
{
    hops = 0;
    double begun = now_ns();
    while (hops < ops)
        event_base_loop(base, EVLOOP_ONCE);
    return (now_ns() - begun) / hops;
}

static double cascade(uint64_t ops)
{
    uint64_t passes = ops / n ? ops / n : 1;
    double begun = now_ns();
    for (uint64_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < n; i++)
            event_add(&events[i], NULL);
        for (hops = 0; hops < n;)
            event_base_loop(base, EVLOOP_ONCE);
    }
    return (now_ns() - begun) / (passes * n);
}

static double send_signals(uint64_t ops)
{
    double begun = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        kill(getpid(), SIGUSR1);
        event_base_loop(base, EVLOOP_ONCE);
    }
    return (now_ns() - begun) / ops;
}

static double add_delete(uint64_t ops)
{
    double begun = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        event_del(&events[0]);
        event_add(&events[0], NULL);
    }
    return (now_ns() - begun) / ops;
}

static void add_all(uint64_t times, uint64_t parts)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t ms = timeout_ms(i) * times / parts;
        struct timeval after = { ms / 1000, ms % 1000 * 1000 };
        event_add(&events[i], &after);
    }
}

static void delete_all(void)
{
    for (size_t i = 0; i < n; i++)
        event_del(&events[i]);
}

static double timers(uint64_t ops)
{
    (void)ops;
    delete_all();
    if (is("timer-expire")) {
        for (size_t i = 0; i < n; i++) {
            struct timeval after = { 0, short_us(i) };
            event_add(&events[i], &after);
        }
        until_due();
    } else if (!is("timer-add"))
        add_all(1, 1);
    double begun = now_ns();
    if (is("timer-add"))
        add_all(1, 1);
    else if (is("timer-cancel"))
        delete_all();
    else if (is("timer-later"))
        add_all(2, 1);
    else if (is("timer-earlier"))
        add_all(1, 2);
    else
        for (hops = 0; hops < n;)
            event_base_loop(base, EVLOOP_ONCE);
    return (now_ns() - begun) / n;
}

int main(int argc, char **argv)
{
    start(argv, argc);
    struct event_config *config = event_config_new();
    if (getenv("LIBEVENT_CHANGELIST"))
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    need(base != NULL, "event_base_new");
    events = calloc(n, sizeof *events);
    if (strncmp(work, "timer-", 6) == 0) {
        for (size_t i = 0; i < n; i++)
            evtimer_assign(&events[i], base, count, NULL);
        serve(timers);
    } else if (is("signal")) {
        evsignal_assign(&events[0], base, SIGUSR1, count, NULL);
        event_add(&events[0], NULL);
        serve(send_signals);
    } else if (is("add-delete")) {
        make_ring();
        event_assign(&events[0], base, readers[0], EV_READ, count, NULL);
        event_add(&events[0], NULL);
        serve(add_delete);
    } else if (strncmp(work, "ring", 4) == 0 || is("cascade")) {
        int again = is("ring-again"), once = is("cascade");
        short what = EV_READ | (again || once ? 0 : EV_PERSIST) | (is("ring-edge") ? EV_ET : 0);
        make_ring();
        for (size_t i = 0; i < n; i++) {
            event_assign(&events[i], base, readers[i], what, again ? on_pipe_again : on_pipe,
                         &events[i]);
            if (!once)
                event_add(&events[i], again || is("ring-timeout") ? &idle : NULL);
        }
        prime(active_bytes);
        serve(once ? cascade : ring);
    } else
        none("not measured yet");
    return 0;
}
