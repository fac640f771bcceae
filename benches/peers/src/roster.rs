//! Who there is to measure: a row for each contender.

use crate::net::{
    self, peer_calloop::Calloop, peer_mio::Mio, peer_polling::Polling, peer_tokio::Tokio,
};
use crate::work::{Batch, NO_SUCH, Offer, Work};
use crate::{own, own_timers, peer_calloop, peer_mio, peer_polling, peer_tokio, raw};

/// In the order of the tables.
pub(crate) const ROWS: &[Row] = &[
    here("evloop", Kind::Own, own::offer).net(net::own::offer),
    here("evloop-no-timeout", Kind::Own, own::offer_without_timeout).only(&["ring-timeout"]),
    here("evloop-told", Kind::Own, own::offer)
        .net(net::own::offer_told)
        .only(&["idle"]),
    here("evloop-timers", Kind::Own, own_timers::offer).only(TIMERS),
    here("raw-level", Kind::Floor, raw::offer_level).net(net::offer::<net::raw::Level>),
    here("raw-edge", Kind::Floor, raw::offer_edge).net(net::offer::<net::raw::Edge>),
    here("raw-called", Kind::Floor, raw::offer_called).only(RINGS),
    here("mio", Kind::Peer, peer_mio::offer).net(net::offer::<Mio>),
    here("polling", Kind::Peer, peer_polling::offer).net(net::offer::<Polling>),
    here("calloop", Kind::Peer, peer_calloop::offer).net(net::offer_idle::<Calloop>),
    here("tokio", Kind::Peer, peer_tokio::offer).net(net::offer_idle::<Tokio>),
    in_c("libevent", Kind::PeerWithPriorities, LIBEVENT),
    in_c("libevent-changelist", Kind::PeerWithPriorities, LIBEVENT).env("LIBEVENT_CHANGELIST"),
    in_c("libevent-precise", Kind::Variant, LIBEVENT)
        .env("EVENT_PRECISE_TIMER")
        .only(STARTS),
    in_c("libev", Kind::PeerWithPriorities, LIBEV),
    in_c("libev-now", Kind::Variant, LIBEV)
        .env("LIBEV_NOW")
        .only(STARTS),
    in_c("libev-signalfd", Kind::Variant, LIBEV)
        .env("LIBEV_SIGNALFD")
        .only(&["signal"]),
    in_c("libuv", Kind::Peer, LIBUV),
];

const RINGS: &[&str] = &[
    "ring",
    "ring-edge",
    "ring-timeout",
    "ring-again",
    "toggle",
    "cascade",
];

/// The works of timers.
pub(crate) const TIMERS: &[&str] = &[
    "timer-add",
    "timer-cancel",
    "timer-later",
    "timer-earlier",
    "timer-expire",
    "timer-moved",
];

/// Where timeouts start while the time is taken, so that the clock matters.
const STARTS: &[&str] = &[
    "ring-again",
    "timer-add",
    "timer-later",
    "timer-earlier",
    "timer-moved",
];

const LIBEVENT: Library = Library {
    source: "libevent",
    flags: &["-levent", "-levent_pthreads"],
    package: "libevent-dev",
};

const LIBEV: Library = Library {
    source: "libev",
    flags: &["-lev"],
    package: "libev-dev",
};

const LIBUV: Library = Library {
    source: "libuv",
    flags: &["-luv"],
    package: "libuv1-dev",
};

/// A contender, whether it can be started here or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) program: Program,
    /// Where it differs from one before; all works if that is none.
    works: Option<&'static [&'static str]>,
}

/// What it stands for in the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// evloop, or a part of it, which is never left out.
    Own,
    /// Epoll by hand.
    Floor,
    Peer,
    PeerWithPriorities,
    /// A peer that is asked for what it does not do by itself.
    Variant,
}

/// Where its works are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    /// Here; those of [`net`] are the second.
    Here(fn(&Work) -> Offer, fn(&Work) -> net::Offer),
    /// In `c/`, and what is set to 1 in its environment.
    InC(Library, Option<&'static str>),
}

/// A library in C.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Library {
    /// The file of that name, and the one for the works of [`net`].
    pub(crate) source: &'static str,
    pub(crate) flags: &'static [&'static str],
    pub(crate) package: &'static str,
}

const fn here(name: &'static str, kind: Kind, offer: fn(&Work) -> Offer) -> Row {
    Row {
        name,
        kind,
        program: Program::Here(offer, |_| Err(NO_SUCH.to_owned())),
        works: None,
    }
}

const fn in_c(name: &'static str, kind: Kind, library: Library) -> Row {
    Row {
        name,
        kind,
        program: Program::InC(library, None),
        works: None,
    }
}

impl Row {
    const fn net(self, net: fn(&Work) -> net::Offer) -> Self {
        match self.program {
            Program::Here(offer, _) => Self {
                program: Program::Here(offer, net),
                ..self
            },
            Program::InC(..) => self,
        }
    }

    const fn env(self, variable: &'static str) -> Self {
        match self.program {
            Program::InC(library, _) => Self {
                program: Program::InC(library, Some(variable)),
                ..self
            },
            Program::Here(..) => self,
        }
    }

    const fn only(self, works: &'static [&'static str]) -> Self {
        Self {
            works: Some(works),
            ..self
        }
    }

    /// Whether it has anything to say in a work that another does not say already.
    pub(crate) fn differs_in(&self, work: &str) -> bool {
        self.works.is_none_or(|works| works.contains(&work))
    }
}

/// The batch of a contender of this program, or why it has none.
pub(crate) fn offer(contender: &str, work: &Work) -> net::Offer {
    let row = ROWS.iter().find(|row| row.name == contender);
    let Some(Program::Here(offer, net)) = row.map(|row| row.program) else {
        return Err(NO_SUCH.to_owned());
    };
    if net::WORKS.contains(&work.name.as_str()) {
        return net(work);
    }
    let mut batch: Batch = offer(work)?;
    Ok(Box::new(move |ops| vec![batch(ops)]))
}
