/* libevent; with LIBEVENT_CHANGELIST=1 in the environment it keeps its changelist, with EVENT_PRECISE_TIMER=1, at which the
   library looks, it reads the precise clock. */
#include "runner.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

typedef struct timeval span;
#include "works.h"

static struct event_base *base;
static struct event *events, *writes;
static int has_changelist;
static const struct timeval idle = { 60, 0 };
static const int stays = 0;

static const char *lacks(void) { return NULL; }

/* A callback's argument is its event. */
#define ON(name)                                                                                      \
    static void on_##name(evutil_socket_t fd, short what, void *arg)                                  \
    {                                                                                                 \
        (void)fd, (void)what;                                                                         \
        name((struct event *)arg - events);                                                           \
    }
ON(plain) ON(again) ON(toggle)

#define ON_OTHER(name, act)                                                                           \
    static void on_##name(evutil_socket_t fd, short what, void *arg)                                  \
    {                                                                                                 \
        (void)fd, (void)what, (void)arg;                                                              \
        hop();                                                                                        \
        act;                                                                                          \
    }
ON_OTHER(timer, (void)0) ON_OTHER(signal, next_signal()) ON_OTHER(wake, answer())

static void open_loop(void)
{
    struct event_config *config = event_config_new();
    has_changelist = getenv("LIBEVENT_CHANGELIST") != NULL;
    if (has_changelist)
        event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    int is_wake = strncmp(work, "wake", 4) == 0;
    if (is_wake)
        evthread_use_pthreads();
    base = event_base_new_with_config(config);
    need(base != NULL, "event_base_new");
    events = calloc(n, sizeof *events);
    writes = calloc(n, sizeof *writes);
    for (size_t i = 0; i < n; i++)
        evtimer_assign(&events[i], base, is_wake ? on_wake : on_timer, NULL);
}

/* What wakes it is no event that is pending. */
static void run(void) { event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY); }
static void stop(void) { event_base_loopbreak(base); }

static void tell_kernel(void)
{
    if (has_changelist)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

static void new_source(size_t i, int fd)
{
    int is_one_shot = is("ring-again") || is("cascade");
    short what = EV_READ | (is_one_shot ? 0 : EV_PERSIST) | (is("ring-edge") ? EV_ET : 0);
    /* A persistent event refreshes its timeout itself, and a one-shot is not there any more. */
    event_assign(&events[i], base, fd, what, CALLBACK(on_plain, on_plain, on_again, on_toggle, on_plain),
                 &events[i]);
    event_assign(&writes[i], base, fd, EV_WRITE | EV_PERSIST, on_plain, &events[i]);
}

static void start_source(size_t i, int has_timeout) { event_add(&events[i], has_timeout ? &idle : NULL); }
static void stop_source(size_t i, int has_timeout) { (void)has_timeout, event_del(&events[i]); }
static void drop_source(size_t i) { (void)i, tell_kernel(); }
static void refresh_timeout(size_t i) { (void)i; }

static void want_write(size_t i, int wanted)
{
    if (wanted)
        event_add(&writes[i], NULL);
    else
        event_del(&writes[i]);
}

static span span_of(uint64_t us) { return (span){ us / 1000000, us % 1000000 }; }
static void start_timer(size_t i, span after) { event_add(&events[i], &after); }
static void move_timer(size_t i, span after) { event_add(&events[i], &after); }
static void stop_timer(size_t i) { event_del(&events[i]); }

static void start_signal(int number)
{
    evsignal_assign(&events[0], base, number, on_signal, NULL);
    event_add(&events[0], NULL);
}

static void start_waker(void) {}
static void wake(void) { event_active(&events[0], EV_TIMEOUT, 1); }
