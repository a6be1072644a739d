//! Medians, spread and intervals for the comparison.
//!
//! Rounds of a measurement on a shared machine have a long tail on the slow side, so
//! everything here goes by ranks. Two allocators are compared by the ratios of runs of
//! the same round, which lie next to each other in time.

use crate::prng::Prng;

/// Resamples behind an interval.
const RESAMPLES: usize = 2000;

/// The seed of the resampling: equal measurements give equal intervals.
const SEED: u64 = 0x6861_6b6d_656d;

/// The middle and the quartiles of some measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// A quarter of the values is at most this.
    pub lower_quartile: f64,
    /// Half of the values is at most this.
    pub median: f64,
    /// Three quarters of the values are at most this.
    pub upper_quartile: f64,
}

impl Measure {
    /// The measure of `values`; none if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values);
        Some(Self {
            lower_quartile: quantile(&sorted, 0.25)?,
            median: quantile(&sorted, 0.5)?,
            upper_quartile: quantile(&sorted, 0.75)?,
        })
    }

    /// The interquartile range as a part of the median: 0.03 is a spread of 3 %.
    pub fn spread(&self) -> f64 {
        (self.upper_quartile - self.lower_quartile) / self.median
    }
}

/// A median with the interval that holds it with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The median of the measurements themselves.
    pub median: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// The median of the paired ratios `subject / base`, with the percentile interval of
    /// a bootstrap over the pairs. None without a pair; pairs whose base is not above 0
    /// are left out.
    pub fn of_ratios(pairs: &[(f64, f64)]) -> Option<Self> {
        let ratios: Vec<f64> = pairs
            .iter()
            .filter(|(_, base)| *base > 0.0)
            .map(|(subject, base)| subject / base)
            .collect();
        let median = median(&ratios)?;
        let mut prng = Prng::new(SEED);
        let mut resample = vec![0.0; ratios.len()];
        let mut medians = Vec::with_capacity(RESAMPLES);
        for _ in 0..RESAMPLES {
            for value in &mut resample {
                *value = ratios[prng.below(ratios.len() as u64) as usize];
            }
            resample.sort_by(f64::total_cmp);
            medians.push(quantile(&resample, 0.5)?);
        }
        medians.sort_by(f64::total_cmp);
        Some(Self {
            low: quantile(&medians, 0.025)?,
            median,
            high: quantile(&medians, 0.975)?,
        })
    }
}

/// The median; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

/// The geometric mean of values above 0; none of nothing.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let logs: f64 = values.iter().map(|value| value.ln()).sum();
    Some((logs / values.len() as f64).exp())
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value at `part` (0 to 1) of the way through `sorted`, between two values in
/// proportion.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = part * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    let rest = place - below as f64;
    Some(sorted[below] + (sorted[above] - sorted[below]) * rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[5.0]), Some(5.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_spread_is_the_interquartile_range() {
        let measure = Measure::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(measure.lower_quartile, 2.0);
        assert_eq!(measure.upper_quartile, 4.0);
        assert_eq!(measure.spread(), 2.0 / 3.0);
        assert_eq!(Measure::of(&[7.0; 9]).unwrap().spread(), 0.0);
    }

    #[test]
    fn one_slow_round_moves_neither_median_nor_spread() {
        let measure = Measure::of(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0]).unwrap();
        assert_eq!(measure.median, 1.0);
        assert_eq!(measure.spread(), 0.0);
    }

    #[test]
    fn equal_ratios_have_a_point_as_interval() {
        let interval = Interval::of_ratios(&[(2.0, 4.0), (3.0, 6.0), (1.0, 2.0)]).unwrap();
        assert_eq!(
            (interval.low, interval.median, interval.high),
            (0.5, 0.5, 0.5)
        );
    }

    #[test]
    fn an_interval_holds_its_median_and_narrows_with_pairs() {
        let pairs = |count: u64| -> Vec<(f64, f64)> {
            let mut prng = Prng::new(9);
            (0..count)
                .map(|_| (0.9 + 0.2 * prng.below(1000) as f64 / 1000.0, 1.0))
                .collect()
        };
        let few = Interval::of_ratios(&pairs(7)).unwrap();
        let many = Interval::of_ratios(&pairs(301)).unwrap();
        for interval in [few, many] {
            assert!(interval.low <= interval.median && interval.median <= interval.high);
        }
        assert!(many.high - many.low < few.high - few.low);
        assert_eq!(Interval::of_ratios(&pairs(7)), Some(few));
    }

    #[test]
    fn pairs_without_a_base_do_not_count() {
        assert_eq!(Interval::of_ratios(&[]), None);
        assert_eq!(Interval::of_ratios(&[(1.0, 0.0)]), None);
        let interval = Interval::of_ratios(&[(1.0, 0.0), (3.0, 2.0)]).unwrap();
        assert_eq!(interval.median, 1.5);
    }

    #[test]
    fn the_geometric_mean_of_inverse_ratios_is_one() {
        let mean = geometric_mean(&[0.5, 2.0]).unwrap();
        assert!((mean - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
    }
}
