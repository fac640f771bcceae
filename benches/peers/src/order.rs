//! In which order contenders have their turns: who comes first, or after whom, makes some percent.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

/// The numbers below `count` in an order that follows from `seed` and the repetition.
///
/// In `count` repetitions, from the first on, each is once at each place; if `count` is even, each comes once after
/// each other. (A Latin square of Williams: one row goes to and fro between both ends, and each row after it is one
/// further on.) Whose number is whose is drawn anew for the next as many.
pub(crate) fn order(count: usize, repetition: usize, seed: &impl Hash) -> Vec<usize> {
    let drawn = shuffled(count, &(seed, repetition / count.max(1)));
    let to_and_fro = |place: usize| match place % 2 {
        0 => place / 2,
        _ => count - place.div_ceil(2),
    };
    let at = |place| drawn[(to_and_fro(place) + repetition) % count];
    (0..count).map(at).collect()
}

/// A seed that is another one in each run of the program, and short enough to be given again.
pub(crate) fn any_seed() -> u64 {
    RandomState::new().hash_one(0) % 1_000_000 + 1
}

fn shuffled(count: usize, seed: &impl Hash) -> Vec<usize> {
    let mut order: Vec<_> = (0..count).collect();
    order.sort_by_cached_key(|at| {
        let mut hasher = DefaultHasher::new();
        (seed, at).hash(&mut hasher);
        hasher.finish()
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn square(count: usize, from: usize, seed: u64) -> Vec<Vec<usize>> {
        let repetitions = from..from + count;
        repetitions.map(|at| order(count, at, &seed)).collect()
    }

    #[test]
    fn each_is_at_each_place_as_often() {
        for (count, from) in [(1, 0), (8, 0), (8, 8), (11, 0), (11, 22)] {
            let rows = square(count, from, 7);
            for place in 0..count {
                let there: BTreeSet<_> = rows.iter().map(|row| row[place]).collect();
                assert_eq!(there.len(), count, "{count} from {from}: {place}");
            }
            for row in rows {
                assert_eq!(row.iter().collect::<BTreeSet<_>>().len(), count);
            }
        }
    }

    #[test]
    fn each_comes_after_each_other_if_their_number_is_even() {
        let rows = square(10, 0, 7);
        let pairs = rows
            .iter()
            .flat_map(|row| row.windows(2).map(<[_]>::to_vec));
        assert_eq!(pairs.collect::<BTreeSet<_>>().len(), 10 * 9);
    }

    #[test]
    fn orders_follow_from_the_seed_and_are_drawn_anew() {
        assert_eq!(square(9, 0, 1), square(9, 0, 1));
        assert_ne!(square(9, 0, 1), square(9, 0, 2));
        assert_ne!(square(9, 0, 1), square(9, 9, 1));
    }
}
