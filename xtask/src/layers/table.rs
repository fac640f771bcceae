//! The layers, from the bottom up: what each crate may depend on, and nothing else.
//!
//! A new dependency needs a change here, in the same commit, with its reason in the message.

/// One crate's row.
#[derive(Debug)]
pub(super) struct Layer {
    /// The name of its package.
    pub(super) package: &'static str,
    /// Whether it is free of std, of unsafe code, and so of the world outside.
    pub(super) is_pure: bool,
    /// The crates of the workspace that it may use: rows above this one.
    pub(super) uses: &'static [&'static str],
    /// The packages of others that it may use.
    pub(super) packages: &'static [&'static str],
    /// What it may use only while a feature asks for it.
    pub(super) by_feature: &'static [&'static str],
}

/// Every crate under `crates/`.
pub(super) const LAYERS: &[Layer] = &[
    Layer {
        package: "evloop-changelist",
        is_pure: true,
        uses: &[],
        packages: &["bitflags"],
        by_feature: &["proptest"],
    },
    Layer {
        package: "evloop-timers",
        is_pure: true,
        uses: &[],
        packages: &[],
        by_feature: &["proptest"],
    },
    Layer {
        package: "evloop-signals",
        is_pure: true,
        uses: &[],
        packages: &[],
        by_feature: &["proptest"],
    },
    Layer {
        package: "evloop-prefetch",
        is_pure: false,
        uses: &[],
        packages: &[],
        by_feature: &[],
    },
    Layer {
        package: "evloop-core",
        is_pure: true,
        uses: &[
            "evloop-changelist",
            "evloop-timers",
            "evloop-signals",
            "evloop-prefetch",
        ],
        packages: &["bitflags"],
        by_feature: &[],
    },
    Layer {
        package: "evloop-pipe",
        is_pure: false,
        uses: &[],
        packages: &["rustix"],
        by_feature: &[],
    },
    Layer {
        package: "evloop-catcher",
        is_pure: false,
        uses: &["evloop-pipe", "evloop-signals"],
        packages: &["libc"],
        by_feature: &[],
    },
    Layer {
        package: "evloop-backend",
        is_pure: false,
        uses: &["evloop-changelist", "evloop-signals"],
        packages: &["bitflags"],
        by_feature: &["proptest"],
    },
    Layer {
        package: "evloop-epoll",
        is_pure: false,
        uses: &["evloop-backend", "evloop-changelist"],
        packages: &["libc", "rustix"],
        by_feature: &[],
    },
    Layer {
        package: "evloop-poll",
        is_pure: false,
        uses: &["evloop-backend", "evloop-changelist"],
        packages: &["libc"],
        by_feature: &[],
    },
    Layer {
        package: "evloop-sim",
        is_pure: false,
        uses: &["evloop-backend", "evloop-changelist", "evloop-signals"],
        packages: &[],
        by_feature: &[],
    },
    Layer {
        package: "evloop",
        is_pure: false,
        uses: &[
            "evloop-backend",
            "evloop-catcher",
            "evloop-changelist",
            "evloop-core",
            "evloop-epoll",
            "evloop-pipe",
            "evloop-poll",
            "evloop-prefetch",
            "evloop-signals",
            "evloop-timers",
        ],
        packages: &["bitflags", "rustix"],
        by_feature: &[],
    },
    Layer {
        package: "evloop-libevent",
        is_pure: false,
        uses: &[
            "evloop-backend",
            "evloop-catcher",
            "evloop-changelist",
            "evloop-core",
            "evloop-epoll",
            "evloop-pipe",
            "evloop-poll",
            "evloop-signals",
        ],
        packages: &["libc"],
        by_feature: &[],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_uses_only_rows_above_it() {
        for (at, layer) in LAYERS.iter().enumerate() {
            for used in layer.uses {
                let above = LAYERS[..at].iter().any(|other| other.package == *used);
                assert!(above, "{} uses {used}", layer.package);
            }
        }
    }

    /// It is not pure, as it has unsafe code: an instruction that does nothing which a program can see.
    const WITHOUT_EFFECT: &str = "evloop-prefetch";

    #[test]
    fn a_pure_crate_uses_only_pure_crates() {
        let is_pure = |name| {
            LAYERS
                .iter()
                .any(|layer| layer.package == name && layer.is_pure)
        };
        for layer in LAYERS.iter().filter(|layer| layer.is_pure) {
            let mut used = layer.uses.iter().copied();
            assert!(
                used.all(|used| is_pure(used) || used == WITHOUT_EFFECT),
                "{}",
                layer.package
            );
        }
    }
}
