/* What libevent lets a program do, done: from callbacks, from the log function, in a child, and with the
 * debug mode; and what it stops. It holds on the system's libevent as on ours. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

static struct event_base *base;
static struct event *other;
static int calls, entered;

static void expect_(int holds, const char *what, int line) {
    if (!holds) {
        fprintf(stderr, "rules.c:%d: not so: %s\n", line, what);
        _exit(1);
    }
}
#define expect(what) expect_(!!(what), #what, __LINE__)

static struct timeval milliseconds(int number) {
    struct timeval time = {number / 1000, number % 1000 * 1000};
    return time;
}

static void count(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what, (void)arg;
    calls++;
}

static void free_itself(evutil_socket_t fd, short what, void *itself) {
    (void)fd, (void)what;
    calls++;
    event_free(*(struct event **)itself);
}

static void run_inside(evutil_socket_t fd, short what, void *arg) {
    (void)fd, (void)what, (void)arg;
    calls++;
    expect(event_base_loop(base, EVLOOP_NONBLOCK) == -1);
    expect(event_base_loopbreak(base) == 0);
}

static void enter(int severity, const char *message) {
    (void)severity, (void)message;
    if (other == NULL)
        return;
    entered++;
    expect(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) >= 1);
    expect(event_del(other) == 0);
    event_active(other, EV_WRITE, 0);
}

static void callbacks(int reader, int writer) {
    struct event *event = event_new(base, reader, EV_READ | EV_PERSIST, free_itself, &event);
    expect(event_add(event, NULL) == 0);
    expect(write(writer, "x", 1) == 1);
    expect(event_base_loop(base, 0) == 1 && calls == 1);

    event = event_new(base, reader, EV_READ | EV_PERSIST, run_inside, NULL);
    expect(event_add(event, NULL) == 0);
    expect(event_base_loop(base, 0) == 0 && event_base_got_break(base) && calls == 2);
    expect(event_del(event) == 0 && event_del(event) == 0);
    event_free(event);
}

/* The log function may enter the base that has something to say: in libevent, one without a lock. */
static void log_function(int reader) {
    struct event_base *locked = base;
    struct event_config *config = event_config_new();
    expect(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0);
    expect((base = event_base_new_with_config(config)) != NULL);
    event_config_free(config);
    struct event *refused = event_new(base, 1 << 20, EV_READ, count, NULL);
    other = event_new(base, reader, EV_READ | EV_PERSIST, count, NULL);
    expect(event_add(other, NULL) == 0);
    calls = 0;
    event_set_log_callback(enter);
    if (event_add(refused, NULL) == -1) {
        expect(errno == EBADF && entered == 1);
        expect(event_pending(refused, EV_READ, NULL) == 0);
        expect(event_pending(other, EV_READ | EV_WRITE, NULL) == EV_WRITE);
        expect(event_base_loop(base, EVLOOP_NONBLOCK) != -1 && calls == 1);
    }
    event_set_log_callback(NULL);
    event_free(refused);
    event_free(other);
    other = NULL;
    event_base_free(base);
    base = locked;
}

static void *loop(void *arg) {
    (void)arg;
    expect(event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY) == 0);
    return NULL;
}

static void ready(evutil_socket_t fd, short what, void *writer) {
    (void)fd, (void)what;
    expect(write(*(int *)writer, "r", 1) == 1);
}

/* What another thread adds while the loop waits is refused at once, if it is. */
static void other_thread(int reader, int writer) {
    const char *method = event_base_get_method(base);
    struct event *refused = event_new(base, 1 << 20, EV_READ, count, NULL);
    pthread_t thread;
    char byte;
    expect(pthread_create(&thread, NULL, loop, NULL) == 0);
    expect(event_base_once(base, -1, EV_TIMEOUT, ready, &writer, NULL) == 0);
    while (read(reader, &byte, 1) != 1 || byte != 'r')
        ;
    if (strcmp(method, "epoll") == 0) {
        expect(event_add(refused, NULL) == -1 && errno == EBADF);
        expect(event_pending(refused, EV_READ, NULL) == 0);
    }
    /* Until it runs there is nothing to break; now it does. */
    expect(event_base_loopbreak(base) == 0);
    expect(pthread_join(thread, NULL) == 0);
    event_free(refused);
}

static int pick(const struct event_base *of, const struct event *event, void *picked) {
    (void)of;
    /* libevent shows what it has for itself, too. */
    if (event_get_callback(event) != count)
        return 0;
    *(const struct event **)picked = event;
    return 7;
}

static void each(void) {
    struct timeval time = milliseconds(100000);
    struct event *events[3], *picked = NULL;
    for (int i = 0; i < 3; i++) {
        events[i] = event_new(base, -1, 0, count, NULL);
        expect(event_add(events[i], &time) == 0);
    }
    for (int left = 3; left > 0; left--) {
        expect(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == left);
        expect(event_base_foreach_event(base, pick, &picked) == 7);
        expect(event_del(picked) == 0);
    }
    expect(event_base_foreach_event(base, pick, &picked) == 0);
    for (int i = 0; i < 3; i++)
        event_free(events[i]);
}

static int end_of(pid_t child) {
    int status;
    expect(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void child(int reader, int writer) {
    struct event *event = event_new(base, reader, EV_READ | EV_PERSIST, count, NULL);
    expect(event_add(event, NULL) == 0);
    calls = 0;
    pid_t child = fork();
    if (child == 0) {
        expect(event_reinit(base) == 0);
        expect(write(writer, "x", 1) == 1);
        expect(event_base_loop(base, EVLOOP_ONCE) == 0 && calls == 1);
        event_free(event);
        expect(event_base_loop(base, 0) == 1);
        event_base_free(base);
        _exit(3);
    }
    expect(end_of(child) == 3);
    expect(event_base_loop(base, EVLOOP_ONCE) == 0 && calls == 1);
    event_free(event);
}

/* As daemons do: the child closes all that it does not know. It is woken as before. */
static void daemon_child(int reader, int writer) {
    struct event *event = event_new(base, reader, EV_READ | EV_PERSIST, count, NULL);
    struct event *by_signal = event_new(base, SIGUSR1, EV_SIGNAL | EV_PERSIST, count, NULL);
    int ready[2];
    char byte;
    expect(event_add(event, NULL) == 0 && event_add(by_signal, NULL) == 0);
    expect(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        for (int fd = 3; fd < 64; fd++)
            if (fd != reader && fd != writer && fd != ready[1])
                close(fd);
        expect(event_reinit(base) == 0);
        calls = 0;
        expect(write(writer, "x", 1) == 1);
        expect(event_base_loop(base, EVLOOP_ONCE) == 0 && calls == 1);
        expect(read(reader, &byte, 1) == 1 && event_del(event) == 0);
        expect(write(ready[1], "r", 1) == 1);
        expect(event_base_loop(base, EVLOOP_ONCE) == 0 && calls == 2);
        _exit(3);
    }
    expect(read(ready[0], &byte, 1) == 1);
    expect(kill(child, SIGUSR1) == 0);
    expect(end_of(child) == 3);
    close(ready[0]);
    close(ready[1]);
    event_free(event);
    event_free(by_signal);
}

static void on_read(struct bufferevent *from, void *text) {
    int length = bufferevent_read(from, text, 15);
    ((char *)text)[length > 0 ? length : 0] = 0;
    event_base_loopexit(base, NULL);
}

static void buffers(void) {
    struct bufferevent *pair[2];
    char text[16] = "";
    int options = BEV_OPT_THREADSAFE | BEV_OPT_DEFER_CALLBACKS;
    expect(bufferevent_pair_new(base, options, pair) == 0);
    bufferevent_setcb(pair[1], on_read, NULL, NULL, text);
    expect(bufferevent_enable(pair[1], EV_READ) == 0);
    expect(bufferevent_write(pair[0], "hello", 5) == 0);
    expect(event_base_dispatch(base) == 0 && strcmp(text, "hello") == 0);
    bufferevent_free(pair[0]);
    bufferevent_free(pair[1]);
}

static void is_abort(int code) { _exit(code == (int)0xdeaddead ? 9 : 1); }

static void quiet(int severity, const char *message) { (void)severity, (void)message; }

static void never_assigned(struct event *event) { event_add(event, NULL); }
static void never_assigned_to_delete(struct event *event) { event_del(event); }
static void added_already(struct event *event) {
    struct timeval time = milliseconds(1000);
    event_assign(event, base, -1, 0, count, NULL);
    event_add(event, &time);
    event_assign(event, base, -1, 0, count, NULL);
}

/* In children, before there is a base: it is too late for the debug mode then. */
static void debug_mode(void) {
    void (*misuses[])(struct event *) = {never_assigned, never_assigned_to_delete, added_already};
    for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct event event;
            event_enable_debug_mode();
            event_set_log_callback(quiet);
            event_set_fatal_callback(is_abort);
            base = event_base_new();
            memset(&event, 0, sizeof event);
            event.ev_base = base;
            misuses[i](&event);
            _exit(2);
        }
        expect(end_of(child) == 9);
    }
}

int main(void) {
    int pipes[2];
    debug_mode();
    expect(evthread_use_pthreads() == 0);
    expect((base = event_base_new()) != NULL);
    expect(pipe2(pipes, O_NONBLOCK) == 0);
    callbacks(pipes[0], pipes[1]);
    other_thread(pipes[0], pipes[1]);
    log_function(pipes[0]);
    each();
    child(pipes[0], pipes[1]);
    daemon_child(pipes[0], pipes[1]);
    buffers();
    event_base_free(base);
    libevent_global_shutdown();
    return 0;
}
