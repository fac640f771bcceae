//! Medians and quartiles.

/// The middle of some values, and the middles of its halves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (sorted.len() - 1) as f64;
            let (below, above) = (
                sorted[place.floor() as usize],
                sorted[place.ceil() as usize],
            );
            below + (above - below) * place.fract()
        };
        Self {
            low: at(0.25),
            median: at(0.5),
            high: at(0.75),
        }
    }

    /// Of the ratios within each repetition, which leave out what slowed a whole repetition.
    pub(crate) fn of_ratios(values: &[f64], floor: &[f64]) -> Self {
        let ratios: Vec<f64> = values
            .iter()
            .zip(floor)
            .map(|(own, floor)| own / floor)
            .collect();
        Self::of(&ratios)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_values() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(
            spread,
            Spread {
                low: 1.75,
                median: 2.5,
                high: 3.25
            }
        );
    }

    #[test]
    fn a_slow_repetition_does_not_change_the_ratio() {
        let ratio = Spread::of_ratios(&[2.0, 200.0, 2.0], &[1.0, 100.0, 1.0]);
        assert_eq!(
            ratio,
            Spread {
                low: 2.0,
                median: 2.0,
                high: 2.0
            }
        );
    }
}
