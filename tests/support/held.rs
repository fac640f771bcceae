//! What the kernel holds for the loop of a test.

use std::fs::{read_dir, read_link};
use std::path::Path;

use super::fdinfo::{Held, held_under};
use super::setting::is_held;

/// All that the one epoll instance of this process holds, but for what the loop has of its own.
/// Nothing where nothing [is held](is_held).
pub(crate) fn held_by_the_loop() -> Vec<Held> {
    let links = read_dir("/proc/self/fd").unwrap();
    let epolls: Vec<_> = links
        .map(|link| link.unwrap())
        .filter(|link| {
            read_link(link.path()).is_ok_and(|file| file == Path::new("anon_inode:[eventpoll]"))
        })
        .collect();
    let [epoll] = &epolls[..] else {
        if epolls.is_empty() && !is_held() {
            return Vec::new();
        }
        panic!("not one epoll instance: {epolls:?}");
    };
    let mut held = held_under(epoll.file_name().to_str().unwrap());
    held.retain(|held| held.data != u64::MAX);
    held
}

/// How many are to be held, if it is so many where anything [is](is_held).
pub(crate) fn if_held(count: usize) -> usize {
    if is_held() { count } else { 0 }
}
