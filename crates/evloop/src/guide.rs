//! The guide: eleven short chapters, from one timer to a tested server.
//!
//! Each has an example that runs as it stands. Read in order they need nothing else; what is used is
//! explained when it comes up first. The [crate's page](crate) is for looking things up.
//!
//! 1. [One timer](chapter_1): the loop, an event, a callback.
//! 2. [A pipe](chapter_2): readiness, sources, level and edge.
//! 3. [A server](chapter_3): connections, writing what does not fit, idle timeouts.
//! 4. [Signals](chapter_4), and a good end.
//! 5. [Priorities and limits](chapter_5): who goes first, and for how long.
//! 6. [State, and other events' sources](chapter_6): where things are kept.
//! 7. [The life of an event](chapter_7): one-shot, persistent, kept; deleted and removed.
//! 8. [Errors and panics](chapter_8): what can go wrong, and what is left then.
//! 9. [Threads](chapter_9): using a loop from elsewhere.
//! 10. [Several loops, and fork](chapter_10).
//! 11. [Testing a server](chapter_11), for an hour, in milliseconds.

#[doc = include_str!("guide/chapter_1.md")]
pub mod chapter_1 {}

#[doc = include_str!("guide/chapter_2.md")]
pub mod chapter_2 {}

#[doc = include_str!("guide/chapter_3.md")]
pub mod chapter_3 {}

#[doc = include_str!("guide/chapter_4.md")]
pub mod chapter_4 {}

#[doc = include_str!("guide/chapter_5.md")]
pub mod chapter_5 {}

#[doc = include_str!("guide/chapter_6.md")]
pub mod chapter_6 {}

#[doc = include_str!("guide/chapter_7.md")]
pub mod chapter_7 {}

#[doc = include_str!("guide/chapter_8.md")]
pub mod chapter_8 {}

#[doc = include_str!("guide/chapter_9.md")]
pub mod chapter_9 {}

#[doc = include_str!("guide/chapter_10.md")]
pub mod chapter_10 {}

#[doc = include_str!("guide/chapter_11.md")]
pub mod chapter_11 {}
